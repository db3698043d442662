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
        assert_int_equal(message.fd, -1);
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
    assert_true(message.fd >= 0);
    assert_true(fcntl(message.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(message.fd, "x", 1), 1);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(message.fd);
    close(pipes[0]);
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
        cmocka_unit_test(test_the_end_is_noticed),
        cmocka_unit_test(test_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
