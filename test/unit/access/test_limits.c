/* Limits: how many, how often, for whom; what is remembered; many threads at once (for the thread
 * sanitizer). */
#include "access/limits.h"

#include "base/client_key.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PASSES = 64, THREADS = 4 };

static struct limits *limits;
static struct {
    struct limit_pass all[PASSES];
} passes;

static int set_up(void **state)
{
    (void)state;
    memset(&passes, 0, sizeof(passes));
    return limits_create(&limits);
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PASSES; i++)
        limits_leave(&passes.all[i], 0);
    limits_destroy(limits);
    return 0;
}

static struct ip_address client_of(uint8_t last)
{
    const uint8_t bytes[4] = {10, 0, 0, last};

    return ip_address_from_v4(bytes);
}

static enum limit enter(unsigned pass, const struct limit_values *values, uint8_t last,
                        const char *user, uint64_t now_ms)
{
    struct ip_address client = client_of(last);

    return limits_enter(limits, values, &client, user, now_ms, &passes.all[pass]);
}

static void no_limit_costs_nothing(void **state)
{
    const struct limit_values values = {0};

    (void)state;
    for (unsigned i = 0; i < PASSES; i++)
        assert_int_equal(enter(i, &values, 1, "alice", 1000), LIMIT_NONE);
    assert_int_equal(limits_holder_count(limits), 0);
    assert_null(passes.all[0].throttle);
}

static void tunnels_in_all(void **state)
{
    const struct limit_values values = {.tunnels_max = 2};

    (void)state;
    assert_int_equal(enter(0, &values, 1, NULL, 0), LIMIT_NONE);
    assert_int_equal(enter(1, &values, 2, "alice", 0), LIMIT_NONE);
    assert_int_equal(enter(2, &values, 3, NULL, 0), LIMIT_TUNNELS);
    limits_leave(&passes.all[2], 0); /* was never in */
    assert_int_equal(enter(2, &values, 3, NULL, 0), LIMIT_TUNNELS);
    limits_leave(&passes.all[0], 0);
    limits_leave(&passes.all[0], 0);
    assert_int_equal(enter(2, &values, 3, NULL, 0), LIMIT_NONE);
    assert_int_equal(enter(0, &values, 3, NULL, 0), LIMIT_TUNNELS);
}

static void tunnels_of_a_client_and_of_a_user(void **state)
{
    const struct limit_values values = {.client_tunnels_max = 2, .user_tunnels_max = 3};

    (void)state;
    assert_int_equal(enter(0, &values, 1, "alice", 0), LIMIT_NONE);
    assert_int_equal(enter(1, &values, 1, "bob", 0), LIMIT_NONE);
    assert_int_equal(enter(2, &values, 1, "carol", 0), LIMIT_TUNNELS_PER_CLIENT);
    assert_int_equal(enter(2, &values, 2, "alice", 0), LIMIT_NONE);
    assert_int_equal(enter(3, &values, 3, "alice", 0), LIMIT_NONE);
    assert_int_equal(enter(4, &values, 4, "alice", 0), LIMIT_TUNNELS_PER_USER);
    assert_int_equal(enter(4, &values, 4, "Alice", 0), LIMIT_NONE);
    assert_int_equal(enter(5, &values, 4, NULL, 0), LIMIT_NONE); /* no user, no limit of users */
    limits_leave(&passes.all[0], 0);
    assert_int_equal(enter(0, &values, 1, "alice", 0), LIMIT_NONE);
}

static enum limit enter_from(unsigned pass, const struct limit_values *values, const char *from)
{
    struct ip_address client;

    assert_int_equal(ip_address_parse(from, strlen(from), &client), 0);
    return limits_enter(limits, values, &client, NULL, 0, &passes.all[pass]);
}

