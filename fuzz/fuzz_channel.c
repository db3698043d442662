/* The channel between supervisor and worker: whatever comes, a message that gets through is one
 * that its side is sent, and no descriptor is left open behind one that does not. */
#include "process/channel.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

enum {
    FDS_MAX = 253, /* a message; the kernel's bound */
    HEAD_SIZE = 4, /* of an input's message: descriptors, repetitions, length in two bytes */
    REPEAT_STEP = 512,
    MESSAGE_MAX = 64 * 1024 + UINT8_MAX * REPEAT_STEP,
};

/* The lowest one that is free. */
static int next_fd(void)
{
    int fd = dup(STDERR_FILENO);

    CHECK(fd >= 0);
    close(fd);
    return fd;
}

static void send_raw(int fd, const uint8_t *bytes, size_t length, size_t fd_count)
{
    static union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } space;
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    int fds[FDS_MAX];

    for (size_t i = 0; i < fd_count; i++)
        fds[i] = fd;
    if (fd_count > 0) {
        message.msg_control = space.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        space.header.cmsg_level = SOL_SOCKET;
        space.header.cmsg_type = SCM_RIGHTS;
        space.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&space.header), fds, fd_count * sizeof(int));
    }
    CHECK(sendmsg(fd, &message, 0) == (ssize_t)length);
}

static bool goes_to_supervisor(enum channel_kind kind)
{
    return kind == CHANNEL_DRAIN || kind == CHANNEL_READY || kind == CHANNEL_RELOAD ||
           kind == CHANNEL_TAKEN;
}

static void check_message(const struct channel_message *message, enum channel_side side)
{
    CHECK(message->kind < CHANNEL_KIND_COUNT);
    CHECK(message->length <= CHANNEL_TEXT_MAX && message->text[message->length] == '\0');
    CHECK(message->fd_count <= CHANNEL_FDS_MAX);
    if (side == CHANNEL_AT_WORKER) {
        CHECK(message->kind == CHANNEL_DRAIN || !goes_to_supervisor(message->kind));
        return;
    }
    CHECK(goes_to_supervisor(message->kind) && message->fd_count == 0);
    CHECK(message->length <= (message->kind == CHANNEL_TAKEN ? CHANNEL_REASON_MAX : 0));
    CHECK(strlen(message->text) == message->length && strpbrk(message->text, "\n\r\t\x1b") == NULL);
}

static void run(const uint8_t *data, size_t size, enum channel_side side)
{
    static uint8_t bytes[MESSAGE_MAX];
    static struct channel_message message;
    int fds[2];

    CHECK(channel_open(fds) == 0);
    int free_fd = next_fd();
    while (size >= HEAD_SIZE) {
        size_t fd_count = data[0] <= FDS_MAX ? data[0] : FDS_MAX;
        size_t more = (size_t)data[1] * REPEAT_STEP;
        size_t length = (size_t)data[2] << 8 | data[3];

        data += HEAD_SIZE;
        size -= HEAD_SIZE;
        length = length <= size ? length : size;
        memcpy(bytes, data, length);
        memset(bytes + length, 'x', more);
        data += length;
        size -= length;
        send_raw(fds[0], bytes, length + more, fd_count);
        int error = channel_receive(fds[1], side, &message);
        CHECK(error == 0 || error == -EBADMSG);
        if (error == 0) {
            check_message(&message, side);
            channel_message_close(&message, 0);
        }
        CHECK(next_fd() == free_fd);
    }
    CHECK(channel_receive(fds[1], side, &message) == -EAGAIN);
    close(fds[0]);
    CHECK(channel_receive(fds[1], side, &message) == -EPIPE);
    channel_close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run(data, size, CHANNEL_AT_WORKER);
    run(data, size, CHANNEL_AT_SUPERVISOR);
    return 0;
}
