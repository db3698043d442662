/* Listening sockets, and what two sets of them share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

static int open_some(const struct ip_endpoint *endpoints, size_t count,
                     const struct listeners *before, struct listeners *ret_listeners,
                     struct text *message)
{
    static const struct listeners nothing;
    const struct listeners_plan plan = {.endpoints = endpoints,
                                        .count = count,
                                        .before = before,
                                        .others = &nothing,
                                        .where = "with -l"};

    return listeners_open(&plan, ret_listeners, message);
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
    assert_int_equal(open_some(before, 2, &nothing, &first, &text), 0);
    assert_int_not_equal(first.endpoints[0].port, 0);
    assert_int_equal(open_some(after, 3, &first, &second, &text), 0);
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
    assert_int_equal(open_some(&one, 1, &nothing, &first, &text), 0);
    struct ip_endpoint wanted[] = {one, endpoint("127.0.0.5:0"), first.endpoints[0]};
    int next = open("/dev/null", O_RDONLY);
    assert_int_equal(open_some(wanted, 3, &nothing, &second, &text), -EADDRINUSE);
    assert_int_equal(second.count, 7);
    assert_non_null(strstr(message, "another program listens there; end it, or choose another port "
                                    "with -l\n"));
    assert_true(is_open(first.fds[0]));
    assert_false(is_open(next + 1));
    listeners_close(&first);
}

static void expect_own(const struct ip_endpoint *wanted, const struct listeners *before,
                       const struct listeners *others, const char *name)
{
    const struct listeners_plan plan = {
        .endpoints = wanted, .count = 1, .before = before, .others = others, .where = "with -l"};
    char message[512];
    char part[128];
    struct listeners opened;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(listeners_open(&plan, &opened, &text), -EADDRINUSE);
    snprintf(part, sizeof(part), "this adit itself listens on %s until the reload is done", name);
    if (strstr(message, part) == NULL)
        fail_msg("no %s in %s", part, message);
    assert_null(strstr(message, "another program"));
}

/* One at this address, and what it is called. */
static void open_named(const char *address, struct listeners *ret_first,
                       char ret_name[IP_ENDPOINT_TEXT_SIZE])
{
    const struct listeners nothing = {.count = 0};
    const struct ip_endpoint one = endpoint(address);
    char buffer[256];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    assert_int_equal(open_some(&one, 1, &nothing, ret_first, &text), 0);
    text_init(&text, ret_name, IP_ENDPOINT_TEXT_SIZE);
    ip_endpoint_print(&text, &ret_first->endpoints[0]);
}

static void test_its_own_are_in_the_way(void **state)
{
    const struct listeners nothing = {.count = 0};
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct listeners first;

    open_named("127.0.0.1:0", &first, name);
    struct ip_endpoint wanted = first.endpoints[0];
    expect_own(&wanted, &first, &nothing, name);
    expect_own(&wanted, &nothing, &first, name);
    wanted.address = endpoint("0.0.0.0:1").address;
    expect_own(&wanted, &nothing, &first, name);
    wanted.address = endpoint("[::]:1").address; /* that would take IPv4 */
    expect_own(&wanted, &first, &nothing, name);
    expect_own(&wanted, &nothing, &first, name);
    listeners_close(&first);
}

static void expect_contradiction(const struct listeners_plan *plan, const char *name)
{
    char message[512];
    char part[128];
    struct listeners opened;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(listeners_open(plan, &opened, &text), -EADDRINUSE);
    snprintf(part, sizeof(part), "; it is to listen on %s as well; choose another port in `admin`",
             name);
    if (strstr(message, part) == NULL)
        fail_msg("no %s in %s", part, message);
}

static void test_a_configuration_contradicts_itself(void **state)
{
    const struct listeners nothing = {.count = 0};
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct listeners first;

    open_named("0.0.0.0:0", &first, name);
    struct ip_endpoint wanted[] = {first.endpoints[0], first.endpoints[0]};
    wanted[0].address = endpoint("127.0.0.1:1").address;
    struct listeners_plan plan = {.endpoints = wanted,
                                  .count = 1,
                                  .before = &nothing,
                                  .others = &first,
                                  .where = "in `admin`"};
    plan.beside = &first; /* whether it keeps the socket or has just opened it */
    expect_contradiction(&plan, name);
    plan.beside = NULL;
    plan.before = &first;
    plan.count = 2; /* in the same list, further down */
    expect_contradiction(&plan, name);
    listeners_close(&first);
}

