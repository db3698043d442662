/* The channel between supervisor and worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void fill(int *fds, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        fds[i] = fd;
}

/* The lowest free descriptor: the same before and after, when nothing was left open. */
static int next_fd(void)
{
    int fd = dup(STDIN_FILENO);

    close(fd);
    return fd;
}

/* What each side may be sent: the least and the most descriptors, -1: this kind never comes. */
static const struct {
    enum channel_kind kind;
    int least[CHANNEL_SIDE_COUNT];
    int most[CHANNEL_SIDE_COUNT];
    size_t text[CHANNEL_SIDE_COUNT];
} allowed[] = {
    {CHANNEL_HOSTS, {0, -1}, {1, -1}, {0}},
    {CHANNEL_RESOLV_CONF, {0, -1}, {1, -1}, {0}},
    {CHANNEL_CONFIG, {1, -1}, {CHANNEL_FDS_MAX, -1}, {0}},
    {CHANNEL_LOG, {1, -1}, {1, -1}, {0}},
    {CHANNEL_RELOADED, {0, -1}, {0, -1}, {CHANNEL_TEXT_MAX}},
    {CHANNEL_DRAIN, {0, 0}, {0, 0}, {CHANNEL_REASON_MAX}},
    {CHANNEL_END, {0, -1}, {0, -1}, {CHANNEL_REASON_MAX}},
    {CHANNEL_READY, {-1, 0}, {-1, 0}, {0}},
    {CHANNEL_RELOAD, {-1, 0}, {-1, 0}, {0}},
    {CHANNEL_TAKEN, {-1, 0}, {-1, 0}, {0, CHANNEL_REASON_MAX}},
};
static_assert(ARRAY_LENGTH(allowed) == CHANNEL_KIND_COUNT, "every kind");

static void test_every_kind_arrives_where_it_may(void **state)
{
    static const int counts[] = {0, 1, 2, CHANNEL_FDS_MAX};
    static const size_t lengths[] = {0, 1, CHANNEL_REASON_MAX, CHANNEL_REASON_MAX + 1};
    static char text[CHANNEL_REASON_MAX + 2];
    struct channel_message message;
    int passed[CHANNEL_FDS_MAX];
    int fds[2];

    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(channel_open(fds), 0);
    fill(passed, CHANNEL_FDS_MAX, fds[0]);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_WORKER, &message), -EAGAIN);
    int free_fd = next_fd();
    for (size_t i = 0; i < ARRAY_LENGTH(allowed); i++)
        for (int side = 0; side < CHANNEL_SIDE_COUNT; side++)
            for (size_t count = 0; count < ARRAY_LENGTH(counts); count++)
                for (size_t length = 0; length < ARRAY_LENGTH(lengths); length++) {
                    bool is_allowed = counts[count] >= allowed[i].least[side] &&
                                      counts[count] <= allowed[i].most[side] &&
                                      lengths[length] <= allowed[i].text[side];

                    assert_int_equal(channel_send_all(fds[0], allowed[i].kind, passed,
                                                      (size_t)counts[count], text, lengths[length]),
                                     0);
                    int error = channel_receive(fds[1], (enum channel_side)side, &message);
                    assert_int_equal(error, is_allowed ? 0 : -EBADMSG);
                    if (is_allowed) {
                        assert_int_equal(message.kind, allowed[i].kind);
                        assert_int_equal(message.fd_count, counts[count]);
                        assert_int_equal(message.length, lengths[length]);
                        assert_string_equal(message.text,
                                            text + sizeof(text) - 1 - lengths[length]);
                        channel_message_close(&message, 0);
                    } else {
                        assert_non_null(message.problem);
                    }
                    assert_int_equal(next_fd(), free_fd);
                }
    close(fds[0]);
    close(fds[1]);
}

static void send_raw(int fd, const void *bytes, size_t length, const int *passed, size_t count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(253 * sizeof(int))];
    } space = {0};
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (count > 0) {
        message.msg_control = space.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        space.header.cmsg_level = SOL_SOCKET;
        space.header.cmsg_type = SCM_RIGHTS;
        space.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&space.header), passed, count * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &message, 0), (ssize_t)length);
}

static void assert_refused(int fds[2], const void *bytes, size_t length, const int *passed,
                           size_t count)
{
    struct channel_message message;
    int free_fd = next_fd();

    send_raw(fds[0], bytes, length, passed, count);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_SUPERVISOR, &message), -EBADMSG);
    assert_non_null(message.problem);
    assert_int_equal(next_fd(), free_fd);
}

static void test_what_no_worker_sends(void **state)
{
    static uint8_t bytes[2 * CHANNEL_TEXT_MAX];
    static const char texts[][6] = {"\x09a\nb", "\x09nul\0", "\x09\x1b[2J", "\x09\xc3\xa4 a"};
    int passed[253];
    int fds[2];

    static_assert(CHANNEL_TAKEN == 9, "texts begin with it");
    assert_int_equal(channel_open(fds), 0);
    fill(passed, ARRAY_LENGTH(passed), fds[0]);
    for (unsigned kind = CHANNEL_KIND_COUNT; kind <= UINT8_MAX; kind++) {
        bytes[0] = (uint8_t)kind;
        assert_refused(fds, bytes, 1, NULL, 0);
        assert_refused(fds, bytes, 1000, passed, 3);
    }
    /* Empty, it is not the end. */
    assert_refused(fds, bytes, 0, NULL, 0);
    assert_refused(fds, bytes, 0, passed, 2);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_refused(fds, texts[i], 5, NULL, 0);
    memset(bytes, 'x', sizeof(bytes));
    bytes[0] = CHANNEL_TAKEN;
    assert_refused(fds, bytes, sizeof(bytes), NULL, 0);
    for (int kind = 0; kind < CHANNEL_KIND_COUNT; kind++) {
        bytes[0] = (uint8_t)kind;
        assert_refused(fds, bytes, 1, passed, ARRAY_LENGTH(passed));
    }
    close(fds[0]);
    close(fds[1]);
}

