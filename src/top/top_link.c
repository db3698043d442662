/* Each question has a connection of its own: adit answers and closes it, so the answer is complete
 * when the connection ends. The buffer grows by doubling and is kept for the next question, whose
 * answer will be about as long.
 */
#include "top/top_link.h"

#include "admin/control_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TOP_LINK_PATIENCE_MS = 12000,    /* longer than the 10 s that adit itself gives a client */
    TOP_LINK_FIRST_SIZE = 64 * 1024, /* then doubled as needed */
};

void top_link_init(struct top_link *link)
{
    *link = (struct top_link){.fd = -1};
}

void top_link_finish(struct top_link *link)
{
    top_link_close(link);
    free(link->bytes);
}

void top_link_close(struct top_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

int top_link_ask(struct top_link *link, const char *path, const char *request, uint64_t now_ms)
{
    REQUIRE(link->fd < 0);
    link->fd = control_socket_connect(path);
    if (link->fd < 0) {
        int error = link->fd;
        link->fd = -1;
        return error;
    }
    /* A request is short and fits into the empty buffer of a new socket, so a partial write means
     * that something is wrong. */
    if (send(link->fd, request, strlen(request), MSG_NOSIGNAL | MSG_DONTWAIT) !=
        (ssize_t)strlen(request)) {
        top_link_close(link);
        return -ECONNRESET;
    }
    link->length = 0;
    link->end_ms = now_ms + TOP_LINK_PATIENCE_MS;
    return 0;
}

static int top_link_make_room(struct top_link *link)
{
    size_t size = link->size > 0 ? link->size * 2 : TOP_LINK_FIRST_SIZE;
    char *bytes = realloc(link->bytes, size);

    if (bytes == NULL)
        return -ENOMEM;
    link->bytes = bytes;
    link->size = size;
    return 0;
}

int top_link_read(struct top_link *link)
{
    ssize_t count = 0;
    int result = 0;

    if (link->length == link->size)
        result = top_link_make_room(link);
    if (result == 0)
        count = recv(link->fd, link->bytes + link->length, link->size - link->length, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count > 0) {
        link->length += (size_t)count;
        return 0;
    }
    if (result == 0)
        result = count < 0 ? -errno : link->length > 0 ? 1 : -ECONNRESET;
    top_link_close(link);
    return result;
}
