/* What `adit top` knows: figures with their recent past, and the tunnels that the user wants to
 * see, in the order that the user wants. It uses no clock, no descriptor and no terminal.
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
    TOP_FILTER_SIZE = 64,  /* with the NUL; a longer filter is cut */
    TOP_ID_SIZE = 32,      /* with the NUL; an id of adit has 13 bytes */
};

/* The figures at the head of the screen. Of each the recent values are kept. */
enum top_gauge {
    TOP_GAUGE_UP, /* bytes/s */
    TOP_GAUGE_DOWN,
    TOP_GAUGE_TUNNELS, /* open now */
    TOP_GAUGE_NEW,     /* tunnels established per second */
    TOP_GAUGE_DENIED,  /* per second, as the following two */
    TOP_GAUGE_FAILED,
    TOP_GAUGE_ASKED, /* asked for a password; shown in the first line, and only if there are any */
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
    struct hash_link link;              /* in top_answer.by_id */
    const char *texts[TOP_FIELD_COUNT]; /* some hold outside bytes; "": adit does not say */
    uint64_t up_bytes, down_bytes;
    uint64_t duration_ms;
    uint64_t up_rate, down_rate; /* bytes/s since the last answer; 0 in the very first answer */
};

/* The tunnels of one answer. */
struct top_answer {
    char *texts;                /* the texts that the tunnels point to; owned */
    struct top_tunnel *tunnels; /* `count` of them; owned */
    struct hash_link **buckets; /* of `by_id`; owned */
    struct hash_table by_id;
    size_t count;
};

struct top_model {
    char version[32];
    char state[32]; /* "serving", "draining"; "": nothing came yet */
    uint64_t uptime_s;
    char reload_time[32];   /* of the last reload, if it failed; otherwise "" */
    char reload_error[512]; /* why it failed; otherwise "" */
    double gauges[TOP_GAUGE_COUNT][TOP_HISTORY_MAX]; /* oldest first */
    size_t history_count;
    double counters[TOP_GAUGE_COUNT]; /* the sums that the last answer had */
    uint64_t stats_ms;                /* when it came, by the clock of the caller */

    struct top_answer answer;
    bool has_answer;
    size_t longest[TOP_FIELD_COUNT]; /* bytes of the longest text of any tunnel; 0: none has one */
    struct top_tunnel **rows;        /* the tunnels of `answer` that pass the filter, in order */
    size_t row_count;

    enum top_sort sort; /* oldest, biggest or fastest first */
    bool is_reversed;
    char filter[TOP_FILTER_SIZE];
    char selected_id[TOP_ID_SIZE]; /* "": nothing was selected, so the first row is, always */
    size_t selected_row;           /* 0 without rows */
};

void top_model_init(struct top_model *model);
void top_model_finish(struct top_model *model);

/* Take a complete answer of the control socket, to `stats` and to `ps`. Return 0, -ENOMEM, or
 * -EINVAL when the answer can't be read; after an error nothing has changed. `now_ms` may be of any
 * clock that does not run backwards. */
int top_model_take_stats(struct top_model *model, const char *bytes, size_t length,
                         uint64_t now_ms) MUST_CHECK;
int top_model_take_tunnels(struct top_model *model, const char *bytes, size_t length) MUST_CHECK;

/* Sorts by another key, or in the other direction when it is the same key again. */
void top_model_sort_by(struct top_model *model, enum top_sort sort);
/* Shows only the tunnels with a text that contains `filter`, in any case of letters. A filter that
 * is too long is cut. */
void top_model_set_filter(struct top_model *model, const char *filter);
/* Moves the selection down by `rows`, or up when that is negative, but not beyond the table. From
 * then on the selection follows its tunnel while that is shown, and stays in its row when the
 * tunnel is gone. 0 selects the tunnel in the row of now. */
void top_model_move(struct top_model *model, ptrdiff_t rows);
/* Goes back to: the first row is selected, whichever tunnel is there. */
void top_model_unselect(struct top_model *model);
/* Returns the selected tunnel, which lives until the next answer; NULL when there are no rows. */
const struct top_tunnel *top_model_selected(const struct top_model *model);

/* Returns the newest value of a gauge; 0 before the first answer. */
double top_model_gauge(const struct top_model *model, enum top_gauge gauge);

const char *top_gauge_name(enum top_gauge gauge);
const char *top_field_name(enum top_field field); /* as in the log */

#endif