/* A connection with more than its peer takes, which lingers for a minute when it is closed. */
static int make_lingering(int *ret_peer)
{
    static char bytes[65536];
    const struct linger minute = {.l_onoff = 1, .l_linger = 60};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
    *ret_peer = accept(listener, NULL, NULL);
    close(listener);
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        continue;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &minute, sizeof(minute)), 0);
    return fd;
}

/* The one who hears must not wait for what was sent to it: alarm(2) would end the test. */
static void test_descriptors_that_linger(void **state)
{
    static const uint8_t drain = CHANNEL_DRAIN;
    struct channel_message message;
    int peers[2];
    int fds[2];

    assert_int_equal(channel_open(fds), 0);
    for (size_t i = 0; i < 2; i++) {
        int lingering = make_lingering(&peers[i]);

        if (i == 1)
            send_raw(fds[0], "", 0, NULL, 0); /* what waits behind it is not forgotten */
        send_raw(fds[0], &drain, 1, &lingering, 1);
        close(lingering); /* not the last copy: that one is on its way */
    }
    alarm(20);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_SUPERVISOR, &message), -EBADMSG);
    close(fds[0]);
    channel_close(fds[1]);
    alarm(0);
    close(peers[0]);
    close(peers[1]);
}

static void test_descriptors_pass(void **state)
{
    int fds[2];
    int pipes[2];
    struct channel_message message;
    char byte = 0;

    assert_int_equal(channel_open(fds), 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(channel_send(fds[0], CHANNEL_HOSTS, pipes[1]), 0);
    close(pipes[1]);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_WORKER, &message), 0);
    assert_int_equal(message.fd_count, 1);
    assert_true(fcntl(message.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(message.fds[0], "x", 1), 1);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    channel_message_close(&message, 0);
    close(pipes[0]);
    close(fds[0]);
    close(fds[1]);
}

static void test_many_descriptors_pass(void **state)
{
    int fds[2];
    int passed[CHANNEL_FDS_MAX];
    struct channel_message message;
    struct rlimit limit;

    assert_int_equal(channel_open(fds), 0);
    for (size_t i = 0; i < CHANNEL_FDS_MAX; i++)
        passed[i] = fds[0];
    assert_int_equal(channel_send_all(fds[0], CHANNEL_CONFIG, passed, CHANNEL_FDS_MAX, "", 0), 0);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_WORKER, &message), 0);
    assert_int_equal(message.kind, CHANNEL_CONFIG);
    assert_int_equal(message.fd_count, CHANNEL_FDS_MAX);
    assert_string_equal(message.text, "");
    channel_message_close(&message, 1);
    assert_int_equal(message.fd_count, 1);
    channel_message_close(&message, 0);

    /* A process that has no room for them says so, and keeps none. */
    assert_int_equal(channel_send_all(fds[0], CHANNEL_CONFIG, passed, 8, "", 0), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit low = {.rlim_cur = (rlim_t)fds[1] + 2, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_WORKER, &message), -EMFILE);
    assert_int_equal(message.kind, CHANNEL_CONFIG);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(fds[0]);
    assert_int_equal(next, fds[1] + 1);
    close(next);
    close(fds[0]);
    close(fds[1]);
}

static void test_long_texts_are_cut(void **state)
{
    static char text[CHANNEL_TEXT_MAX + 100];
    int fds[2];
    struct channel_message message;

    memset(text, 'x', sizeof(text));
    assert_int_equal(channel_open(fds), 0);
    assert_int_equal(channel_send_all(fds[0], CHANNEL_RELOADED, NULL, 0, text, sizeof(text)), 0);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_WORKER, &message), 0);
    assert_int_equal(message.length, CHANNEL_TEXT_MAX);
    assert_int_equal(message.text[CHANNEL_TEXT_MAX], '\0');
    close(fds[0]);
    close(fds[1]);
}

static void test_the_end_is_noticed(void **state)
{
    int fds[2];
    struct channel_message message;

    assert_int_equal(channel_open(fds), 0);
    assert_int_equal(channel_send(fds[0], CHANNEL_DRAIN, -1), 0);
    close(fds[0]);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_WORKER, &message), 0);
    assert_int_equal(channel_receive(fds[1], CHANNEL_AT_WORKER, &message), -EPIPE);
    assert_int_equal(channel_send(fds[1], CHANNEL_READY, -1), -EPIPE);
    close(fds[1]);
}

static void test_nobody_reads(void **state)
{
    int fds[2];
    int error = 0;

    assert_int_equal(channel_open(fds), 0);
    for (int i = 0; i < 100000 && error == 0; i++)
        error = channel_send(fds[0], CHANNEL_HOSTS, -1);
    assert_int_equal(error, -EAGAIN);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_arrives_where_it_may),
        cmocka_unit_test(test_what_no_worker_sends),
        cmocka_unit_test(test_descriptors_that_linger),
        cmocka_unit_test(test_descriptors_pass),
        cmocka_unit_test(test_many_descriptors_pass),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_the_end_is_noticed),
        cmocka_unit_test(test_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
