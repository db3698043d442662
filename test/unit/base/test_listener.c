/* base/listener: what a set has, in which order, and who takes IPv4. */
#include "base/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct listener listener_at(enum listener_use use, const char *text)
{
    struct ip_endpoint written;

    assert_int_equal(ip_endpoint_parse(text, strlen(text), &written), 0);
    return listener_of(use, &written);
}

static void add(struct listener_set *set, enum listener_use use, const char *text, uint64_t id)
{
    struct listener listener = listener_at(use, text);

    listener.id = id;
    listener_set_add(set, &listener);
}

static void has_no_socket_at_first(void **state)
{
    const struct listener listener = listener_at(LISTENER_ADMIN, "[::1]:7");

    assert_int_equal(listener.use, LISTENER_ADMIN);
    assert_true(ip_endpoint_equals(&listener.bound, &listener.written));
    assert_int_equal(listener.written.port, 7);
    assert_int_equal(listener.fd, -1);
    assert_int_equal(listener.id, 0);
}

static void has_defaults(void **state)
{
    const struct listener tunnels = listener_default(LISTENER_TUNNELS);
    const struct listener admin = listener_default(LISTENER_ADMIN);

    assert_int_equal(tunnels.use, LISTENER_TUNNELS);
    assert_int_equal(tunnels.written.port, 10800);
    assert_int_equal(admin.use, LISTENER_ADMIN);
    assert_int_equal(admin.written.port, 10801);
    assert_true(ip_address_is_loopback(&admin.written.address));
}

static void is_sorted_by_use(void **state)
{
    static const uint16_t ports[] = {1, 3, 2};
    struct listener_set set = {.count = 0};

    add(&set, LISTENER_TUNNELS, "127.0.0.1:1", 1);
    add(&set, LISTENER_ADMIN, "127.0.0.1:2", 2);
    add(&set, LISTENER_TUNNELS, "127.0.0.1:3", 3);
    assert_int_equal(set.count, ARRAY_LENGTH(ports));
    for (size_t i = 0; i < set.count; i++)
        assert_int_equal(set.all[i].written.port, ports[i]);
    assert_int_equal(listener_set_count(&set, LISTENER_TUNNELS), 2);
    assert_ptr_equal(listener_set_first(&set, LISTENER_TUNNELS), &set.all[0]);
    assert_ptr_equal(listener_set_first(&set, LISTENER_ADMIN), &set.all[2]);

    listener_set_keep(&set, LISTENER_ADMIN);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.all[0].written.port, 2);
    assert_null(listener_set_first(&set, LISTENER_TUNNELS));
}

static void takes_as_many_as_there_may_be(void **state)
{
    struct listener_set set = {.count = 0};

    add(&set, LISTENER_ADMIN, "127.0.0.1:1", 1);
    for (size_t i = 0; i < LISTENERS_MAX; i++)
        add(&set, LISTENER_TUNNELS, "127.0.0.1:0", i + 2);
    assert_int_equal(set.count, LISTENER_SET_MAX);
    assert_ptr_equal(listener_set_first(&set, LISTENER_ADMIN), &set.all[LISTENERS_MAX]);
}

static void finds_by_name_and_by_socket(void **state)
{
    struct listener_set set = {.count = 0};

    add(&set, LISTENER_TUNNELS, "127.0.0.1:0", 0);
    add(&set, LISTENER_TUNNELS, "127.0.0.1:0", 5);
    add(&set, LISTENER_ADMIN, "127.0.0.1:2", 6);
    const struct ip_endpoint *page = &set.all[2].written;
    assert_ptr_equal(listener_set_find(&set, LISTENER_ADMIN, page), &set.all[2]);
    assert_null(listener_set_find(&set, LISTENER_TUNNELS, page));
    assert_ptr_equal(listener_set_find(&set, LISTENER_TUNNELS, &set.all[1].written), &set.all[0]);
    assert_ptr_equal(listener_set_find_socket(&set, 5), &set.all[1]);
    assert_null(listener_set_find_socket(&set, 7));
    assert_null(listener_set_find_socket(&set, 0)); /* several may have none */
}

static void knows_who_takes_ipv4(void **state)
{
    static const struct {
        const char *written;
        const char *other; /* NULL: none */
        enum listener_use use;
        bool takes;
    } rows[] = {
        {"[::]:1", NULL, LISTENER_TUNNELS, true},
        {"[::]:1", "127.0.0.1:1", LISTENER_TUNNELS, false},
        {"[::]:1", "127.0.0.1:1", LISTENER_ADMIN, false},
        {"[::]:1", "127.0.0.1:2", LISTENER_TUNNELS, true},
        {"[::]:1", "[::1]:1", LISTENER_TUNNELS, true},
        {"[::]:0", "0.0.0.0:0", LISTENER_TUNNELS, true},
        {"[::1]:1", NULL, LISTENER_TUNNELS, false},
        {"0.0.0.0:1", NULL, LISTENER_TUNNELS, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct listener_set set = {.count = 0};

        add(&set, LISTENER_TUNNELS, rows[i].written, 1);
        const struct ip_endpoint written = set.all[0].written;
        if (rows[i].other != NULL)
            add(&set, rows[i].use, rows[i].other, 2);
        if (listener_set_lets_take_v4(&set, &written) != rows[i].takes)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_no_socket_at_first),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(is_sorted_by_use),
        cmocka_unit_test(takes_as_many_as_there_may_be),
        cmocka_unit_test(finds_by_name_and_by_socket),
        cmocka_unit_test(knows_who_takes_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
