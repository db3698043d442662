/* Listening sockets, and what two sets of them share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static struct ip_endpoint endpoint(const char *text)
{
    struct ip_endpoint parsed;

    assert_int_equal(ip_endpoint_parse(text, strlen(text), &parsed), 0);
    return parsed;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_what_is_written_the_same_is_kept(void **state)
{
    const struct listeners nothing = {.count = 0};
    const struct ip_endpoint before[] = {endpoint("127.0.0.1:0"), endpoint("127.0.0.2:0")};
    const struct ip_endpoint after[] = {endpoint("127.0.0.3:0"), endpoint("127.0.0.2:0"),
                                        endpoint("127.0.0.2:0")};
    char message[256];
    struct listeners first;
    struct listeners second;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(listeners_open(before, 2, &nothing, "-l", &first, &text), 0);
    assert_int_not_equal(first.endpoints[0].port, 0);
    assert_int_equal(listeners_open(after, 3, &first, "-l", &second, &text), 0);
    assert_int_equal(second.count, 3);
    assert_int_equal(second.ids[1], first.ids[1]);
    assert_int_equal(second.fds[1], first.fds[1]);
    assert_int_equal(second.endpoints[1].port, first.endpoints[1].port);
    /* Two that are written the same are two sockets. */
    assert_int_not_equal(second.ids[2], second.ids[1]);
    assert_int_not_equal(second.fds[2], second.fds[1]);

    int gone = first.fds[0];
    int kept = first.fds[1];
    listeners_close_others(&first, &second);
    assert_false(is_open(gone));
    assert_true(is_open(kept));
    listeners_close(&second);
    assert_false(is_open(kept));
    listeners_close(&second);
}

static void test_all_or_none(void **state)
{
    const struct listeners nothing = {.count = 0};
    const struct ip_endpoint one = endpoint("127.0.0.1:0");
    char message[256];
    struct listeners first;
    struct listeners second = {.count = 7};
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(listeners_open(&one, 1, &nothing, "-l", &first, &text), 0);
    struct ip_endpoint wanted[] = {one, endpoint("127.0.0.5:0"), first.endpoints[0]};
    int next = open("/dev/null", O_RDONLY);
    assert_int_equal(listeners_open(wanted, 3, &first, "-l", &second, &text), -EADDRINUSE);
    assert_int_equal(second.count, 7);
    assert_non_null(strstr(message, "another program listens there"));
    assert_true(is_open(first.fds[0]));
    assert_false(is_open(next + 1));
    listeners_close(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_the_same_is_kept),
        cmocka_unit_test(test_all_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
