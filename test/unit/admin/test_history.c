/* The history: what is kept, in which order, and how it is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/history.h"
#include "observe/rule_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct listener_set nowhere;

static const struct stats now = {.state = "serving", .uptime_s = 7};

static void expect(const struct history *history, const char *part)
{
    size_t length;
    char *json = history_print(history, &now, &nowhere, &length);

    assert_non_null(json);
    assert_int_equal(strlen(json), length);
    if (strstr(json, part) == NULL)
        fail_msg("no %s in %.300s", part, json);
    free(json);
}

static size_t count(const struct history *history, const char *part)
{
    size_t length;
    size_t found = 0;
    char *json = history_print(history, &now, &nowhere, &length);

    assert_non_null(json);
    for (const char *at = strstr(json, part); at != NULL; at = strstr(at + 1, part))
        found++;
    free(json);
    return found;
}

static void test_empty(void **state)
{
    struct history *history;

    assert_int_equal(history_create(&history), 0);
    expect(history,
           "{\"version\":\"" ADIT_VERSION "\",\"state\":\"serving\",\"uptime_s\":7,"
           "\"listeners\":[],\"interval_s\":1,\"waits_ms\":[1,2,5,10,25,50,100,250,500,1000,"
           "2500,5000,10000],\"columns\":[\"time_ms\",\"tunnels_open\","
           "\"established\","
           "\"denied\",\"failed\",\"auth_failures\",\"bytes_up\",\"bytes_down\",\"asked\",\"dial\","
           "\"dns\"],"
           "\"samples\":[],\"denies\":[],\"denied_rules\":{}}");
    history_destroy(history);
}

/* Nobody was asked for a password, and nothing waited. */
#define NO_WAITS ",0,[0,0,0,0,0,0,0,0,0,0,0,0,0,0],[0,0,0,0,0,0,0,0,0,0,0,0,0,0]]"

static void test_samples(void **state)
{
    struct history *history;
    struct stats stats = now;

    assert_int_equal(history_create(&history), 0);
    stats.counters[COUNTER_TUNNELS_OPEN] = 1;
    stats.counters[COUNTER_BYTES_DOWN] = 8;
    history_add_sample(history, &stats, 1000);
    stats.counters[COUNTER_TUNNELS_DENIED] = 3;
    history_add_sample(history, &stats, 2000);
    expect(history,
           "\"samples\":[[1000,1,0,0,0,0,0,8" NO_WAITS ",[2000,1,0,3,0,0,0,8" NO_WAITS "],");
    for (unsigned i = 3; i <= HISTORY_SAMPLES + 1; i++)
        history_add_sample(history, &stats, i * 1000);
    expect(history, "\"samples\":[[2000,1,");
    assert_int_equal(count(history, "000,1,0,3"), HISTORY_SAMPLES);
    history_destroy(history);
}

static void test_repeats(void **state)
{
    struct history *history;
    struct stats stats = now;

    assert_int_equal(history_create(&history), 0);
    assert_false(history_is_current(history, &stats));
    history_repeat(history, 5000);
    expect(history, "\"samples\":[],");
    stats.counters[COUNTER_BYTES_UP] = 4;
    history_add_sample(history, &stats, 1500);
    assert_true(history_is_current(history, &stats));
    history_repeat(history, 2499);
    assert_int_equal(count(history, ",0,0,0,0,4,0" NO_WAITS), 1);
    history_repeat(history, 4600);
    expect(history, "\"samples\":[[1500,0,0,0,0,0,4,0" NO_WAITS ",[2500,0,0,0,0,0,4,0" NO_WAITS
                    ",[3500,0,0,0,0,0,4,0" NO_WAITS ",[4500,0,0,0,0,0,4,0" NO_WAITS "],");
    stats.counters[COUNTER_TUNNELS_DENIED]++;
    assert_false(history_is_current(history, &stats));
    /* After years: no more than is kept, up to now. */
    history_repeat(history, 100 * 1000 * 1000 * UINT64_C(1000));
    assert_int_equal(count(history, ",0,0,0,0,4,0" NO_WAITS), HISTORY_SAMPLES);
    expect(history, "[100000000000,0,0,0,0,0,4,0" NO_WAITS "],");
    history_repeat(history, 1000); /* the clock was set back */
    expect(history, "[100000000000,0,0,0,0,0,4,0" NO_WAITS "],");
    history_destroy(history);
}

