/* What is remembered of reloads: when, whether it was good, and the first error that it named. */
#include "admin/reload_report.h"

#include "base/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void the_first_error_is_found(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"/etc/a.conf:3:1: error: unknown statement 'alow'\n    alow to any\n    ^~~~\n"
         "/etc/a.conf:4:1: error: second\n/etc/a.conf: 2 errors, 0 warnings\n",
         "/etc/a.conf:3:1: error: unknown statement 'alow'"},
        {"warning: no rule allows anything\n/etc/a.conf:1:1: warning: nobody: error: no\n    x\n"
         "/etc/lists/b:9:2: error: a name\n",
         "/etc/lists/b:9:2: error: a name"},
        {"/etc/a.conf:1:1: warning: x\n    y\n    ^\nadit: can't listen on 0.0.0.0:80: in use\n",
         "/etc/a.conf: can't listen on 0.0.0.0:80: in use"},
        {"/etc/a.conf:1:1: warning: x\n    as \": error: \"\nadit: no\n", "/etc/a.conf: no"},
        {"adit: the worker can't take it\n", "/etc/a.conf: the worker can't take it"},
        {"no newline", "/etc/a.conf: no newline"},
        {"", "/etc/a.conf: "},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reload_report report;

        reload_report_init(&report, 1);
        assert_true(report.is_good);
        reload_report_note(&report, 2, false, "/etc/a.conf", rows[i].text);
        assert_false(report.is_good);
        assert_string_equal(report.error, rows[i].error);
        assert_int_equal(report.wall_ms, 2);
        assert_int_equal(report.good_wall_ms, 1);
        reload_report_note(&report, 3, true, "/etc/a.conf", "warning: a\n");
        assert_true(report.is_good);
        assert_string_equal(report.error, "");
        assert_int_equal(report.good_wall_ms, 3);
    }
}

static void what_is_too_long_is_cut(void **state)
{
    struct reload_report report;
    char text[2 * RELOAD_ERROR_SIZE];

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    reload_report_init(&report, 1);
    reload_report_note(&report, 2, false, NULL, text);
    assert_int_equal(strlen(report.error), RELOAD_ERROR_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_is_found),
        cmocka_unit_test(what_is_too_long_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