static void some_addresses_are_one_client(void **state)
{
    const struct limit_values values = {.client_tunnels_max = 1};

    (void)state;
    assert_int_equal(enter_from(0, &values, "2001:db8::1"), LIMIT_NONE);
    assert_int_equal(enter_from(1, &values, "2001:db8::2:0:0:0"), LIMIT_TUNNELS_PER_CLIENT);
    assert_int_equal(enter_from(1, &values, "2001:db8:0:1::1"), LIMIT_NONE);
    assert_int_equal(enter_from(2, &values, "127.0.0.1"), LIMIT_NONE);
    assert_int_equal(enter_from(3, &values, "127.9.9.9"), LIMIT_TUNNELS_PER_CLIENT);
    assert_int_equal(enter_from(3, &values, "::1"), LIMIT_NONE);
}

/* A client and a user whose name has the same bytes. */
static void kinds_are_apart(void **state)
{
    const struct limit_values values = {.client_tunnels_max = 1, .user_tunnels_max = 1};
    const uint8_t bytes[16] = "aaaaaaaaaaaaaaaa";
    struct ip_address client = ip_address_from_v6(bytes);
    struct client_key key = client_key_of(&client);
    char user[sizeof(key) + 1] = {0};

    (void)state;
    memcpy(user, &key, sizeof(key));
    assert_int_equal(limits_enter(limits, &values, &client, "x", 0, &passes.all[0]), LIMIT_NONE);
    assert_int_equal(enter(1, &values, 1, user, 0), LIMIT_NONE);
}

/* A full second's worth at once, then one by one. */
static void rate_of_a_client(void **state)
{
    const struct limit_values values = {.client_rate_per_s = 4};

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(enter(i, &values, 1, NULL, 5000), LIMIT_NONE);
    assert_int_equal(enter(4, &values, 1, NULL, 5000), LIMIT_RATE_PER_CLIENT);
    assert_int_equal(enter(5, &values, 2, NULL, 5000), LIMIT_NONE);
    assert_int_equal(enter(4, &values, 1, NULL, 5249), LIMIT_RATE_PER_CLIENT);
    assert_int_equal(enter(4, &values, 1, NULL, 5250), LIMIT_NONE);
    assert_int_equal(enter(6, &values, 1, NULL, 5499), LIMIT_RATE_PER_CLIENT);
    assert_int_equal(enter(6, &values, 1, NULL, 4000), LIMIT_RATE_PER_CLIENT); /* a lagging clock */
    assert_int_equal(enter(6, &values, 1, NULL, 5499), LIMIT_RATE_PER_CLIENT); /* gained nothing */
    for (unsigned i = 6; i < 10; i++)
        assert_int_equal(enter(i, &values, 1, NULL, 9000), LIMIT_NONE);
    assert_int_equal(enter(10, &values, 1, NULL, 9000), LIMIT_RATE_PER_CLIENT);
}

/* Tunnels that end at once are new ones all the same, and a refusal costs no token. */
static void rate_outlives_tunnels(void **state)
{
    const struct limit_values values = {.user_rate_per_s = 2, .client_tunnels_max = 1};
    unsigned granted = 0;

    (void)state;
    for (uint64_t now_ms = 1000; now_ms < 11000; now_ms += 10) {
        if (enter(0, &values, 1, "alice", now_ms) == LIMIT_NONE) {
            granted++;
            assert_int_equal(enter(1, &values, 1, "bob", now_ms), LIMIT_TUNNELS_PER_CLIENT);
            limits_leave(&passes.all[0], now_ms);
        }
    }
    assert_int_equal(granted, 2 + 19);
    assert_int_equal(enter(0, &values, 1, "bob", 11000), LIMIT_NONE);
    assert_int_equal(enter(1, &values, 2, "bob", 11000), LIMIT_NONE);
}

