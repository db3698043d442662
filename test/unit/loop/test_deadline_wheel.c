/* The wheel against the plainest thing that could be right: a list that is searched. */
#include "loop/deadline_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEADLINES = 200 };

struct model {
    struct deadline_wheel wheel;
    struct deadline deadlines[DEADLINES];
    uint64_t expected[DEADLINES]; /* 0: not set */
    uint64_t now_ms;
    unsigned seed;
};

static void ignore(struct deadline *deadline)
{
    (void)deadline;
}

static unsigned next_random(struct model *model)
{
    return (unsigned)rand_r(&model->seed);
}

static void set_up_model(struct model *model, uint64_t now_ms, unsigned seed)
{
    memset(model, 0, sizeof(*model));
    model->now_ms = now_ms;
    model->seed = seed;
    deadline_wheel_init(&model->wheel, now_ms);
    for (unsigned i = 0; i < DEADLINES; i++)
        deadline_init(&model->deadlines[i], ignore);
}

static void set(struct model *model, unsigned index, uint64_t at_ms)
{
    struct deadline *deadline = &model->deadlines[index];

    if (deadline_is_set(deadline))
        deadline_wheel_remove(&model->wheel, deadline);
    deadline->at_ms = at_ms;
    deadline_wheel_add(&model->wheel, deadline);
    model->expected[index] = at_ms > model->now_ms ? at_ms : model->now_ms + 1;
}

static void cancel(struct model *model, unsigned index)
{
    if (deadline_is_set(&model->deadlines[index]))
        deadline_wheel_remove(&model->wheel, &model->deadlines[index]);
    model->expected[index] = 0;
}

/* Everything due must be handed out, in order, and nothing else. */
static void advance_to(struct model *model, uint64_t now_ms)
{
    struct list due;
    uint64_t last_ms = 0;

    list_init(&due);
    deadline_wheel_advance(&model->wheel, now_ms, &due);
    while (!list_is_empty(&due)) {
        struct deadline *deadline = container_of(due.next, struct deadline, link);
        size_t index = (size_t)(deadline - model->deadlines);

        list_remove(&deadline->link);
        assert_int_equal(deadline->at_ms, model->expected[index]);
        assert_true(deadline->at_ms <= now_ms);
        assert_true(deadline->at_ms >= last_ms);
        last_ms = deadline->at_ms;
        model->expected[index] = 0;
    }
    for (unsigned i = 0; i < DEADLINES; i++)
        assert_true(model->expected[i] == 0 || model->expected[i] > now_ms);
    model->now_ms = now_ms;
}

static void check_next(const struct model *model)
{
    uint64_t earliest = DEADLINE_NEVER;

    for (unsigned i = 0; i < DEADLINES; i++)
        if (model->expected[i] != 0 && model->expected[i] < earliest)
            earliest = model->expected[i];
    uint64_t next_ms = deadline_wheel_next(&model->wheel);
    assert_int_equal(next_ms == DEADLINE_NEVER, earliest == DEADLINE_NEVER);
    assert_true(next_ms > model->now_ms);
    assert_true(next_ms <= earliest);
}

static void random_use_agrees_with_a_plain_search(void **state)
{
    static const uint64_t spans[] = {1, 3, 64, 100, 4096, 100000, 3600000, 90000000};
    struct model model;

    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        set_up_model(&model, seed * 4093, seed);
        for (unsigned step = 0; step < 5000; step++) {
            unsigned index = next_random(&model) % DEADLINES;
            uint64_t span = spans[next_random(&model) % 8];

            switch (next_random(&model) % 4) {
            case 0:
            case 1:
                set(&model, index, model.now_ms + next_random(&model) % span);
                break;
            case 2:
                cancel(&model, index);
                break;
            default:
                advance_to(&model, model.now_ms + next_random(&model) % span);
            }
            check_next(&model);
        }
    }
}

static void waking_at_next_only_finds_all(void **state)
{
    struct model model;
    uint64_t next_ms;
    unsigned turns = 0;

    (void)state;
    set_up_model(&model, 63, 7);
    for (unsigned i = 0; i < DEADLINES; i++)
        set(&model, i, 64 + (uint64_t)i * i * 37);
    while ((next_ms = deadline_wheel_next(&model.wheel)) != DEADLINE_NEVER) {
        advance_to(&model, next_ms);
        turns++;
    }
    for (unsigned i = 0; i < DEADLINES; i++)
        assert_int_equal(model.expected[i], 0);
    /* A deadline is moved down at most once a level. */
    assert_true(turns <= DEADLINES * WHEEL_LEVELS);
}

static void a_deadline_in_the_past_passes_at_once(void **state)
{
    struct model model;

    (void)state;
    set_up_model(&model, 1000, 1);
    set(&model, 0, 10);
    advance_to(&model, 1001);
    assert_int_equal(model.expected[0], 0);
}

static void the_far_future_does_not_wrap(void **state)
{
    struct model model;

    (void)state;
    set_up_model(&model, 5, 1);
    model.deadlines[0].at_ms = UINT64_MAX;
    deadline_wheel_add(&model.wheel, &model.deadlines[0]);
    struct list due;
    list_init(&due);
    deadline_wheel_advance(&model.wheel, (uint64_t)1 << 35, &due);
    assert_true(list_is_empty(&due));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_agrees_with_a_plain_search),
        cmocka_unit_test(waking_at_next_only_finds_all),
        cmocka_unit_test(a_deadline_in_the_past_passes_at_once),
        cmocka_unit_test(the_far_future_does_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
