/* tunnel/tunnel: its states. (What it does is simulated: test/sim.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/death.h"
#include "tunnel/tunnel_state.h"

#include <string.h>

static void judge_again(void *self)
{
    struct tunnel tunnel = {.id = 40, .state = TUNNEL_RELAYING};
    struct state_concern concern;

    tunnel_concern_enter(&concern, &tunnel);
    tunnel_move_to(&tunnel, TUNNEL_JUDGING);
}

static void says_which_move_is_no_edge(void **state)
{
    char words[DEATH_WORDS_SIZE];

    death_of(judge_again, NULL, words);
    assert_non_null(strstr(words, "tunnel 18: relaying -> judging is no edge"));
    assert_non_null(strstr(words, "(in work: tunnel 18: relaying)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_which_move_is_no_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
