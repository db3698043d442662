/* Bandwidth in a simulated time: the rate is kept and reached, for one and shared by many, fairly;
 * bytes that are not needed are not lost. */
#include "access/limits_bandwidth.h"

#include "base/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct throttle throttle;
static struct bandwidth_bucket shared[BANDWIDTH_WAYS];

static int set_up(void **state)
{
    (void)state;
    throttle_init(&throttle);
    memset(shared, 0, sizeof(shared));
    return 0;
}

/* What a greedy half moves within the time, waking at every `step_ms`. */
static uint64_t move(struct throttle *of, unsigned way, uint64_t from_ms, uint64_t to_ms,
                     uint64_t step_ms)
{
    uint64_t moved = 0;

    for (uint64_t now_ms = from_ms; now_ms < to_ms; now_ms += step_ms) {
        while (throttle_admits(of, way, now_ms)) {
            size_t granted = throttle_granted(of, way);

            moved += granted;
            throttle_spend(of, way, granted);
        }
    }
    return moved;
}

static void the_rate_is_kept_and_reached(void **state)
{
    static const uint64_t rates[] = {1024, 10000, 1 << 20, 100 << 20, (uint64_t)1 << 40};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rates); i++) {
        set_up(state);
        throttle_add(&throttle, NULL, rates[i]);
        uint64_t moved = move(&throttle, 0, 1000, 11000, 1);
        uint64_t slack = rates[i] / 4 + 1024;

        assert_in_range(moved, rates[i] * 10 - slack, rates[i] * 10 + slack);
    }
}

/* A loop that looks late catches up. */
static void a_late_look_costs_nothing(void **state)
{
    (void)state;
    throttle_add(&throttle, NULL, 1000000);
    assert_in_range(move(&throttle, 0, 1000, 11000, 70), 9700000, 10250000);
}

static void a_pause_saves_no_more_than_the_burst(void **state)
{
    (void)state;
    throttle_add(&throttle, NULL, 1000000);
    move(&throttle, 0, 1000, 1001, 1);
    throttle_give_back(&throttle, 0);
    assert_in_range(move(&throttle, 0, 100000, 100001, 1), 150000, 200000);
}

static void the_slowest_part_rules_and_ways_are_apart(void **state)
{
    (void)state;
    throttle_add(&throttle, NULL, 1000000);
    throttle_add(&throttle, shared, 100000);
    assert_in_range(move(&throttle, 0, 1000, 6000, 1), 480000, 520000);
    assert_in_range(move(&throttle, 1, 1000, 6000, 1), 480000, 520000);
}

/* Chats: 100 bytes each 20 ms out of pieces of 50,000 at a megabyte a second. */
static void what_is_not_needed_is_given_back(void **state)
{
    (void)state;
    throttle_add(&throttle, NULL, 1000000);
    for (uint64_t now_ms = 1000; now_ms < 5000; now_ms += 20) {
        assert_true(throttle_admits(&throttle, 0, now_ms));
        throttle_spend(&throttle, 0, 100);
        throttle_give_back(&throttle, 0);
        throttle_give_back(&throttle, 0);
    }
    assert_in_range(move(&throttle, 0, 5000, 5001, 1), 100000, 200000);
}

static void who_shares_gets_a_fair_part(void **state)
{
    static struct throttle many[20];
    uint64_t moved[20] = {0}, total = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++) {
        throttle_init(&many[i]);
        throttle_add(&many[i], shared, 1000000);
    }
    for (uint64_t now_ms = 1000; now_ms < 31000; now_ms++) {
        for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
            moved[i] += move(&many[i], 0, now_ms, now_ms + 1, 1);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++) {
        total += moved[i];
        assert_in_range(moved[i], 1200000, 1700000);
    }
    assert_in_range(total, 29000000, 31300000);
}

static void waiting_is_known(void **state)
{
    (void)state;
    throttle_add(&throttle, NULL, 1024);
    assert_false(throttle_is_waiting(&throttle, 0, 1000));
    move(&throttle, 0, 1000, 1001, 1);
    assert_true(throttle_is_waiting(&throttle, 0, 1000));
    uint64_t at_ms = throttle_wakes_ms(&throttle, 0);
    assert_in_range(at_ms, 1040, 1600);
    assert_true(throttle_is_waiting(&throttle, 0, at_ms - 1));
    assert_false(throttle_is_waiting(&throttle, 0, at_ms));
    assert_true(throttle_admits(&throttle, 0, at_ms));
    throttle_give_back(&throttle, 0);
    assert_false(throttle_is_waiting(&throttle, 0, 1000));
}

#define BANDWIDTH_TEST(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BANDWIDTH_TEST(the_rate_is_kept_and_reached),
        BANDWIDTH_TEST(a_late_look_costs_nothing),
        BANDWIDTH_TEST(a_pause_saves_no_more_than_the_burst),
        BANDWIDTH_TEST(the_slowest_part_rules_and_ways_are_apart),
        BANDWIDTH_TEST(what_is_not_needed_is_given_back),
        BANDWIDTH_TEST(who_shares_gets_a_fair_part),
        BANDWIDTH_TEST(waiting_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
