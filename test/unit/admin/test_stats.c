/* The figures: what is printed as JSON reads back as the same names and values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/json.h"
#include "admin/reload_report.h"
#include "admin/stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void test_every_counter_is_shown(void **state)
{
    static char json[STATS_SIZE];
    static char plain[STATS_SIZE];
    const struct reload_report reload = {.is_good = true, .wall_ms = 1795417200123};
    struct stats stats = {.workers = 2,
                          .state = "serving",
                          .uptime_s = 7,
                          .reload = &reload,
                          .front_count = 1,
                          .front_names = {"h1"}};
    struct text out;

    for (size_t i = 0; i < COUNTER_COUNT; i++)
        stats.counters[i] = 1000 + i;
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        if (counter_row((enum counter)i)->is_by_front)
            stats.fronts[0][counter_row((enum counter)i)->front_counter] = 1000 + i;
    text_init(&out, json, sizeof(json));
    stats_print_json(&out, &stats);
    assert_false(out.is_truncated);
    assert_int_equal(strncmp(json, "{\"ok\":true,", 11), 0);
    assert_int_equal(json[out.length - 1], '\n');
    struct text lines;
    text_init(&lines, plain, sizeof(plain));
    assert_int_equal(stats_print_plain(&lines, json, out.length), 0);
    assert_non_null(strstr(plain, "version " ADIT_VERSION "\n"));
    assert_non_null(strstr(plain, "state serving\n"));
    assert_non_null(strstr(plain, "workers 2\n"));
    assert_null(strstr(plain, "ok "));
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);
        char line[128];

        if (row->labels == NULL)
            snprintf(line, sizeof(line), "\n%s %zu\n", row->name, 1000 + i);
        else
            snprintf(line, sizeof(line), "\n%s{%s%s} %zu\n", row->name,
                     row->is_by_front ? "front=\"h1\"," : "", row->labels, 1000 + i);
        assert_non_null(strstr(plain, line));
        snprintf(line, sizeof(line), " %zu\n", 1000 + i);
        const char *only = strstr(plain, line);
        assert_null(strstr(only + 1, line));
    }
}

static void test_the_largest_figures_fit(void **state)
{
    static char json[STATS_SIZE];
    struct reload_report reload;
    struct stats stats;
    struct text out;

    memset(&stats, 0xff, sizeof(stats));
    stats.state = "draining";
    stats.reload = &reload;
    stats.front_count = COUNTERS_FRONTS_MAX;
    for (size_t i = 0; i < COUNTERS_FRONTS_MAX; i++)
        stats.front_names[i] = "a-front-end";
    reload_report_init(&reload, 253402300799999);
    memset(reload.error, 1, sizeof(reload.error) - 1);
    reload.error[sizeof(reload.error) - 1] = '\0';
    reload.is_good = false;
    text_init(&out, json, sizeof(json));
    stats_print_json(&out, &stats);
    assert_false(out.is_truncated);
}

static void test_a_reload_that_failed(void **state)
{
    static char json[STATS_SIZE];
    static char plain[STATS_SIZE];
    struct reload_report reload;
    struct stats stats = {.state = "serving", .reload = &reload};
    struct text out;

    reload_report_init(&reload, 1795417200123);
    reload_report_note(&reload, 1795417260000, false, "/a.conf", "/a.conf:3:1: error: \"no\"\n");
    text_init(&out, json, sizeof(json));
    stats_print_json(&out, &stats);
    struct text lines;
    text_init(&lines, plain, sizeof(plain));
    assert_int_equal(stats_print_plain(&lines, json, out.length), 0);
    assert_non_null(strstr(plain, "\nreload failed\nreload_time 2026-11-23T07:01:00.000Z\n"
                                  "reload_error /a.conf:3:1: error: \"no\"\n"
                                  "config_time 2026-11-23T07:00:00.123Z\n"));
}

static void test_other_answers_are_refused(void **state)
{
    static const char *const rows[] = {"",           "x",           "{",        "[1]",
                                       "{\"a\"}",    "{\"a\":}",    "{\"a\":1", "{\"a\":1,",
                                       "{\"a\":1,}", "{\"a\":\"1}", "{\"a\\",   "{\"a\":1;\"b\":2"};
    char plain[256];
    struct text out;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        text_init(&out, plain, sizeof(plain));
        assert_int_equal(stats_print_plain(&out, rows[i], strlen(rows[i])), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_counter_is_shown),
        cmocka_unit_test(test_the_largest_figures_fit),
        cmocka_unit_test(test_a_reload_that_failed),
        cmocka_unit_test(test_other_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
