/* base/state and base/contract: allowed moves, and the last words of one that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/contract.h"
#include "base/state.h"
#include "support/death.h"

#include <string.h>

enum lamp_state { LAMP_OFF, LAMP_ON, LAMP_BROKEN, LAMP_STATE_COUNT };

static const struct state_row rows[] = {
    [LAMP_OFF] = {"off", STATE_BIT(LAMP_ON) | STATE_BIT(LAMP_BROKEN)},
    [LAMP_ON] = {"on", STATE_BIT(LAMP_OFF) | STATE_BIT(LAMP_BROKEN)},
    [LAMP_BROKEN] = {"broken", 0},
};
static const struct state_table lamps = {"lamp", rows, LAMP_STATE_COUNT};

static void moves_along_edges(void **state)
{
    uint8_t now = LAMP_OFF;

    state_move(&lamps, &now, LAMP_ON, 0);
    assert_string_equal(state_name(&lamps, now), "on");
    state_move(&lamps, &now, LAMP_OFF, 7);
    state_move(&lamps, &now, LAMP_BROKEN, 7);
    assert_string_equal(state_name(&lamps, now), "broken");
}

static void knows_its_edges(void **state)
{
    assert_true(state_is_allowed(&lamps, LAMP_OFF, LAMP_ON));
    assert_false(state_is_allowed(&lamps, LAMP_OFF, LAMP_OFF));
    assert_false(state_is_allowed(&lamps, LAMP_BROKEN, LAMP_ON));
    assert_false(state_is_allowed(&lamps, LAMP_OFF, LAMP_STATE_COUNT));
    assert_false(state_is_allowed(&lamps, LAMP_STATE_COUNT, LAMP_OFF));
}

static void mend(void *self)
{
    uint8_t now = LAMP_BROKEN;

    state_move(&lamps, &now, LAMP_ON, *(const uint64_t *)self);
}

static void says_which_move_it_was(void **state)
{
    uint64_t id = 40;
    uint64_t no_id = 0;
    char words[DEATH_WORDS_SIZE];

    death_of(mend, &id, words);
    assert_non_null(strstr(words, "lamp 18: broken -> on is no edge"));
    death_of(mend, &no_id, words);
    assert_non_null(strstr(words, "lamp: broken -> on is no edge"));
}

static void work_wrongly(void *self)
{
    uint8_t first = LAMP_ON;
    uint8_t second = LAMP_OFF;
    uint8_t third = LAMP_ON;
    struct state_concern outer;
    struct state_concern inner;

    state_concern_enter(&outer, &lamps, &first, 1);
    state_concern_enter(&inner, &lamps, &third, 3);
    state_concern_leave(&inner);
    state_concern_enter(&inner, &lamps, &second, 0);
    state_move(&lamps, &second, LAMP_BROKEN, 0);
    REQUIRE(self != NULL);
}

static void leave_the_outer_first(void *self)
{
    uint8_t now = LAMP_ON;
    struct state_concern outer;
    struct state_concern inner;

    state_concern_enter(&outer, &lamps, &now, 1);
    state_concern_enter(&inner, &lamps, &now, 2);
    state_concern_leave(&outer);
}

static void says_what_was_worked_on(void **state)
{
    char words[DEATH_WORDS_SIZE];

    death_of(work_wrongly, NULL, words);
    assert_non_null(strstr(words, "test_state.c"));
    assert_non_null(strstr(words, "work_wrongly"));
    assert_non_null(strstr(words, "self != NULL (in work: lamp: broken, lamp 1: on)"));
    death_of(leave_the_outer_first, NULL, words);
    assert_non_null(strstr(words, "(in work: lamp 2: on, lamp 1: on)"));
}

enum { DEPTH = 40 };

static void work_deeply(void *self)
{
    uint8_t now = LAMP_ON;
    struct state_concern concerns[DEPTH];

    for (size_t i = 0; i < DEPTH; i++)
        state_concern_enter(&concerns[i], &lamps, &now, UINT64_MAX - i);
    ENSURE(self != NULL);
}

static void says_no_more_than_a_few(void **state)
{
    unsigned count = 0;
    char words[DEATH_WORDS_SIZE];

    death_of(work_deeply, NULL, words);
    for (const char *at = words; (at = strstr(at, ": on")) != NULL; at++)
        count++;
    assert_int_equal(count, 8);
    assert_non_null(strstr(words, ": on)"));
}

static void name_no_state(void *self)
{
    assert_null(state_name(&lamps, LAMP_STATE_COUNT));
}

static void names_no_state_that_is_none(void **state)
{
    char words[DEATH_WORDS_SIZE];

    death_of(name_no_state, NULL, words);
    assert_non_null(strstr(words, "state < table->count"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_along_edges),       cmocka_unit_test(knows_its_edges),
        cmocka_unit_test(says_which_move_it_was),  cmocka_unit_test(says_what_was_worked_on),
        cmocka_unit_test(says_no_more_than_a_few), cmocka_unit_test(names_no_state_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