static void holders_go_a_second_later(void **state)
{
    const struct limit_values values = {.client_tunnels_max = 1, .user_rate_per_s = 5};

    (void)state;
    assert_int_equal(enter(0, &values, 1, "alice", 1000), LIMIT_NONE);
    assert_int_equal(limits_holder_count(limits), 2);
    limits_leave(&passes.all[0], 5000);
    assert_int_equal(enter(0, &values, 2, NULL, 5999), LIMIT_NONE);
    assert_int_equal(limits_holder_count(limits), 3);
    limits_leave(&passes.all[0], 6000);
    assert_int_equal(limits_holder_count(limits), 1);
    assert_int_equal(enter(0, &values, 3, NULL, 7000), LIMIT_NONE);
    assert_int_equal(limits_holder_count(limits), 1);
}

static void holders_are_bounded(void **state)
{
    const struct limit_values values = {.client_tunnels_max = 1};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        const uint8_t bytes[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct ip_address client = ip_address_from_v4(bytes);

        assert_int_equal(limits_enter(limits, &values, &client, NULL, 1000, &passes.all[0]),
                         LIMIT_NONE);
        limits_leave(&passes.all[0], 1000);
    }
    assert_in_range(limits_holder_count(limits), 16000, 16400);
}

static void bandwidth_makes_a_throttle(void **state)
{
    const struct limit_values of_user = {.user_bytes_per_s = 1000};
    const struct limit_values all = {
        .tunnel_bytes_per_s = 3000, .user_bytes_per_s = 2000, .client_bytes_per_s = 1000000};

    (void)state;
    assert_int_equal(enter(0, &of_user, 1, NULL, 0), LIMIT_NONE);
    assert_null(passes.all[0].throttle);
    assert_int_equal(enter(1, &of_user, 1, "alice", 0), LIMIT_NONE);
    assert_int_equal(passes.all[1].throttle->part_count, 1);
    assert_int_equal(enter(2, &all, 1, "alice", 0), LIMIT_NONE);
    assert_int_equal(passes.all[2].throttle->part_count, 3);
    assert_ptr_equal(passes.all[2].throttle->parts[1].buckets,
                     passes.all[1].throttle->parts[0].buckets);
}

/* ---- many threads ---- */

static void *race(void *self)
{
    const struct limit_values values = {.tunnels_max = 100,
                                        .client_tunnels_max = 30,
                                        .user_tunnels_max = 50,
                                        .user_bytes_per_s = 1 << 20};
    struct limit_pass mine[16];
    unsigned *failures = self;

    for (unsigned round = 0; round < 500; round++) {
        memset(mine, 0, sizeof(mine));
        for (unsigned i = 0; i < 16; i++) {
            struct ip_address client = client_of((uint8_t)(i % 3 + round % 5));
            enum limit limit = limits_enter(limits, &values, &client, i % 2 ? "alice" : "bob",
                                            round * 100, &mine[i]);

            if (limit == LIMIT_NONE && throttle_admits(mine[i].throttle, i % 2, round * 100))
                throttle_spend(mine[i].throttle, i % 2, 100);
            *failures += limit == LIMIT_MEMORY;
        }
        for (unsigned i = 0; i < 16; i++) {
            if (mine[i].throttle != NULL)
                throttle_give_back(mine[i].throttle, i % 2);
            limits_leave(&mine[i], round * 100);
        }
    }
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    pthread_t ids[THREADS];
    unsigned failures[THREADS] = {0};

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, race, &failures[i]), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

#define LIMITS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITS_TEST(no_limit_costs_nothing),
        LIMITS_TEST(tunnels_in_all),
        LIMITS_TEST(tunnels_of_a_client_and_of_a_user),
        LIMITS_TEST(some_addresses_are_one_client),
        LIMITS_TEST(kinds_are_apart),
        LIMITS_TEST(rate_of_a_client),
        LIMITS_TEST(rate_outlives_tunnels),
        LIMITS_TEST(holders_go_a_second_later),
        LIMITS_TEST(holders_are_bounded),
        LIMITS_TEST(bandwidth_makes_a_throttle),
        LIMITS_TEST(threads_do_not_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
