/* A pair of SOCK_SEQPACKET sockets, which keep messages apart and tell when the other side has
 * ended. A message is its kind, in one byte, a text, and some descriptors. What each side may get
 * is in a table (channel_kinds). An attacker may hold the worker, so whatever comes is checked.
 *
 * The surprise is what a descriptor can do to its receiver. When the last copy of a socket is
 * closed and the socket lingers, close waits for as long as the sender has set. Therefore unwanted
 * descriptors lose that setting before they are closed, and so do those that wait in the queue when
 * the channel is closed. Descriptors for which the receiver has no room are closed by the kernel,
 * which would wait as well; therefore there is room for as many as the kernel passes in one
 * message.
 *
 * A message of no bytes reads like the end of the other side. The credentials that the kernel adds
 * to each message (SO_PASSCRED) tell the two apart.
 */
#include "process/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PASSED_MAX = 253 }; /* the kernel's SCM_MAX_FD */

/* What a side may get of one kind. All zero: nothing of this kind. */
struct allowance {
    bool is_given;
    size_t fds_min;
    size_t fds_max;
    size_t text_max;
};

#define PLAIN                                                                                      \
    {                                                                                              \
        .is_given = true                                                                           \
    }

static const struct allowance channel_kinds[][CHANNEL_SIDE_COUNT] = {
    [CHANNEL_HOSTS] = {[CHANNEL_AT_WORKER] = {true, 0, 1, 0}},
    [CHANNEL_RESOLV_CONF] = {[CHANNEL_AT_WORKER] = {true, 0, 1, 0}},
    [CHANNEL_CONFIG] = {[CHANNEL_AT_WORKER] = {true, 1, CHANNEL_FDS_MAX, 0}},
    [CHANNEL_LOG] = {[CHANNEL_AT_WORKER] = {true, 1, 1, 0}},
    [CHANNEL_RELOADED] = {[CHANNEL_AT_WORKER] = {true, 0, 0, CHANNEL_TEXT_MAX}},
    [CHANNEL_DRAIN] =
        {[CHANNEL_AT_WORKER] = {true, 0, 0, CHANNEL_REASON_MAX}, [CHANNEL_AT_SUPERVISOR] = PLAIN},
    [CHANNEL_END] = {[CHANNEL_AT_WORKER] = {true, 0, 0, CHANNEL_REASON_MAX}},
    [CHANNEL_READY] = {[CHANNEL_AT_SUPERVISOR] = PLAIN},
    [CHANNEL_RELOAD] = {[CHANNEL_AT_SUPERVISOR] = PLAIN},
    [CHANNEL_TAKEN] = {[CHANNEL_AT_SUPERVISOR] = {true, 0, 0, CHANNEL_REASON_MAX}},
};
static_assert(ARRAY_LENGTH(channel_kinds) == CHANNEL_KIND_COUNT, "a row for every kind");

union descriptor_space {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(PASSED_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

int channel_open(int ret_fds[2])
{
    int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const int on = 1;

    if (socketpair(AF_UNIX, type, 0, ret_fds) < 0)
        return -errno;
    for (size_t i = 0; i < 2; i++) {
        int result = setsockopt(ret_fds[i], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        ENSURE(result == 0);
    }
    return 0;
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

/* A text that is longer than CHANNEL_TEXT_MAX is cut: it is meant for people. */
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

/* Returns how many descriptors came with the message and are now in `ret_fds`. They are ours to
 * close. */
static size_t take_descriptors(struct msghdr *message, int ret_fds[PASSED_MAX])
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);

    while (header != NULL && (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS))
        header = CMSG_NXTHDR(message, header);
    if (header == NULL)
        return 0;
    size_t size = header->cmsg_len - CMSG_LEN(0);
    memcpy(ret_fds, CMSG_DATA(header), size);
    return size / sizeof(int);
}

static void drop_descriptors(const int *fds, size_t count)
{
    const struct linger none = {.l_onoff = 0};

    for (size_t i = 0; i < count; i++) {
        /* This fails on what is no socket, but such a descriptor does not linger either. */
        setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        close(fds[i]);
    }
}

/* The supervisor writes such a text into its log, so it must not forge lines or control a
 * terminal. */
static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

/* A message as it came, before it was checked. */
struct raw {
    uint8_t kind;
    int fds[PASSED_MAX];
    size_t fd_count;
    bool is_cut;          /* its text was longer than fits */
    bool is_without_room; /* this process may have no more descriptors, so some are lost */
};

/* Returns 1 + the length of the text, or 0 for a message of no bytes. Fails with -EPIPE when the
 * other side has ended, or else -errno. */
static ssize_t receive_raw(int fd, struct raw *ret_raw, char text[CHANNEL_TEXT_MAX])
{
    struct iovec pieces[] = {{.iov_base = &ret_raw->kind, .iov_len = 1},
                             {.iov_base = text, .iov_len = CHANNEL_TEXT_MAX}};
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
    if (count == 0 && CMSG_FIRSTHDR(&message) == NULL)
        return -EPIPE;
    ret_raw->fd_count = take_descriptors(&message, ret_raw->fds);
    ret_raw->is_cut = message.msg_flags & MSG_TRUNC;
    ret_raw->is_without_room = message.msg_flags & MSG_CTRUNC;
    return count;
}

/* Returns what is wrong with the message, or NULL. A descriptor that was lost because there was no
 * room counts as one that came. */
static const char *find_problem(const struct raw *raw, size_t size, const char *text,
                                enum channel_side side)
{
    size_t fd_count = raw->fd_count + raw->is_without_room;

    if (size == 0 || raw->kind >= CHANNEL_KIND_COUNT)
        return "a message of no known kind";
    const struct allowance *allowed = &channel_kinds[raw->kind][side];
    if (!allowed->is_given)
        return "a message that only goes the other way";
    if (fd_count < allowed->fds_min || fd_count > allowed->fds_max)
        return "a message with a wrong number of descriptors";
    if (raw->is_cut || size - 1 > allowed->text_max)
        return "a message that is too long";
    if (side == CHANNEL_AT_SUPERVISOR && !is_printable(text, size - 1))
        return "a message whose text is no line";
    return NULL;
}

int channel_receive(int fd, enum channel_side side, struct channel_message *ret_message)
{
    struct raw raw;
    ssize_t size = receive_raw(fd, &raw, ret_message->text);

    if (size < 0)
        return (int)size;
    ret_message->problem = find_problem(&raw, (size_t)size, ret_message->text, side);
    if (ret_message->problem != NULL || raw.is_without_room) {
        drop_descriptors(raw.fds, raw.fd_count);
        raw.fd_count = 0;
    }
    if (ret_message->problem != NULL)
        return -EBADMSG;
    ret_message->kind = (enum channel_kind)raw.kind;
    ret_message->length = (size_t)size - 1;
    ret_message->text[ret_message->length] = '\0';
    ret_message->fd_count = raw.fd_count;
    memcpy(ret_message->fds, raw.fds, raw.fd_count * sizeof(int));
    return raw.is_without_room ? -EMFILE : 0;
}

void channel_close(int fd)
{
    struct raw raw;
    char text[CHANNEL_TEXT_MAX];

    while (receive_raw(fd, &raw, text) >= 0)
        drop_descriptors(raw.fds, raw.fd_count);
    close(fd);
}

void channel_message_close(struct channel_message *message, size_t first)
{
    for (size_t i = first; i < message->fd_count; i++)
        close(message->fds[i]);
    if (first < message->fd_count)
        message->fd_count = first;
}
