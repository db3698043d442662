/* The table of counters against the rules of Prometheus' text format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/counters.h"

#include <stdbool.h>
#include <string.h>

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz_";

static void test_rows_are_well_formed(void **state)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);
        assert_int_equal(strncmp(row->name, "adit_", 5), 0);
        assert_int_equal(strspn(row->name, name_bytes), strlen(row->name));
        assert_true(strlen(row->help) > 0);
        assert_int_equal(row->label == NULL, row->value == NULL);
        if (row->label != NULL)
            assert_int_equal(strspn(row->label, name_bytes), strlen(row->label));
    }
}

/* Rows of one name stand together, have one label and one help, and differ in the value. */
static void test_rows_of_one_name_are_one_family(void **state)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);
        bool is_apart = false;
        for (int j = i + 1; j < COUNTER_COUNT; j++) {
            const struct counter_row *other = counter_row((enum counter)j);
            if (strcmp(row->name, other->name) != 0) {
                is_apart = true;
                continue;
            }
            assert_false(is_apart);
            assert_non_null(row->label);
            assert_non_null(other->label);
            assert_string_equal(row->label, other->label);
            assert_string_equal(row->help, other->help);
            assert_string_not_equal(row->value, other->value);
        }
    }
}

static void test_gauges_of_threads_add_up(void **state)
{
    struct counters first = {0};
    struct counters second = {0};
    counter_add(&first, COUNTER_TUNNELS_OPEN, 5);
    counter_subtract(&second, COUNTER_TUNNELS_OPEN, 3);
    uint64_t sum = counter_read(&first, COUNTER_TUNNELS_OPEN);
    sum += counter_read(&second, COUNTER_TUNNELS_OPEN);
    assert_int_equal(sum, 2);
    assert_int_equal(counter_read(&first, COUNTER_BYTES_UP), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_well_formed),
        cmocka_unit_test(test_rows_of_one_name_are_one_family),
        cmocka_unit_test(test_gauges_of_threads_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
