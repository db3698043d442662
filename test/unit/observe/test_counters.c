/* The table of counters against the rules of Prometheus' text format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/counters.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz_";

static void test_rows_are_well_formed(void **state)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);
        assert_int_equal(strncmp(row->name, "adit_", 5), 0);
        assert_int_equal(strspn(row->name, name_bytes), strlen(row->name));
        assert_true(strlen(row->help) > 0);
        /* As Prometheus has it: only what can't fall is called a total. */
        assert_int_equal(row->is_gauge, strstr(row->name, "_total") == NULL);
    }
}

/* Rows of one name stand together, have one help, and differ in the labels. */
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
            assert_non_null(row->labels);
            assert_non_null(other->labels);
            assert_string_equal(row->help, other->help);
            assert_int_equal(row->is_gauge, other->is_gauge);
            assert_string_not_equal(row->labels, other->labels);
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

/* A value that is a bucket's bound belongs to it, the next does not; texts say the same as values.
 */
static void test_histograms_count_by_bound(void **state)
{
    for (int scale = 0; scale < HISTOGRAM_SCALE_COUNT; scale++) {
        const struct histogram_bounds *bounds = histogram_bounds((enum histogram_scale)scale);
        uint64_t before = 0;

        for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
            struct histogram histogram = {0};
            struct histogram_sum sum = {0};

            assert_true(bounds->values[i] > before);
            before = bounds->values[i];
            assert_true(strtod(bounds->texts[i], NULL) == (double)before / bounds->divisor);
            histogram_observe(&histogram, (enum histogram_scale)scale, before);
            histogram_observe(&histogram, (enum histogram_scale)scale, before + 1);
            histogram_add(&sum, &histogram);
            histogram_add(&sum, &histogram);
            assert_int_equal(sum.buckets[i], 2);
            assert_int_equal(sum.buckets[i + 1], 2);
            assert_int_equal(sum.sum, 4 * before + 2);
        }
    }
}

/* However many rules come and go with reloads: 1,024 have a number, and keep it. */
static void test_rule_names_are_bounded(void **state)
{
    struct rule_names *names = rule_names_create();
    struct counters counters = {.rule_names = names};
    char name[32];

    assert_non_null(names);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof(name), "file.conf:%zu", i);
            size_t number = rule_names_find(names, name);
            assert_int_equal(number, i < RULE_NAMES_MAX ? i : RULE_NAMES_MAX);
            if (i < RULE_NAMES_MAX)
                assert_string_equal(rule_names_at(names, number), name);
        }
    }
    counters_add_denied(&counters, "file.conf:7");
    counters_add_denied(&counters, "file.conf:7");
    counters_add_denied(&counters, "file.conf:4999");
    assert_int_equal(atomic_load(&counters.denied[7]), 2);
    assert_int_equal(atomic_load(&counters.denied[RULE_NAMES_MAX]), 1);
    rule_names_destroy(names);
}

static void announce(struct rule_names *names, const char *prefix, size_t count)
{
    char name[32];

    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s:%zu", prefix, i);
        (i == 0 ? rule_names_announce_anew : rule_names_announce)(names, name);
    }
}

/* Rules that have denied nothing take no number, however many come and go. */
static void test_announced_rules_take_no_numbers(void **state)
{
    struct rule_names *names = rule_names_create();

    assert_non_null(names);
    announce(names, "a", 5000);
    assert_string_equal(rule_names_announced_at(names, RULE_NAMES_MAX / 2 - 1), "a:511");
    assert_null(rule_names_announced_at(names, RULE_NAMES_MAX / 2));
    announce(names, "b", 300);
    announce(names, "c", 300);
    rule_names_announce(names, "c:7"); /* two rules of one name */
    assert_string_equal(rule_names_announced_at(names, 0), "c:0");
    assert_string_equal(rule_names_announced_at(names, 299), "c:299");
    assert_null(rule_names_announced_at(names, 300));
    assert_false(rule_names_has(names, "c:299"));
    assert_int_equal(rule_names_find(names, "c:299"), 0);
    assert_true(rule_names_has(names, "c:299"));
    rule_names_destroy(names);
}

enum { FINDERS = 4, FOUND = 900 };

static void *find_all(void *self)
{
    struct rule_names *names = self;
    size_t *numbers = calloc(FOUND, sizeof(*numbers));
    char name[32];

    for (size_t i = 0; i < FOUND; i++) {
        snprintf(name, sizeof(name), "rule %zu", i);
        numbers[i] = rule_names_find(names, name);
    }
    return numbers;
}

static void test_threads_agree_on_rules(void **state)
{
    struct rule_names *names = rule_names_create();
    pthread_t threads[FINDERS];
    size_t *numbers[FINDERS];

    assert_non_null(names);
    for (size_t i = 0; i < FINDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_all, names), 0);
    for (size_t i = 0; i < FINDERS; i++)
        assert_int_equal(pthread_join(threads[i], (void **)&numbers[i]), 0);
    for (size_t i = 0; i < FINDERS; i++)
        assert_memory_equal(numbers[i], numbers[0], FOUND * sizeof(*numbers[i]));
    assert_non_null(rule_names_at(names, FOUND - 1));
    assert_null(rule_names_at(names, FOUND));
    for (size_t i = 0; i < FINDERS; i++)
        free(numbers[i]);
    rule_names_destroy(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_well_formed),
        cmocka_unit_test(test_rows_of_one_name_are_one_family),
        cmocka_unit_test(test_gauges_of_threads_add_up),
        cmocka_unit_test(test_histograms_count_by_bound),
        cmocka_unit_test(test_rule_names_are_bounded),
        cmocka_unit_test(test_announced_rules_take_no_numbers),
        cmocka_unit_test(test_threads_agree_on_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
