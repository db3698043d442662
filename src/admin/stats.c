/* The object is flat on purpose. Its keys are the names of the series as every metrics tool writes
 * them, and a program that reads it needs no more of JSON than strings and numbers; `adit stats`
 * does it with the function at the end of this file.
 */
#include "admin/stats.h"

#include "admin/control_request.h"
#include "admin/json.h"
#include "admin/reload_report.h"
#include "observe/logfmt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void stats_sum(uint64_t *sums, const _Atomic uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += atomic_load_explicit(&values[i], memory_order_relaxed);
}

void stats_add(struct stats *stats, const struct counters *counters)
{
    stats_sum(stats->counters, counters->values, COUNTER_COUNT);
    for (size_t i = 0; i < COUNTERS_FRONTS_MAX; i++)
        stats_sum(stats->fronts[i], counters->fronts[i], FRONT_COUNTER_COUNT);
    stats_sum(stats->errors, counters->errors, COUNTERS_ERRORS_MAX);
    stats_sum(stats->denied, counters->denied, RULE_NAMES_MAX + 1);
    for (size_t i = 0; i < HISTOGRAM_COUNT; i++)
        histogram_add(&stats->histograms[i], &counters->histograms[i]);
}

static void add_time(struct text *out, const char *name, uint64_t wall_ms)
{
    char time[LOGFMT_TIME_SIZE + 1] = "";
    struct logfmt_date date = {0};

    logfmt_put_time(time, &date, wall_ms);
    json_add_member(out, name, time);
}

void stats_print_reload(struct text *out, const struct reload_report *reload)
{
    json_add_member(out, "reload", reload->is_good ? "good" : "failed");
    add_time(out, "reload_time", reload->wall_ms);
    if (!reload->is_good)
        json_add_member(out, "reload_error", reload->error);
    add_time(out, "config_time", reload->good_wall_ms);
}

enum { STATS_LABELS_SIZE = 128 }; /* the labels of a series are adit's own and short */

void stats_visit(const struct stats *stats,
                 void (*visit)(void *self, const struct counter_row *row, const char *labels,
                               uint64_t value),
                 void *self)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = counter_row((enum counter)i);

        if (!row->is_by_front)
            visit(self, row, row->labels, stats->counters[i]);
        for (size_t front = 0; row->is_by_front && front < stats->front_count; front++) {
            char labels[STATS_LABELS_SIZE];

            snprintf(labels, sizeof(labels), "front=\"%s\",%s", stats->front_names[front],
                     row->labels);
            visit(self, row, labels, stats->fronts[front][row->front_counter]);
        }
    }
}

static void stats_add_counter(void *self, const struct counter_row *row, const char *labels,
                              uint64_t value)
{
    struct text *out = self;
    char name[2 * STATS_LABELS_SIZE];
    struct text series;

    text_init(&series, name, sizeof(name));
    text_add(&series, row->name);
    if (labels != NULL) {
        text_add_char(&series, '{');
        text_add(&series, labels);
        text_add_char(&series, '}');
    }
    json_add_number(out, name, value);
}

void stats_print_json(struct text *out, const struct stats *stats)
{
    text_add(out, CONTROL_ANSWER_OK);
    json_add_member(out, "version", ADIT_VERSION);
    json_add_member(out, "state", stats->state);
    json_add_number(out, "workers", stats->workers);
    json_add_number(out, "uptime_s", stats->uptime_s);
    json_add_number(out, "worker_restarts", stats->worker_restarts);
    json_add_number(out, "tunnels_max", stats->tunnels_max);
    json_add_number(out, "log_dropped", stats->log_dropped);
    json_add_number(out, "events_dropped", stats->events_dropped);
    stats_print_reload(out, stats->reload);
    stats_visit(stats, stats_add_counter, out);
    text_add(out, "}\n");
}

/* -- reading it */

int stats_print_plain(struct text *out, const char *json, size_t length)
{
    char name[256];
    char value[2 * RELOAD_ERROR_SIZE];
    struct json_reader reader;

    json_reader_init(&reader, json, length);
    while (json_next(&reader, name, sizeof(name), value, sizeof(value))) {
        if (strcmp(name, "ok") == 0)
            continue;
        text_add(out, name);
        text_add_char(out, ' ');
        text_add(out, value);
        text_add_char(out, '\n');
    }
    return json_is_at_end(&reader) ? 0 : -EINVAL;
}
