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

/* Room for the figures in either form. */
#define STATS_SIZE 16384

struct reload_report; /* admin/reload_report.h */

struct stats {
    unsigned workers;
    const char *state; /* "serving", "draining" */
    uint64_t uptime_s;
    uint64_t worker_restarts;
    uint64_t log_dropped;
    uint64_t tunnels_max;    /* by the descriptors, or by the configuration if that is less */
    uint64_t events_dropped; /* events that subscribers missed, since there was no room */
    const struct reload_report *reload;
    const struct process_meter *meter;   /* NULL: not available; its figures are then 0 */
    const struct rule_names *rule_names; /* the names of `denied`; NULL: there are none */
    size_t front_count;
    const char *front_names[COUNTERS_FRONTS_MAX]; /* their label in `fronts` */
    /* The sums over all threads (observe/counters.h). */
    uint64_t counters[COUNTER_COUNT];
    uint64_t fronts[COUNTERS_FRONTS_MAX][FRONT_COUNTER_COUNT];
    struct histogram_sum histograms[HISTOGRAM_COUNT];
    uint64_t errors[COUNTERS_ERRORS_MAX];
    uint64_t denied[RULE_NAMES_MAX + 1];
};

/* Adds the counters of one thread. May be called on any thread, as counters are atomic. */
void stats_add(struct stats *stats, const struct counters *counters);

/* Calls `visit` for every series of the counters, in the order of metrics.def, with its row, its
 * labels (NULL: it has none; they are valid during the call) and its value. */
void stats_visit(const struct stats *stats,
                 void (*visit)(void *self, const struct counter_row *row, const char *labels,
                               uint64_t value),
                 void *self);

/* Adds the members about the last reload, behind a comma:
 * `"reload":"failed","reload_time":"2026-..Z","reload_error":"..","config_time":"2026-..Z"`. A
 * reload that was good has no `reload_error`. */
void stats_print_reload(struct text *out, const struct reload_report *reload);

/* Adds all figures as a flat object and a newline:
 * {"ok":true,"version":"0.1.0",...,"adit_bytes_total{direction=\"up\"}":7} */
void stats_print_json(struct text *out, const struct stats *stats);

/* Adds a flat JSON object, as of stats_print_json, as one line `name value` per member, but leaves
 * out "ok". Returns 0, or -EINVAL when `json` is malformed. */
int stats_print_plain(struct text *out, const char *json, size_t length) MUST_CHECK;

#endif
