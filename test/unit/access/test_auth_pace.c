/* How long wrong answers are held back. */
#include "access/auth_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void holds_a_quarter_longer_than_the_slowest(void **state)
{
    struct auth_pace pace = {0};

    (void)state;
    assert_int_equal(auth_pace_hold_ms(&pace), 0);
    auth_pace_note(&pace, 900);
    assert_int_equal(auth_pace_hold_ms(&pace), 0); /* was it the costliest? */
    auth_pace_measured(&pace, 56000, 1000);
    assert_int_equal(auth_pace_hold_ms(&pace), 70);
    auth_pace_note(&pace, 1000);
    assert_int_equal(auth_pace_hold_ms(&pace), 70);
    auth_pace_note(&pace, 80001);
    assert_int_equal(auth_pace_hold_ms(&pace), 101);
}

static void is_measured_once_a_minute(void **state)
{
    struct auth_pace pace = {0};

    (void)state;
    assert_true(auth_pace_is_stale(&pace, 0));
    auth_pace_measured(&pace, 56000, 1000);
    assert_false(auth_pace_is_stale(&pace, 60999));
    assert_true(auth_pace_is_stale(&pace, 61000));
}

static void a_hiccup_is_soon_forgotten(void **state)
{
    struct auth_pace pace = {0};

    (void)state;
    auth_pace_measured(&pace, 50000, 1000);
    auth_pace_note(&pace, 60 * 1000 * 1000);
    assert_int_equal(auth_pace_hold_ms(&pace), 5000); /* and never longer */
    for (unsigned minute = 1; minute <= 10; minute++)
        auth_pace_measured(&pace, 50000, 1000 + minute * 60000ULL);
    assert_in_range(auth_pace_hold_ms(&pace), 62, 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_a_quarter_longer_than_the_slowest),
        cmocka_unit_test(is_measured_once_a_minute),
        cmocka_unit_test(a_hiccup_is_soon_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