static bool takes_v4(int fd)
{
    int is_v6_only = 1;
    socklen_t size = sizeof(is_v6_only);

    assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &is_v6_only, &size), 0);
    return !is_v6_only;
}

/* What a socket takes was decided when it was opened, whoever has it later: that is said. */
static void expect_kept(const struct ip_endpoint *wanted, const struct listeners *opened)
{
    bool is_less = ip_address_is_unspecified(&wanted->address) && !opened->takes_v4[0];
    char message[512];
    struct listeners kept;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(open_some(wanted, 1, opened, &kept, &text), 0);
    assert_int_equal(kept.ids[0], opened->ids[0]);
    assert_int_equal(kept.takes_v4[0], opened->takes_v4[0]);
    assert_int_equal(strstr(message, "takes IPv6 only") != NULL, is_less);
}

static void test_a_wildcard_takes_ipv4_where_it_may(void **state)
{
    static const struct {
        const char *first, *second, *also;
        bool expected;
    } rows[] = {
        {"[::]:0", NULL, NULL, true},
        {"[::]:0", "0.0.0.0:0", NULL, true}, /* another port */
        {"[::]:1", NULL, NULL, true},
        {"[::]:1", "0.0.0.0:1", NULL, false},
        {"[::]:1", "127.0.0.1:1", NULL, false},
        {"[::]:1", "127.0.0.1:0", NULL, true},
        {"[::]:1", "[::1]:0", NULL, true},
        {"[::]:1", NULL, "127.0.0.1:1", false},
        {"[::]:1", NULL, "127.0.0.1:0", true},
        {"[::1]:1", NULL, NULL, false},
    };
    const struct listeners nothing = {.count = 0};
    char name[IP_ENDPOINT_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct listeners opened;
        struct listeners probe;
        struct ip_endpoint wanted[2] = {endpoint(rows[i].first)};
        struct ip_endpoint also = {.port = 0};
        char message[512];
        struct text text;
        size_t count = 1;

        open_named("[::]:0", &probe, name);
        uint16_t port = probe.endpoints[0].port;
        listeners_close(&probe);
        if (rows[i].second != NULL)
            wanted[count++] = endpoint(rows[i].second);
        if (rows[i].also != NULL)
            also = endpoint(rows[i].also);
        for (size_t j = 0; j < count; j++)
            wanted[j].port = wanted[j].port == 0 ? 0 : port;
        also.port = also.port == 0 ? 0 : port;
        const struct listeners_plan plan = {.endpoints = wanted,
                                            .count = count,
                                            .before = &nothing,
                                            .others = &nothing,
                                            .also = rows[i].also != NULL ? &also : NULL,
                                            .where = "with -l"};
        text_init(&text, message, sizeof(message));
        if (listeners_open(&plan, &opened, &text) < 0)
            fail_msg("row %zu: %s", i, message);
        if (takes_v4(opened.fds[0]) != rows[i].expected || opened.takes_v4[0] != rows[i].expected)
            fail_msg("row %zu", i);
        expect_kept(&wanted[0], &opened);
        listeners_close(&opened);
    }
}

static void test_a_socket_that_takes_ipv4_is_in_the_way(void **state)
{
    const struct listeners nothing = {.count = 0};
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct listeners first;
    struct listeners opened;
    char message[512];
    struct text text;

    open_named("[::]:0", &first, name);
    struct ip_endpoint wanted[] = {first.written[0], endpoint("127.0.0.1:1")};
    wanted[1].port = first.endpoints[0].port;
    const struct listeners_plan plan = {.endpoints = wanted,
                                        .count = 2,
                                        .before = &first,
                                        .others = &nothing,
                                        .where = "in `listen`"};
    text_init(&text, message, sizeof(message));
    assert_int_equal(listeners_open(&plan, &opened, &text), -EADDRINUSE);
    assert_non_null(strstr(message, "takes IPv4 on [::]:"));
    assert_non_null(strstr(message, "restart adit"));
    listeners_close(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_the_same_is_kept),
        cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_its_own_are_in_the_way),
        cmocka_unit_test(test_a_configuration_contradicts_itself),
        cmocka_unit_test(test_a_wildcard_takes_ipv4_where_it_may),
        cmocka_unit_test(test_a_socket_that_takes_ipv4_is_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
