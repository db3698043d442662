/* SOCK_SEQPACKET keeps messages apart and tells of the other side's end. A message is its kind, one
 * byte, and at most one descriptor. Both sides are the same program, so anything else is a bug.
 */
#include "daemon/channel.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const kind_names[] = {"hosts", "resolv.conf", "drain", "end", "ready"};
static_assert(ARRAY_LENGTH(kind_names) == CHANNEL_KIND_COUNT, "a name for every kind");

union descriptor_space {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

int channel_open(int ret_fds[2])
{
    int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

    return socketpair(AF_UNIX, type, 0, ret_fds) < 0 ? -errno : 0;
}

int channel_send(int fd, enum channel_kind kind, int passed_fd)
{
    uint8_t byte = (uint8_t)kind;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    union descriptor_space space;

    if (passed_fd >= 0) {
        memset(&space, 0, sizeof(space));
        message.msg_control = space.bytes;
        message.msg_controllen = sizeof(space.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &passed_fd, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int channel_receive(int fd, struct channel_message *ret_message)
{
    uint8_t byte;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    union descriptor_space space;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
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
    ret_message->fd = -1;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(&ret_message->fd, CMSG_DATA(header), sizeof(int));
    return 0;
}

const char *channel_kind_name(enum channel_kind kind)
{
    return kind_names[kind];
}
