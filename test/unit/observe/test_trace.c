/* The trace: a step is a line of JSON whatever it holds, wakes once, and what has no room is
 * counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/trace.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct trace trace;
    unsigned wakes;
};

static void wake(void *self)
{
    struct fixture *fixture = self;

    fixture->wakes++;
}

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(LINE_RING_ALIGNMENT, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    memset(fixture, 0, sizeof(*fixture));
    *state = fixture;
    return trace_init(&fixture->trace, wake, fixture);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    trace_finish(&fixture->trace);
    free(fixture);
    return 0;
}

static void step(struct fixture *fixture, const char *target, size_t length, const char *what)
{
    struct trace_step step = {.id = 40, .target = target, .target_length = length, .what = what};

    step.client.port = 7;
    assert_int_equal(ip_address_parse("10.0.0.1", strlen("10.0.0.1"), &step.client.address), 0);
    trace_write(&fixture->trace, &step);
}

static void is_off_until_wanted(void **state)
{
    struct fixture *fixture = *state;

    assert_false(trace_is_wanted(&fixture->trace));
    trace_want(&fixture->trace, true);
    assert_true(trace_is_wanted(&fixture->trace));
    trace_want(&fixture->trace, false);
    assert_false(trace_is_wanted(&fixture->trace));
}

static void a_step_is_a_line(void **state)
{
    static const char end[] =
        "\",\"id\":\"18\",\"client\":\"10.0.0.1:7\",\"target\":\"a\\u001b\\n\\\"b\","
        "\"what\":\"judging\"}\n";
    struct fixture *fixture = *state;
    char lines[2 * TRACE_LINE_MAX];

    step(fixture, "a\033\n\"b", 5, "judging");
    step(fixture, "b:1", 3, "closed");
    assert_int_equal(fixture->wakes, 1);
    size_t length = trace_take(&fixture->trace, lines, sizeof(lines) - 1);
    lines[length] = '\0';
    assert_memory_equal(lines, "{\"time\":\"", strlen("{\"time\":\""));
    assert_non_null(strstr(lines, end));
    step(fixture, "b:1", 3, "closed");
    assert_int_equal(fixture->wakes, 2);
}

static void the_longest_line_fits(void **state)
{
    struct fixture *fixture = *state;
    char target[4096];
    char what[4096];
    char lines[TRACE_LINE_MAX];

    memset(target, 1, sizeof(target));
    memset(what, 1, sizeof(what));
    what[sizeof(what) - 1] = '\0';
    step(fixture, target, sizeof(target), what);
    size_t length = trace_take(&fixture->trace, lines, sizeof(lines));
    assert_true(length > 512);
    assert_memory_equal(lines + length - 3, "\"}\n", 3);
}

static void what_has_no_room_is_counted(void **state)
{
    struct fixture *fixture = *state;
    char lines[4 * TRACE_LINE_MAX];
    size_t taken = 0;
    size_t length;

    for (int i = 0; i < 5000; i++)
        step(fixture, "a:1", 3, "judging");
    while ((length = trace_take(&fixture->trace, lines, sizeof(lines))) > 0)
        for (size_t at = 0; at < length; at++)
            taken += lines[at] == '\n';
    assert_true(taken > 500);
    assert_int_equal(taken + trace_dropped(&fixture->trace), 5000);
}

static void all_of_it_fits_into_a_buffer(void **state)
{
    struct fixture *fixture = *state;
    static char lines[TRACE_RING_BYTES];

    for (int i = 0; i < 5000; i++)
        step(fixture, "a:1", 3, "judging");
    assert_true(trace_take(&fixture->trace, lines, sizeof(lines)) > sizeof(lines) / 2);
    assert_int_equal(trace_take(&fixture->trace, lines, sizeof(lines)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_off_until_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_is_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longest_line_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_no_room_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_of_it_fits_into_a_buffer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
