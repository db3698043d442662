/* The exposition: every family once, with its head, sums that are right, labels that can't break.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/metrics.h"
#include "admin/reload_report.h"
#include "tunnel/tunnel_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct reload_report good = {.is_good = true};

static char *print(const struct stats *stats)
{
    size_t length;
    char *text = metrics_print(stats, &length);

    assert_non_null(text);
    assert_int_equal(strlen(text), length);
    assert_int_equal(text[length - 1], '\n');
    return text;
}

static void assert_line(const char *text, const char *line)
{
    char sought[256];

    snprintf(sought, sizeof(sought), "\n%s\n", line);
    if (strstr(text, sought) == NULL)
        fail_msg("no line %s in\n%s", line, text);
}

static size_t count(const char *text, const char *part)
{
    size_t times = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        times++;
    return times;
}

static void test_every_row_is_there(void **state)
{
    const struct reload_report bad = {.good_wall_ms = 1795417200123};
    struct stats stats = {
        .log_dropped = 3, .reload = &bad, .front_count = 1, .front_names = {"h1"}};
    char line[256];

    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);

        stats.counters[i] = 1000 + i;
        if (row->is_by_front)
            stats.fronts[0][row->front_counter] = 1000 + i;
    }
    char *text = print(&stats);
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);
        bool has_labels = row->labels != NULL;

        snprintf(line, sizeof(line), "%s%s%s%s%s %zu", row->name, has_labels ? "{" : "",
                 row->is_by_front ? "front=\"h1\"," : "", has_labels ? row->labels : "",
                 has_labels ? "}" : "", 1000 + i);
        assert_line(text, line);
        snprintf(line, sizeof(line), "# TYPE %s %s\n", row->name,
                 row->is_gauge ? "gauge" : "counter");
        assert_int_equal(count(text, line), 1);
        snprintf(line, sizeof(line), "# HELP %s ", row->name);
        assert_int_equal(count(text, line), 1);
    }
    assert_line(text, "adit_build_info{version=\"" ADIT_VERSION "\"} 1");
    assert_line(text, "adit_log_dropped_total 3");
    assert_line(text, "adit_config_reload_success 0");
    assert_line(text, "adit_config_reload_success_timestamp_seconds 1795417200.123");
    free(text);
}

static void test_each_front_end_has_its_own(void **state)
{
    struct counters counters = {0};
    struct stats stats = {.reload = &good, .front_count = 2, .front_names = {"one", "two"}};

    counters_add_of_front(&counters, 0, FRONT_COUNTER_TUNNELS_DENIED);
    counters_add_of_front(&counters, 1, FRONT_COUNTER_TUNNELS_DENIED);
    counters_add_of_front(&counters, 1, FRONT_COUNTER_TUNNELS_DENIED);
    stats_add(&stats, &counters);
    assert_int_equal(stats.counters[COUNTER_TUNNELS_DENIED], 3);
    char *text = print(&stats);
    assert_line(text, "adit_tunnels_total{front=\"one\",outcome=\"denied\"} 1");
    assert_line(text, "adit_tunnels_total{front=\"two\",outcome=\"denied\"} 2");
    assert_line(text, "adit_tunnels_total{front=\"two\",outcome=\"failed\"} 0");
    assert_int_equal(count(text, "# TYPE adit_tunnels_total counter"), 1);
    free(text);
}

static void test_histograms_are_cumulative(void **state)
{
    struct counters counters = {0};
    struct stats stats = {.reload = &good};

    counters_observe(&counters, HISTOGRAM_DIAL, 1);
    counters_observe(&counters, HISTOGRAM_DIAL, 30);
    counters_observe(&counters, HISTOGRAM_DIAL, 20000);
    counters_observe(&counters, HISTOGRAM_TUNNEL_DOWN, 65537);
    stats_add(&stats, &counters);
    char *text = print(&stats);
    assert_line(text, "# TYPE adit_dial_seconds histogram");
    assert_line(text, "adit_dial_seconds_bucket{le=\"0.001\"} 1");
    assert_line(text, "adit_dial_seconds_bucket{le=\"0.025\"} 1");
    assert_line(text, "adit_dial_seconds_bucket{le=\"0.05\"} 2");
    assert_line(text, "adit_dial_seconds_bucket{le=\"10.0\"} 2");
    assert_line(text, "adit_dial_seconds_bucket{le=\"+Inf\"} 3");
    assert_line(text, "adit_dial_seconds_sum 20.031");
    assert_line(text, "adit_dial_seconds_count 3");
    assert_line(text, "adit_tunnel_bytes_bucket{direction=\"up\",le=\"+Inf\"} 0");
    assert_line(text, "adit_tunnel_bytes_bucket{direction=\"down\",le=\"65536.0\"} 0");
    assert_line(text, "adit_tunnel_bytes_bucket{direction=\"down\",le=\"262144.0\"} 1");
    assert_line(text, "adit_tunnel_bytes_sum{direction=\"down\"} 65537");
    assert_line(text, "adit_tunnel_bytes_count{direction=\"down\"} 1");
    assert_int_equal(count(text, "# TYPE adit_tunnel_bytes histogram"), 1);
    free(text);
}

static void test_denials_by_rule(void **state)
{
    struct rule_names *names = rule_names_create();
    struct counters counters = {.rule_names = names};
    struct stats stats = {.rule_names = names, .reload = &good};

    assert_non_null(names);
    counters_add_denied(&counters, "a \"b\" \\c\nd");
    counters_add_denied(&counters, "caf\xe9\x1b.conf:1");
    counters_add_denied(&counters, "caf\u00e9.conf:1");
    counters_add_denied(&counters, "default");
    counters_add_denied(&counters, "default");
    stats_add(&stats, &counters);
    stats_add(&stats, &counters);
    char *text = print(&stats);
    assert_line(text, "adit_denied_total{rule=\"a \\\"b\\\" \\\\c\\nd\"} 2");
    assert_line(text, "adit_denied_total{rule=\"caf\\\\xe9\\\\u001b.conf:1\"} 2");
    assert_line(text, "adit_denied_total{rule=\"caf\u00e9.conf:1\"} 2");
    assert_line(text, "adit_denied_total{rule=\"default\"} 4");
    assert_null(strstr(text, "rule=\"other\""));
    free(text);
    rule_names_announce(names, "default"); /* has a count */
    rule_names_announce(names, "not yet");
    text = print(&stats);
    assert_line(text, "adit_denied_total{rule=\"not yet\"} 0");
    assert_int_equal(count(text, "rule=\"default\""), 1);
    free(text);
    stats.denied[RULE_NAMES_MAX] = 9;
    text = print(&stats);
    assert_line(text, "adit_denied_total{rule=\"other\"} 9");
    free(text);
    rule_names_destroy(names);
}

