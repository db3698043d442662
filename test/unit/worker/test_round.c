/* Rounds complete once, when the last answer is there, and not before all have been asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/contract.h"
#include "worker/order.h"
#include "worker/round.h"

struct fixture {
    struct round round;
    unsigned completed;
    unsigned answers;
    unsigned last_index;
    size_t tunnels;
    bool is_begun_anew; /* from within `completed` */
};

static void answered(struct round *round, unsigned index, struct order_answer *answer)
{
    struct fixture *fixture = container_of(round, struct fixture, round);

    fixture->answers++;
    fixture->last_index = index;
    fixture->tunnels += answer->tunnel_count;
}

static void completed(struct round *round)
{
    struct fixture *fixture = container_of(round, struct fixture, round);

    assert_false(round_is_under_way(round));
    fixture->completed++;
    if (fixture->is_begun_anew)
        round_begin(round);
}

static const struct round_handlers handlers = {.answered = answered, .completed = completed};

static void begin(struct fixture *fixture, unsigned count)
{
    *fixture = (struct fixture){.completed = 0};
    round_init(&fixture->round, &handlers);
    assert_false(round_is_under_way(&fixture->round));
    round_begin(&fixture->round);
    for (unsigned i = 0; i < count; i++)
        round_await(&fixture->round);
    assert_true(round_is_under_way(&fixture->round));
}

static void test_the_last_answer_completes(void **state)
{
    struct order_answer answer = {.tunnel_count = 3};
    struct fixture fixture;

    begin(&fixture, 3);
    round_asked_all(&fixture.round);
    round_answered(&fixture.round, 2, &answer);
    round_answered(&fixture.round, 0, &answer);
    assert_int_equal(fixture.completed, 0);
    round_answered(&fixture.round, 1, &answer);
    assert_int_equal(fixture.completed, 1);
    assert_int_equal(fixture.answers, 3);
    assert_int_equal(fixture.last_index, 1);
    assert_int_equal(fixture.tunnels, 9);
}

static void test_nobody_to_ask(void **state)
{
    struct fixture fixture;

    begin(&fixture, 0);
    assert_int_equal(fixture.completed, 0);
    round_asked_all(&fixture.round);
    assert_int_equal(fixture.completed, 1);
}

static void test_answers_while_others_are_still_asked(void **state)
{
    struct order_answer answer = {.tunnel_count = 1};
    struct fixture fixture;

    begin(&fixture, 1);
    round_answered(&fixture.round, 0, &answer);
    assert_int_equal(fixture.completed, 0);
    round_await(&fixture.round);
    round_asked_all(&fixture.round);
    assert_int_equal(fixture.completed, 0);
    round_answered(&fixture.round, 1, &answer);
    assert_int_equal(fixture.completed, 1);
}

static void test_who_ends_is_counted_out_and_says_nothing(void **state)
{
    struct order_answer answer = {.tunnel_count = 5};
    struct fixture fixture;

    begin(&fixture, 2);
    round_asked_all(&fixture.round);
    round_answered(&fixture.round, 0, NULL);
    assert_int_equal(fixture.answers, 0);
    round_answered(&fixture.round, 1, &answer);
    assert_int_equal(fixture.completed, 1);
    assert_int_equal(fixture.answers, 1);
    assert_int_equal(fixture.tunnels, 5);
}

static void test_begins_anew_from_within(void **state)
{
    struct fixture fixture;

    begin(&fixture, 1);
    fixture.is_begun_anew = true;
    round_asked_all(&fixture.round);
    round_answered(&fixture.round, 0, NULL);
    assert_int_equal(fixture.completed, 1);
    assert_true(round_is_under_way(&fixture.round));
    fixture.is_begun_anew = false;
    round_asked_all(&fixture.round);
    assert_int_equal(fixture.completed, 2);
    assert_false(round_is_under_way(&fixture.round));
}

static void test_answers_may_be_of_no_interest(void **state)
{
    static const struct round_handlers only_completed = {.completed = completed};
    struct order_answer answer = {.tunnel_count = 1};
    struct fixture fixture;

    begin(&fixture, 1);
    fixture.round.handlers = &only_completed;
    round_asked_all(&fixture.round);
    round_answered(&fixture.round, 0, &answer);
    assert_int_equal(fixture.completed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_answer_completes),
        cmocka_unit_test(test_nobody_to_ask),
        cmocka_unit_test(test_answers_while_others_are_still_asked),
        cmocka_unit_test(test_who_ends_is_counted_out_and_says_nothing),
        cmocka_unit_test(test_begins_anew_from_within),
        cmocka_unit_test(test_answers_may_be_of_no_interest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
