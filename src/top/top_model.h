/* What `adit top` knows: figures with their recent past, and tunnels in the order and choice that
 * the user wants. No clock, no descriptor, no terminal.
 */
#ifndef TOP_TOP_MODEL_H
#define TOP_TOP_MODEL_H

#include "base/contract.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TOP_HISTORY_MAX = 256, /* samples; a sparkline is hardly wider */
    TOP_FILTER_SIZE = 64,
    TOP_ID_SIZE = 32,
};

/* What the head of the screen shows, each with a past. */
enum top_gauge {
    TOP_GAUGE_UP, /* bytes/s */
    TOP_GAUGE_DOWN,
    TOP_GAUGE_TUNNELS, /* open now */
    TOP_GAUGE_NEW,     /* a second, as all that follow */
    TOP_GAUGE_DENIED,
    TOP_GAUGE_FAILED,
    TOP_GAUGE_ASKED, /* for a password; stands in the first line, where there are any */
    TOP_GAUGE_COUNT,
};

enum top_field {
    TOP_FIELD_ID,
    TOP_FIELD_CLIENT,
    TOP_FIELD_LISTENER,
    TOP_FIELD_USER,
    TOP_FIELD_HTTP,
    TOP_FIELD_TARGET,
    TOP_FIELD_ADDRESS,
    TOP_FIELD_VERDICT,
    TOP_FIELD_RULE,
    TOP_FIELD_REPORT,
    TOP_FIELD_DNS_MS,
    TOP_FIELD_DIAL_MS,
    TOP_FIELD_COUNT,
};

enum top_sort { TOP_SORT_AGE, TOP_SORT_BYTES, TOP_SORT_RATE, TOP_SORT_COUNT };

struct top_tunnel {
    struct hash_link link;              /* by id */
    const char *texts[TOP_FIELD_COUNT]; /* outside bytes in some; "" when adit does not say */
    uint64_t up_bytes, down_bytes;
    uint64_t duration_ms;
    uint64_t up_rate, down_rate; /* bytes/s since the answer before; 0 in the first one */
};

/* The tunnels of one answer. */
struct top_answer {
    char *texts;
    struct top_tunnel *tunnels;
    struct hash_link **buckets;
    struct hash_table by_id;
    size_t count;
};

struct top_model {
    char version[32];
    char state[32]; /* "serving", "draining"; "": nothing came yet */
    uint64_t uptime_s;
    char reload_time[32]; /* of the last one, if that failed; else "" */
    char reload_error[512];
    double gauges[TOP_GAUGE_COUNT][TOP_HISTORY_MAX]; /* oldest first */
    size_t history_count;
    double counters[TOP_GAUGE_COUNT]; /* as they stood in the last answer */
    uint64_t stats_ms;                /* when that was */

    struct top_answer answer;
    bool has_answer;
    size_t longest[TOP_FIELD_COUNT]; /* bytes of its longest text in any tunnel; 0: none has it */
    struct top_tunnel **rows;        /* of `answer`: those that pass the filter, in order */
    size_t row_count;

    enum top_sort sort; /* oldest, biggest or fastest first */
    bool is_reversed;
    char filter[TOP_FILTER_SIZE];
    char selected_id[TOP_ID_SIZE]; /* "": whatever stands in the first row */
    size_t selected_row;           /* 0 without rows */
};

void top_model_init(struct top_model *model);
void top_model_finish(struct top_model *model);

/* Whole answers of the control socket. On an error, of which -EINVAL means that it could not be
 * read, nothing has changed. `now_ms`: any clock that does not run backwards. */
int top_model_take_stats(struct top_model *model, const char *bytes, size_t length,
                         uint64_t now_ms) MUST_CHECK;
int top_model_take_tunnels(struct top_model *model, const char *bytes, size_t length) MUST_CHECK;

/* The same again: the other direction. */
void top_model_sort_by(struct top_model *model, enum top_sort sort);
/* Shows the tunnels one of whose texts contains this, in any case; what is too long is cut. */
void top_model_set_filter(struct top_model *model, const char *filter);
/* Selects a row so many below the selected one, or the last or first; it stays on its tunnel while
 * that is shown, and on its row when it goes. 0: this one, from now on. */
void top_model_move(struct top_model *model, ptrdiff_t rows);
/* Selects the first row again, whoever stands there. */
void top_model_unselect(struct top_model *model);
/* NULL without rows. */
const struct top_tunnel *top_model_selected(const struct top_model *model);

/* The newest value; 0 when none came yet. */
double top_model_gauge(const struct top_model *model, enum top_gauge gauge);

const char *top_gauge_name(enum top_gauge gauge);
const char *top_field_name(enum top_field field); /* as in the log */

#endif
