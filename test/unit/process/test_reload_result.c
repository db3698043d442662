/* What the supervisor says of a reload is read as it was written. */
#include "process/reload_result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void reads_what_was_written(void **state)
{
    static const struct reload_result rows[] = {
        {true, 0, "", ""},
        {false, 3, "", "a.conf:1:1: error: x\n    y\n"},
        {true, 12, "uid 0, pid 77", "warning: w\n"},
        {false, 0, "uid 4294967295, pid 4194304", "+9 x\n"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reload_result result;
        char buffer[256];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        reload_result_print(&text, &rows[i]);
        reload_result_parse(buffer, &result);
        assert_int_equal(result.is_good, rows[i].is_good);
        assert_int_equal(result.asks, rows[i].asks);
        assert_string_equal(result.signaller, rows[i].signaller);
        assert_string_equal(result.message, rows[i].message);
    }
}

static void survives_what_is_cut(void **state)
{
    static const char *const rows[] = {"", "+", "-1", "+2 uid", "x", "\n"};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reload_result result;

        reload_result_parse(rows[i], &result);
        assert_string_equal(result.message, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(survives_what_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
