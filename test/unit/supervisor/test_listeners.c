/* Listening sockets, and what two sets of them share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/listener_close.h"
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

static const struct listener_set nothing;

static void add(struct listener_set *set, enum listener_use use, const struct ip_endpoint *written)
{
    const struct listener listener = listener_of(use, written);

    listener_set_add(set, &listener);
}

/* All of them or none: what a configuration does. */
static int open_set(const struct listener_set *wanted, const struct listener_set *before,
                    struct listener_set *ret_opened, struct text *message)
{
    const struct listeners_plan plan = {
        .wanted = wanted,
        .before = before,
        .where = {[LISTENER_TUNNELS] = "with -l", [LISTENER_ADMIN] = "in `admin`"}};
    struct listener_set opened = {.count = 0};

    for (size_t i = 0; i < wanted->count; i++) {
        int error = listeners_open(&plan, &wanted->all[i], &opened, message);

        if (error < 0) {
            listener_set_close(&opened, before);
            return error;
        }
    }
    *ret_opened = opened;
    return 0;
}

static int open_some(const struct ip_endpoint *endpoints, size_t count,
                     const struct listener_set *before, struct listener_set *ret_opened,
                     struct text *message)
{
    struct listener_set wanted = {.count = 0};

    for (size_t i = 0; i < count; i++)
        add(&wanted, LISTENER_TUNNELS, &endpoints[i]);
    return open_set(&wanted, before, ret_opened, message);
}

static void test_what_is_written_the_same_is_kept(void **state)
{
    const struct ip_endpoint before[] = {endpoint("127.0.0.1:0"), endpoint("127.0.0.2:0")};
    const struct ip_endpoint after[] = {endpoint("127.0.0.3:0"), endpoint("127.0.0.2:0"),
                                        endpoint("127.0.0.2:0")};
    char message[256];
    struct listener_set first;
    struct listener_set second;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(open_some(before, 2, &nothing, &first, &text), 0);
    assert_int_not_equal(first.all[0].bound.port, 0);
    assert_int_equal(first.all[0].written.port, 0);
    assert_int_equal(open_some(after, 3, &first, &second, &text), 0);
    assert_int_equal(second.count, 3);
    assert_int_equal(second.all[1].id, first.all[1].id);
    assert_int_equal(second.all[1].fd, first.all[1].fd);
    assert_int_equal(second.all[1].bound.port, first.all[1].bound.port);
    /* Two that are written the same are two sockets. */
    assert_int_not_equal(second.all[2].id, second.all[1].id);
    assert_int_not_equal(second.all[2].fd, second.all[1].fd);

    int gone = first.all[0].fd;
    int kept = first.all[1].fd;
    listener_set_close(&first, &second);
    assert_false(is_open(gone));
    assert_true(is_open(kept));
    listener_set_close(&second, NULL);
    assert_false(is_open(kept));
}

/* An address that was the page's is not for tunnels by that, nor the other way round. */
static void test_what_has_another_use_is_not_kept(void **state)
{
    const struct ip_endpoint one = endpoint("127.0.0.1:0");
    struct listener_set wanted = {.count = 0};
    char message[256];
    struct listener_set first;
    struct listener_set second;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(open_some(&one, 1, &nothing, &first, &text), 0);
    add(&wanted, LISTENER_ADMIN, &one);
    assert_int_equal(open_set(&wanted, &first, &second, &text), 0);
    assert_int_not_equal(second.all[0].id, first.all[0].id);
    assert_int_not_equal(second.all[0].fd, first.all[0].fd);
    listener_set_close(&first, &second);
    listener_set_close(&second, NULL);
}

static void test_all_or_none(void **state)
{
    const struct ip_endpoint one = endpoint("127.0.0.1:0");
    char message[256];
    struct listener_set first;
    struct listener_set second = {.count = 7};
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(open_some(&one, 1, &nothing, &first, &text), 0);
    struct ip_endpoint wanted[] = {one, endpoint("127.0.0.5:0"), first.all[0].bound};
    int next = open("/dev/null", O_RDONLY);
    assert_int_equal(open_some(wanted, 3, &nothing, &second, &text), -EADDRINUSE);
    assert_int_equal(second.count, 7);
    assert_non_null(strstr(message, "another program listens there; end it, or choose another port "
                                    "with -l\n"));
    assert_true(is_open(first.all[0].fd));
    assert_false(is_open(next + 1));
    listener_set_close(&first, NULL);
}

static void expect_own(const struct ip_endpoint *wanted, const struct listener_set *before,
                       const char *name)
{
    char message[512];
    char part[128];
    struct listener_set opened;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(open_some(wanted, 1, before, &opened, &text), -EADDRINUSE);
    snprintf(part, sizeof(part), "this adit itself listens on %s until the reload is done", name);
    if (strstr(message, part) == NULL)
        fail_msg("no %s in %s", part, message);
    assert_null(strstr(message, "another program"));
}

/* One at this address, and what it is called. */
static void open_named(const char *address, struct listener_set *ret_first,
                       char ret_name[IP_ENDPOINT_TEXT_SIZE])
{
    const struct ip_endpoint one = endpoint(address);
    char buffer[256];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    assert_int_equal(open_some(&one, 1, &nothing, ret_first, &text), 0);
    text_init(&text, ret_name, IP_ENDPOINT_TEXT_SIZE);
    ip_endpoint_print(&text, &ret_first->all[0].bound);
}

