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

enum { NOW_MS = 10000 };

static void test_bytes_count_not_tunnels(void **state)
{
    struct relief_holder holders[] = {
        holder("10.0.0.1", 5, 10), holder("10.0.0.2", 9, 1000), holder("10.0.0.1", 4, 10),
        holder("10.0.0.1", 3, 10), holder("10.0.0.3", 1, 999),
    };

    (void)state;
    const struct relief_choice choice = relief_choose(holders, 5, NOW_MS);
    assert_int_equal(choice.count, 1);
    assert_int_equal(choice.bytes, 1000);
    assert_int_equal(choice.all_bytes, 2029);
    assert_int_equal(choice.first->active_ms, 9);
}

static void test_the_longest_still_is_first(void **state)
{
    struct relief_holder holders[] = {
        holder("2001:db8::1", 30, 100),    holder("10.0.0.1", 1, 250),
        holder("2001:db8::ffff", 10, 1),   holder("2001:db8::2", 20, 200),
        holder("2001:db8:0:1::1", 5, 100),
    };

    (void)state;
    const struct relief_choice choice = relief_choose(holders, 5, NOW_MS);
    assert_int_equal(choice.count, 3); /* a /64 is one client */
    assert_int_equal(choice.bytes, 301);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(choice.first[i].active_ms, 10 * (i + 1));
}

/* A second makes it still. */
static void test_what_moves_does_not_count(void **state)
{
    struct relief_holder holders[] = {
        holder("10.0.0.1", 9001, 1000), holder("10.0.0.1", 9000, 7),
        holder("10.0.0.1", 9999, 1000), holder("10.0.0.2", 8000, 5),
        holder("10.0.0.3", 10000, 99),
    };

    (void)state;
    const struct relief_choice choice = relief_choose(holders, 5, NOW_MS);
    assert_int_equal(choice.count, 1);
    assert_int_equal(choice.bytes, 7);
    assert_int_equal(choice.all_bytes, 12);
    assert_int_equal(choice.first->active_ms, 9000);
}

static void test_nobody(void **state)
{
    struct relief_holder moving = holder("10.0.0.1", NOW_MS, 1000);

    (void)state;
    assert_int_equal(relief_choose(NULL, 0, NOW_MS).count, 0);
    assert_int_equal(relief_choose(&moving, 1, NOW_MS).count, 0);
    assert_int_equal(relief_choose(&moving, 1, NOW_MS).bytes, 0);
}

static void test_who_is_spared(void **state)
{
    (void)state;
    assert_int_equal(relief_spared(1600, 0, 1), 100);
    assert_int_equal(relief_spared(1600, 400, 1), 100);
    assert_int_equal(relief_spared(1600, 401, 1), 0); /* many hold little each, and all too much */
    assert_int_equal(relief_spared(1600, 100, 4), 25);
    assert_int_equal(relief_spared(1600, 101, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_count_not_tunnels),
        cmocka_unit_test(test_the_longest_still_is_first),
        cmocka_unit_test(test_what_moves_does_not_count),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_who_is_spared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
