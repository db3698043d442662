/* SOCK_SEQPACKET keeps messages apart and tells of the other side's end. A message is its kind, one
 * byte, a text, and some descriptors. Both sides are the same program, so anything else is a bug.
 */
#include "daemon/channel.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const kind_names[] = {"hosts", "resolv.conf", "config", "log",    "reloaded",
                                         "drain", "end",         "ready",  "reload", "taken"};
static_assert(ARRAY_LENGTH(kind_names) == CHANNEL_KIND_COUNT, "a name for every kind");

union descriptor_space {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

int channel_open(int ret_fds[2])
{
    int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

    return socketpair(AF_UNIX, type, 0, ret_fds) < 0 ? -errno : 0;
}

int channel_send(int fd, enum channel_kind kind, int passed_fd)
{
    return channel_send_all(fd, kind, &passed_fd, passed_fd >= 0 ? 1 : 0, "", 0);
}

static void add_descriptors(struct msghdr *message, union descriptor_space *space, const int *fds,
                            size_t count)
{
    memset(space, 0, sizeof(*space));
    message->msg_control = space->bytes;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
}

int channel_send_all(int fd, enum channel_kind kind, const int *passed_fds, size_t count,
                     const char *text, size_t length)
{
    uint8_t byte = (uint8_t)kind;
    struct iovec pieces[] = {{.iov_base = &byte, .iov_len = 1},
                             {.iov_base = (char *)text, .iov_len = length}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = ARRAY_LENGTH(pieces)};
    union descriptor_space space;

    REQUIRE(count <= CHANNEL_FDS_MAX);
    if (length > CHANNEL_TEXT_MAX)
        pieces[1].iov_len = CHANNEL_TEXT_MAX;
    if (count > 0)
        add_descriptors(&message, &space, passed_fds, count);
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static void take_descriptors(struct msghdr *message, struct channel_message *ret_message)
{
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);

    ret_message->fd_count = 0;
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return;
    size_t size = header->cmsg_len - CMSG_LEN(0);
    memcpy(ret_message->fds, CMSG_DATA(header), size);
    ret_message->fd_count = size / sizeof(int);
}

int channel_receive(int fd, struct channel_message *ret_message)
{
    uint8_t byte;
    struct iovec pieces[] = {{.iov_base = &byte, .iov_len = 1},
                             {.iov_base = ret_message->text, .iov_len = CHANNEL_TEXT_MAX}};
    union descriptor_space space;
    struct msghdr message = {.msg_iov = pieces,
                             .msg_iovlen = ARRAY_LENGTH(pieces),
                             .msg_control = space.bytes,
                             .msg_controllen = sizeof(space.bytes)};
    ssize_t count;

    do
        count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (count == 0)
        return -EPIPE;
    ENSURE(byte < CHANNEL_KIND_COUNT);
    ret_message->kind = (enum channel_kind)byte;
    ret_message->length = (size_t)count - 1;
    ret_message->text[ret_message->length] = '\0';
    take_descriptors(&message, ret_message);
    if (message.msg_flags & MSG_CTRUNC) {
        channel_message_close(ret_message, 0);
        return -EMFILE;
    }
    return 0;
}

void channel_message_close(struct channel_message *message, size_t first)
{
    for (size_t i = first; i < message->fd_count; i++)
        close(message->fds[i]);
    if (first < message->fd_count)
        message->fd_count = first;
}

const char *channel_kind_name(enum channel_kind kind)
{
    return kind_names[kind];
}
