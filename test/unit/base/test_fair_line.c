/* base/fair_line: shares, lines, the round, leaving at every stage. */
#include "base/fair_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 64 };

static const struct hash_seed seed = {{1, 2}};
static struct fair_line line;
static struct fair_place places[PLACES];

static void start(unsigned total, unsigned per_client, unsigned waiting_per_client)
{
    struct fair_limits limits = {
        .total = total, .per_client = per_client, .waiting_per_client = waiting_per_client};

    memset(places, 0, sizeof(places));
    fair_line_init(&line, &limits, &seed);
}

static int stop(void **state)
{
    for (unsigned i = 0; i < PLACES; i++)
        fair_line_leave(&line, &places[i]);
    fair_line_finish(&line);
    return 0;
}

static int enter(unsigned place, uint8_t client)
{
    struct client_key key = {.family = IP_V4, .bytes = {10, 0, 0, client}};

    return fair_line_enter(&line, &places[place], &key);
}

/* Which one; -1: nobody. */
static int next(void)
{
    struct fair_place *place = fair_line_next(&line);

    return place != NULL ? (int)(place - places) : -1;
}

static void a_client_has_its_limit_and_its_line(void **state)
{
    start(100, 2, 2);
    assert_int_equal(enter(0, 1), 0);
    assert_int_equal(enter(1, 1), 0);
    assert_int_equal(enter(2, 1), -EINPROGRESS);
    assert_int_equal(enter(3, 1), -EINPROGRESS);
    assert_int_equal(enter(4, 1), -EAGAIN);
    assert_true(fair_place_is_out(&places[4]));
    assert_int_equal(enter(5, 2), 0);
    assert_int_equal(next(), -1);
    fair_line_leave(&line, &places[1]);
    assert_int_equal(next(), 2);
    assert_int_equal(next(), -1);
}

/* As many as are still free. */
static void shares_shrink_while_clients_become_more(void **state)
{
    unsigned at_work[5] = {0};
    unsigned place = 0;

    start(12, 12, 100);
    for (uint8_t client = 1; client <= 4; client++)
        for (unsigned i = 0; i < 12; i++)
            at_work[client] += enter(place++, client) == 0;
    assert_int_equal(at_work[1], 6);
    assert_int_equal(at_work[2], 3);
    assert_int_equal(at_work[3], 2);
    assert_int_equal(at_work[4], 1); /* and all is taken */
}

static void nobody_alone_takes_all(void **state)
{
    start(12, 12, 100);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(enter(i, 1), i < 6 ? 0 : -EINPROGRESS);
    assert_int_equal(enter(50, 2), 0);
}

static void freed_room_goes_round_the_clients(void **state)
{
    start(4, 4, 100);
    for (uint8_t client = 1; client <= 4; client++)
        enter(client, client);
    for (uint8_t i = 0; i < 20; i++)
        assert_int_equal(enter(10u + i, 10 + i % 4), -EINPROGRESS);
    for (unsigned i = 1; i <= 4; i++) {
        fair_line_leave(&line, &places[i]);
        assert_int_equal(next(), 9 + i);
        assert_int_equal(next(), -1);
    }
}

/* Who has its share waits until it grows; others pass. */
static void who_has_its_share_is_passed_over(void **state)
{
    start(4, 4, 100);
    assert_int_equal(enter(0, 1), 0);
    assert_int_equal(enter(1, 1), 0);
    assert_int_equal(enter(2, 1), -EINPROGRESS);
    assert_int_equal(enter(3, 2), 0);
    assert_int_equal(enter(4, 3), 0);
    assert_int_equal(enter(5, 4), -EINPROGRESS);
    fair_line_leave(&line, &places[4]);
    assert_int_equal(next(), 5); /* behind place 2 in the round */
    assert_int_equal(next(), -1);
    fair_line_leave(&line, &places[5]);
    fair_line_leave(&line, &places[3]);
    assert_int_equal(next(), -1);
    fair_line_leave(&line, &places[0]);
    assert_int_equal(next(), 2);
}

static void whoever_waits_may_leave(void **state)
{
    start(100, 1, 100);
    assert_int_equal(enter(0, 1), 0);
    assert_int_equal(enter(1, 1), -EINPROGRESS);
    assert_int_equal(enter(2, 1), -EINPROGRESS);
    fair_line_leave(&line, &places[1]);
    fair_line_leave(&line, &places[1]);
    fair_line_leave(&line, &places[0]);
    assert_int_equal(next(), 2);
}

static void a_place_at_work_moves(void **state)
{
    struct fair_place other;

    start(1, 1, 100);
    assert_int_equal(enter(0, 1), 0);
    fair_place_move(&other, &places[0]);
    assert_true(fair_place_is_out(&places[0]));
    assert_int_equal(enter(1, 2), -EINPROGRESS);
    fair_line_leave(&line, &places[0]);
    assert_int_equal(next(), -1);
    fair_line_leave(&line, &other);
    assert_int_equal(next(), 1);
}

/* Whatever comes and goes: bounds hold, and whoever waits alone while room is free comes in. */
static void random_crowds(void **state)
{
    unsigned random = 7;

    start(8, 5, 6);
    for (unsigned step = 0; step < 20000; step++) {
        random = random * 1103515245 + 12345;
        unsigned place = random >> 16 & (PLACES - 1);

        if (fair_place_is_out(&places[place]))
            (void)enter(place, (uint8_t)(random >> 24 & 7));
        else
            fair_line_leave(&line, &places[place]);
        while (next() >= 0)
            continue;
        unsigned at_work = 0;
        unsigned waiting = 0;
        for (unsigned i = 0; i < PLACES; i++) {
            at_work += !fair_place_is_out(&places[i]) && !places[i].is_waiting;
            waiting += places[i].is_waiting;
        }
        assert_int_equal(at_work, line.at_work);
        assert_true(at_work <= 8);
        assert_true(at_work > 0 || waiting == 0);
    }
}

#define LINE_TEST(test) cmocka_unit_test_teardown(test, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_client_has_its_limit_and_its_line),
        LINE_TEST(shares_shrink_while_clients_become_more),
        LINE_TEST(nobody_alone_takes_all),
        LINE_TEST(freed_room_goes_round_the_clients),
        LINE_TEST(who_has_its_share_is_passed_over),
        LINE_TEST(whoever_waits_may_leave),
        LINE_TEST(a_place_at_work_moves),
        LINE_TEST(random_crowds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
