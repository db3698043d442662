/* The figures of a running adit, as one line of JSON and as lines for people. */
#ifndef ADMIN_STATS_H
#define ADMIN_STATS_H

#include "base/contract.h"
#include "base/text.h"
#include "observe/counters.h"
#include "observe/process_figures.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for either form. */
#define STATS_SIZE 16384

struct reload_report; /* admin/reload_report.h */

struct stats {
    unsigned workers;
    const char *state; /* "serving", "draining" */
    uint64_t uptime_s;
    uint64_t worker_restarts;
    uint64_t log_dropped;
    uint64_t tunnels_max;    /* that fit, or may be */
    uint64_t events_dropped; /* that were wanted by those who look on */
    const struct reload_report *reload;
    const struct process_meter *meter;   /* NULL: not to be had */
    const struct rule_names *rule_names; /* NULL: none; the names of `denied` */
    size_t front_count;
    const char *front_names[COUNTERS_FRONTS_MAX]; /* their label in `fronts` */
    /* Summed over the threads; observe/counters.h. */
    uint64_t counters[COUNTER_COUNT];
    uint64_t fronts[COUNTERS_FRONTS_MAX][FRONT_COUNTER_COUNT];
    struct histogram_sum histograms[HISTOGRAM_COUNT];
    uint64_t errors[COUNTERS_ERRORS_MAX];
    uint64_t denied[RULE_NAMES_MAX + 1];
};

/* Adds a thread's. From any thread. */
void stats_add(struct stats *stats, const struct counters *counters);

/* Every series of the counters, in the order of metrics.def: its row, its labels (NULL: none; they
 * live during the call) and its value. */
void stats_visit(const struct stats *stats,
                 void (*visit)(void *self, const struct counter_row *row, const char *labels,
                               uint64_t value),
                 void *self);

/* `"reload":"failed","reload_time":"2026-..Z","reload_error":"..","config_time":"2026-..Z"` behind
 * a comma; a good one has no error. */
void stats_print_reload(struct text *out, const struct reload_report *reload);

/* A flat object and a newline:
 * {"ok":true,"version":"0.1.0",...,"adit_bytes_total{direction=\"up\"}":7} */
void stats_print_json(struct text *out, const struct stats *stats);

/* A flat JSON object, as above, to a line `name value` a member, but "ok". 0 or -EINVAL. */
int stats_print_plain(struct text *out, const char *json, size_t length) MUST_CHECK;

#endif