/* Each bucket by itself, and what it holds at most. */
static void test_waits(void **state)
{
    struct history *history;
    struct stats stats = now;

    assert_int_equal(history_create(&history), 0);
    stats.histograms[HISTOGRAM_DIAL].buckets[2] = 7;
    history_add_sample(history, &stats, 1000);
    assert_true(history_is_current(history, &stats));
    stats.histograms[HISTOGRAM_DNS].buckets[HISTOGRAM_BUCKETS - 1] = 1;
    assert_false(history_is_current(history, &stats));
    history_add_sample(history, &stats, 2000);
    expect(history, "\"waits_ms\":[1,");
    expect(history, ",10000],\"columns\":[");
    expect(history, ",\"asked\",\"dial\",\"dns\"],");
    expect(history,
           "[2000,0,0,0,0,0,0,0,0,[0,0,7,0,0,0,0,0,0,0,0,0,0,0],[0,0,0,0,0,0,0,0,0,0,0,0,0,1]]],");
    history_destroy(history);
}

static void add_deny(struct history *history, const char *line)
{
    history_add_deny(history, line, strlen(line));
}

static void test_denies(void **state)
{
    struct history *history;

    assert_int_equal(history_create(&history), 0);
    add_deny(history, "{\"id\":\"1\",\"rule\":\"the \\\"rule\\\"\",\"status\":403}");
    add_deny(history, "{\"id\":\"2\",\"event\":\"auth_failure\"}");
    add_deny(history, "{\"id\":\"3\",\"rule\":\"other\"}");
    add_deny(history, "{\"id\":\"4\",\"rule\":\"the \\\"rule\\\"\"}");
    add_deny(history, "{\"id\":\"no\",\"verdict\":\"ask\",\"rule\":\"staff\"}"); /* no denial */
    expect(history, "\"denies\":[{\"id\":\"1\",");
    assert_int_equal(count(history, "\"no\""), 0);
    expect(history, "},{\"id\":\"4\",\"rule\":\"the \\\"rule\\\"\"}],");
    for (int i = 0; i < HISTORY_DENIES; i++)
        add_deny(history, "{\"id\":\"5\",\"rule\":\"new\"}");
    expect(history, "\"denies\":[{\"id\":\"5\"");
    assert_int_equal(count(history, "\"id\":"), HISTORY_DENIES);
    history_destroy(history);
}

static void test_rules(void **state)
{
    struct rule_names *rule_names = rule_names_create();
    struct stats stats = now;
    struct history *history;
    size_t length;

    assert_int_equal(history_create(&history), 0);
    assert_non_null(rule_names);
    stats.rule_names = rule_names;
    stats.denied[rule_names_find(rule_names, "the \"rule\"")] = 2;
    assert_int_equal(rule_names_find(rule_names, "never"), 1);
    stats.denied[rule_names_find(rule_names, "adit.conf:2")] = UINT64_MAX;
    stats.denied[RULE_NAMES_MAX] = 3;
    char *json = history_print(history, &stats, &nowhere, &length);
    assert_non_null(strstr(json, ",\"denied_rules\":{\"the \\\"rule\\\"\":2,"
                                 "\"adit.conf:2\":18446744073709551615,\"other\":3}}"));
    free(json);
    history_destroy(history);
    rule_names_destroy(rule_names);
}

static void test_a_long_rule(void **state)
{
    struct rule_names *rule_names = rule_names_create();
    struct stats stats = now;
    struct history *history;
    char name[5001];
    size_t length;

    memset(name, '"', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(history_create(&history), 0);
    assert_non_null(rule_names);
    stats.rule_names = rule_names;
    stats.denied[rule_names_find(rule_names, name)] = 2;
    char *json = history_print(history, &stats, &nowhere, &length);
    const char *printed = strstr(json, "\"denied_rules\":{\"");
    assert_non_null(printed);
    printed += strlen("\"denied_rules\":{\"");
    for (size_t i = 0; i < sizeof(name) - 1; i++)
        assert_memory_equal(printed + 2 * i, "\\\"", 2);
    assert_string_equal(printed + 2 * strlen(name), "\":2}}");
    free(json);
    history_destroy(history);
    rule_names_destroy(rule_names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_samples),
        cmocka_unit_test(test_waits),       cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_denies),      cmocka_unit_test(test_rules),
        cmocka_unit_test(test_a_long_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
