/* What authentication remembers, for how long, and how much of it. */
#include "access/auth_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct auth_memory memory;

static int set_up(void **state)
{
    static const struct hash_seed seed = {{1, 2}};

    (void)state;
    auth_memory_init(&memory, &seed);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    auth_memory_finish(&memory);
    return memory.count == 0 ? 0 : -1;
}

static const uint8_t *digest(unsigned number)
{
    static uint8_t bytes[AUTH_DIGEST_SIZE];

    memset(bytes, 7, sizeof(bytes));
    memcpy(bytes, &number, sizeof(number));
    return bytes;
}

static struct ip_address v4(uint8_t last)
{
    const uint8_t bytes[4] = {10, 0, 0, last};

    return ip_address_from_v4(bytes);
}

static struct ip_address v6(uint8_t network, uint8_t last)
{
    const uint8_t bytes[16] = {0x20, 0x01, 0, 0, 0, 0, 0, network, last, [15] = last};

    return ip_address_from_v6(bytes);
}

static void a_success_lives_a_minute_from_its_last_use(void **state)
{
    (void)state;
    auth_success_add(&memory, digest(1), 1000);
    auth_success_add(&memory, digest(2), 2000);
    assert_true(auth_success_use(&memory, digest(1), 60999));
    assert_false(auth_success_use(&memory, digest(3), 60999));
    assert_false(auth_success_use(&memory, digest(2), 62000)); /* nobody used it */
    assert_true(auth_success_use(&memory, digest(1), 120998));
    auth_success_add(&memory, digest(1), 121000); /* the same as a use */
    assert_true(auth_success_use(&memory, digest(1), 180999));
    assert_false(auth_success_use(&memory, digest(1), 240999));
}

static void fail_from(struct ip_address client, unsigned times, uint64_t now_ms)
{
    static unsigned number;

    while (times-- > 0)
        auth_failure_add(&memory, &client, digest(number++), now_ms, now_ms);
}

static bool is_throttled(struct ip_address client, uint64_t now_ms)
{
    return auth_failures_are_many(&memory, &client, now_ms);
}

static void ten_failures_in_a_minute_are_many(void **state)
{
    (void)state;
    assert_false(is_throttled(v4(1), 1000));
    fail_from(v4(1), 9, 1000);
    assert_false(is_throttled(v4(1), 2000));
    fail_from(v4(1), 1, 60999);
    assert_true(is_throttled(v4(1), 60999));
    assert_false(is_throttled(v4(2), 60999));
    assert_false(is_throttled(v4(1), 61000)); /* a new minute */
    fail_from(v4(1), 9, 61000);
    assert_false(is_throttled(v4(1), 61000));
}

static void the_same_guess_is_one(void **state)
{
    struct ip_address client = v4(1);
    struct ip_address other = v4(2);

    (void)state;
    for (unsigned i = 0; i < 30; i++)
        auth_failure_add(&memory, &client, digest(1000 + i % 9), 1000 + i, 0);
    assert_false(is_throttled(v4(1), 2000));
    assert_true(auth_failure_is_known(&memory, &client, digest(1008), 60999));
    assert_false(auth_failure_is_known(&memory, &client, digest(1009), 60999));
    assert_false(auth_failure_is_known(&memory, &other, digest(1008), 60999));
    auth_failure_add(&memory, &client, digest(1009), 60999, 0);
    assert_true(is_throttled(v4(1), 60999));
    assert_false(auth_failure_is_known(&memory, &client, digest(1008), 61000)); /* not renewed */
    assert_false(is_throttled(v4(1), 61000));
}

/* The hash is done, and its answer held back. */
static void a_failure_is_told_later(void **state)
{
    struct ip_address client = v4(1);

    (void)state;
    assert_true(auth_failures_are_told(&memory, &client, 1000));
    auth_failure_add(&memory, &client, digest(1), 1000, 1500);
    auth_failure_add(&memory, &client, digest(2), 1000, 1200);
    assert_false(auth_failures_are_told(&memory, &client, 1499));
    assert_true(auth_failures_are_told(&memory, &client, 1500));
    auth_failure_add(&memory, &client, digest(1), 1600, 1700); /* again */
    assert_false(auth_failures_are_told(&memory, &client, 1600));
}

static void a_v6_network_is_one_client(void **state)
{
    (void)state;
    for (uint8_t last = 0; last < 10; last++)
        fail_from(v6(1, last), 1, 1000);
    assert_true(is_throttled(v6(1, 99), 1000));
    assert_false(is_throttled(v6(2, 0), 1000));
}

/* 32.1.0.0 and 2001:: begin with the same bytes. */
static void families_are_apart(void **state)
{
    const uint8_t bytes[4] = {0x20, 0x01, 0, 0};

    (void)state;
    fail_from(v6(0, 0), 10, 1000);
    assert_true(is_throttled(v6(0, 0), 1000));
    assert_false(is_throttled(ip_address_from_v4(bytes), 1000));
}

static void the_oldest_make_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20000; i++)
        auth_success_add(&memory, digest(i), i);
    assert_int_equal(memory.count, 8192);
    assert_false(auth_success_use(&memory, digest(20000 - 8193), 20000));
    assert_true(auth_success_use(&memory, digest(20000 - 8192), 20000));
    assert_true(auth_success_use(&memory, digest(19999), 20000));
}

#define MEMORY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(a_success_lives_a_minute_from_its_last_use),
        MEMORY_TEST(the_same_guess_is_one),
        MEMORY_TEST(a_failure_is_told_later),
        MEMORY_TEST(ten_failures_in_a_minute_are_many),
        MEMORY_TEST(a_v6_network_is_one_client),
        MEMORY_TEST(families_are_apart),
        MEMORY_TEST(the_oldest_make_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