static void test_its_own_are_in_the_way(void **state)
{
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct listener_set first;

    open_named("127.0.0.1:0", &first, name);
    for (enum listener_use use = LISTENER_TUNNELS; use < LISTENER_USE_COUNT; use++) {
        struct ip_endpoint wanted = first.all[0].bound;

        first.all[0].use = use; /* whatever it had it for */
        expect_own(&wanted, &first, name);
        wanted.address = endpoint("0.0.0.0:1").address;
        expect_own(&wanted, &first, name);
        wanted.address = endpoint("[::]:1").address; /* that would take IPv4 */
        expect_own(&wanted, &first, name);
    }
    listener_set_close(&first, NULL);
}

static void expect_contradiction(const struct listener_set *wanted,
                                 const struct listener_set *before, const char *name,
                                 const char *where)
{
    char message[512];
    char part[128];
    struct listener_set opened;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(open_set(wanted, before, &opened, &text), -EADDRINUSE);
    snprintf(part, sizeof(part), "; it is to listen on %s as well; choose another port %s", name,
             where);
    if (strstr(message, part) == NULL)
        fail_msg("no %s in %s", part, message);
}

static void test_a_configuration_contradicts_itself(void **state)
{
    struct listener_set wanted = {.count = 0};
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct listener_set first;

    open_named("0.0.0.0:0", &first, name);
    struct ip_endpoint inside = first.all[0].bound;
    inside.address = endpoint("127.0.0.1:1").address;
    /* Tunnels in the page's way, whether adit keeps their socket or has just opened it. */
    add(&wanted, LISTENER_TUNNELS, &first.all[0].written);
    add(&wanted, LISTENER_ADMIN, &inside);
    expect_contradiction(&wanted, &first, name, "in `admin`");
    /* In the same list, further down. */
    wanted.count = 0;
    add(&wanted, LISTENER_TUNNELS, &inside);
    add(&wanted, LISTENER_TUNNELS, &first.all[0].bound);
    expect_contradiction(&wanted, &first, name, "with -l");
    listener_set_close(&first, NULL);
    /* Both are new. */
    wanted.count = 0;
    add(&wanted, LISTENER_TUNNELS, &first.all[0].bound);
    add(&wanted, LISTENER_ADMIN, &inside);
    expect_contradiction(&wanted, &nothing, name, "in `admin`");
}

static bool takes_v4(int fd)
{
    int is_v6_only = 1;
    socklen_t size = sizeof(is_v6_only);

    assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &is_v6_only, &size), 0);
    return !is_v6_only;
}

/* What a socket takes was decided when it was opened, whoever has it later: that is said. */
static void expect_kept(const struct ip_endpoint *wanted, const struct listener_set *opened)
{
    bool is_less = ip_address_is_unspecified(&wanted->address) && !opened->all[0].takes_v4;
    char message[512];
    struct listener_set kept;
    struct text text;

    text_init(&text, message, sizeof(message));
    assert_int_equal(open_some(wanted, 1, opened, &kept, &text), 0);
    assert_int_equal(kept.all[0].id, opened->all[0].id);
    assert_int_equal(kept.all[0].takes_v4, opened->all[0].takes_v4);
    assert_int_equal(strstr(message, "takes IPv6 only") != NULL, is_less);
}

static void test_a_wildcard_takes_ipv4_where_it_may(void **state)
{
    static const struct {
        const char *first, *second, *admin;
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
    char name[IP_ENDPOINT_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *const texts[] = {rows[i].first, rows[i].second, rows[i].admin};
        struct listener_set wanted = {.count = 0};
        struct listener_set opened;
        struct listener_set probe;
        char message[512];
        struct text text;

        open_named("[::]:0", &probe, name);
        listener_set_close(&probe, NULL);
        for (size_t j = 0; j < ARRAY_LENGTH(texts); j++) {
            struct ip_endpoint written = endpoint(texts[j] != NULL ? texts[j] : "0.0.0.0:0");

            if (written.port != 0)
                written.port = probe.all[0].bound.port;
            if (texts[j] != NULL)
                add(&wanted, j == 2 ? LISTENER_ADMIN : LISTENER_TUNNELS, &written);
        }
        text_init(&text, message, sizeof(message));
        if (open_set(&wanted, &nothing, &opened, &text) < 0)
            fail_msg("row %zu: %s", i, message);
        if (takes_v4(opened.all[0].fd) != rows[i].expected ||
            opened.all[0].takes_v4 != rows[i].expected)
            fail_msg("row %zu", i);
        expect_kept(&wanted.all[0].written, &opened);
        listener_set_close(&opened, NULL);
    }
}

static void test_a_socket_that_takes_ipv4_is_in_the_way(void **state)
{
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct listener_set first;
    struct listener_set opened;
    char message[512];
    struct text text;

    open_named("[::]:0", &first, name);
    struct ip_endpoint wanted[] = {first.all[0].written, endpoint("127.0.0.1:1")};
    wanted[1].port = first.all[0].bound.port;
    text_init(&text, message, sizeof(message));
    assert_int_equal(open_some(wanted, 2, &first, &opened, &text), -EADDRINUSE);
    assert_non_null(strstr(message, "takes IPv4 on [::]:"));
    assert_non_null(strstr(message, "restart adit"));
    listener_set_close(&first, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_the_same_is_kept),
        cmocka_unit_test(test_what_has_another_use_is_not_kept),
        cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_its_own_are_in_the_way),
        cmocka_unit_test(test_a_configuration_contradicts_itself),
        cmocka_unit_test(test_a_wildcard_takes_ipv4_where_it_may),
        cmocka_unit_test(test_a_socket_that_takes_ipv4_is_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
