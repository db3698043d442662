/* The channel between supervisor and worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void test_every_kind_arrives(void **state)
{
    int fds[2];
    struct channel_message message;

    assert_int_equal(channel_open(fds), 0);
    assert_int_equal(channel_receive(fds[1], &message), -EAGAIN);
    for (int kind = 0; kind < CHANNEL_KIND_COUNT; kind++)
        assert_int_equal(channel_send(fds[0], (enum channel_kind)kind, -1), 0);
    for (int kind = 0; kind < CHANNEL_KIND_COUNT; kind++) {
        assert_int_equal(channel_receive(fds[1], &message), 0);
        assert_int_equal(message.kind, kind);
        assert_int_equal(message.fd_count, 0);
        assert_int_equal(message.length, 0);
        assert_true(strlen(channel_kind_name(message.kind)) > 0);
    }
    close(fds[0]);
    close(fds[1]);
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
    assert_int_equal(channel_receive(fds[1], &message), 0);
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

static void test_text_and_many_descriptors_pass(void **state)
{
    int fds[2];
    int passed[CHANNEL_FDS_MAX];
    struct channel_message message;
    struct rlimit limit;

    assert_int_equal(channel_open(fds), 0);
    for (size_t i = 0; i < CHANNEL_FDS_MAX; i++)
        passed[i] = fds[0];
    assert_int_equal(channel_send_all(fds[0], CHANNEL_CONFIG, passed, CHANNEL_FDS_MAX, "text", 4),
                     0);
    assert_int_equal(channel_receive(fds[1], &message), 0);
    assert_int_equal(message.kind, CHANNEL_CONFIG);
    assert_int_equal(message.fd_count, CHANNEL_FDS_MAX);
    assert_string_equal(message.text, "text");
    channel_message_close(&message, 1);
    assert_int_equal(message.fd_count, 1);
    channel_message_close(&message, 0);

    /* A process that has no room for them says so, and keeps none. */
    assert_int_equal(channel_send_all(fds[0], CHANNEL_CONFIG, passed, 8, "", 0), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit low = {.rlim_cur = (rlim_t)fds[1] + 2, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(channel_receive(fds[1], &message), -EMFILE);
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
    assert_int_equal(channel_receive(fds[1], &message), 0);
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
    assert_int_equal(channel_receive(fds[1], &message), 0);
    assert_int_equal(channel_receive(fds[1], &message), -EPIPE);
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
        cmocka_unit_test(test_every_kind_arrives),
        cmocka_unit_test(test_descriptors_pass),
        cmocka_unit_test(test_text_and_many_descriptors_pass),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_the_end_is_noticed),
        cmocka_unit_test(test_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
