/* tunnel/relief: which client holds most, and which of its tunnels goes first. */
#include "tunnel/relief.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct relief_holder holder(const char *client, uint64_t active_ms, uint64_t bytes)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(client, strlen(client), &address), 0);
    return (struct relief_holder){
        .client = client_key_of(&address), .active_ms = active_ms, .bytes = bytes};
}

static void test_bytes_count_not_tunnels(void **state)
{
    struct relief_holder holders[] = {
        holder("10.0.0.1", 5, 10), holder("10.0.0.2", 9, 1000), holder("10.0.0.1", 4, 10),
        holder("10.0.0.1", 3, 10), holder("10.0.0.3", 1, 999),
    };
    uint64_t bytes;
    size_t count;

    (void)state;
    struct relief_holder *most = relief_most(holders, 5, &count, &bytes);
    assert_int_equal(count, 1);
    assert_int_equal(bytes, 1000);
    assert_int_equal(most->active_ms, 9);
}

static void test_the_stillest_is_first(void **state)
{
    struct relief_holder holders[] = {
        holder("2001:db8::1", 30, 100),    holder("10.0.0.1", 1, 250),
        holder("2001:db8::ffff", 10, 1),   holder("2001:db8::2", 20, 200),
        holder("2001:db8:0:1::1", 5, 100),
    };
    uint64_t bytes;
    size_t count;

    (void)state;
    const struct relief_holder *most = relief_most(holders, 5, &count, &bytes);
    assert_int_equal(count, 3); /* a /64 is one client */
    assert_int_equal(bytes, 301);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(most[i].active_ms, 10 * (i + 1));
}

static void test_nobody(void **state)
{
    uint64_t bytes;
    size_t count;

    (void)state;
    (void)relief_most(NULL, 0, &count, &bytes);
    assert_int_equal(count, 0);
    assert_int_equal(bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_count_not_tunnels),
        cmocka_unit_test(test_the_stillest_is_first),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
