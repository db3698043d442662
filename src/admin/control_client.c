/* One request, one answer, then the other side closes. Blocking, with a bound a call. */
#include "admin/control_client.h"

#include "admin/control_socket.h"
#include "admin/stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 12 }; /* adit itself gives a client 10 s */

static const char ok[] = "{\"ok\":true";

/* Bytes of the whole answer, or -errno. */
static ssize_t ask(int fd, const char *request, char *answer, size_t size)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    size_t length = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return -errno;
    while (length < size) {
        ssize_t count = recv(fd, answer + length, size - length, 0);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (count == 0)
            break;
        length += (size_t)count;
    }
    return length > 0 ? (ssize_t)length : -ECONNRESET;
}

static int print_stats(const char *answer, size_t length)
{
    static char plain[STATS_SIZE];
    struct text out;

    text_init(&out, plain, sizeof(plain));
    if (stats_print_plain(&out, answer, length) < 0) {
        fprintf(stderr, "adit: the answer can't be read; is that the same version of adit?\n");
        return 1;
    }
    fputs(plain, stdout);
    return 0;
}

static int show(enum command command, const char *answer, size_t length)
{
    if (length < sizeof(ok) - 1 || memcmp(answer, ok, sizeof(ok) - 1) != 0) {
        fprintf(stderr, "adit: refused: %.*s", (int)length, answer);
        return 1;
    }
    if (command == COMMAND_STATS)
        return print_stats(answer, length);
    puts("adit drains: it takes no new tunnels and ends with the last open one, in 30 s at most");
    return 0;
}

int control_client_run(enum command command, const char *path)
{
    static char answer[STATS_SIZE];
    char default_path[CONTROL_PATH_SIZE * 4];
    char request[32];
    struct text text;

    text_init(&text, default_path, sizeof(default_path));
    control_path_default(&text);
    if (path == NULL)
        path = default_path;
    text_init(&text, request, sizeof(request));
    text_add(&text, command_name(command));
    text_add_char(&text, '\n');

    int fd = control_socket_connect(path);
    if (fd < 0) {
        fprintf(stderr,
                "adit: nobody answers at %s: %s; is adit running? give its socket with -s\n", path,
                strerror(-fd));
        return 1;
    }
    ssize_t length = ask(fd, request, answer, sizeof(answer));
    close(fd);
    if (length < 0) {
        fprintf(stderr, "adit: no answer from %s: %s; try again\n", path, strerror((int)-length));
        return 1;
    }
    return show(command, answer, (size_t)length);
}