/* One series a token, however many failures share it. */
static void test_errors_by_token(void **state)
{
    struct counters counters = {0};
    struct stats stats = {.reload = &good};

    counters_add_error(&counters, TUNNEL_ERROR_NXDOMAIN);
    counters_add_error(&counters, TUNNEL_ERROR_DNS_FAILURE);
    counters_add_error(&counters, TUNNEL_ERROR_FULL);
    stats_add(&stats, &counters);
    char *text = print(&stats);
    assert_line(text, "adit_errors_total{error=\"dns_error\"} 2");
    assert_line(text, "adit_errors_total{error=\"connection_limit_reached\"} 1");
    assert_line(text, "adit_errors_total{error=\"dns_timeout\"} 0");
    assert_int_equal(count(text, "{error=\"dns_error\"}"), 1);
    assert_int_equal(count(text, "{error=\"\"}"), 0);
    free(text);
}

static void test_the_process_is_measured(void **state)
{
    struct process_meter meter;
    struct process_figures before, after;

    process_meter_open(&meter);
    process_meter_read(&meter, &before);
    int fd = dup(0);
    assert_true(fd >= 0);
    process_meter_read(&meter, &after);
    close(fd);
    process_meter_close(&meter);
    assert_int_equal(after.open_fds, before.open_fds + 1);
    assert_true(before.resident_bytes > 100000);
    assert_true(before.max_fds > before.open_fds);
    assert_true(before.started_wall_ms > 1700000000000);
    assert_true(after.cpu_ms >= before.cpu_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_there),
        cmocka_unit_test(test_each_front_end_has_its_own),
        cmocka_unit_test(test_histograms_are_cumulative),
        cmocka_unit_test(test_denials_by_rule),
        cmocka_unit_test(test_errors_by_token),
        cmocka_unit_test(test_the_process_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
