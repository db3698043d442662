/* The panel of a running adit: what it shows of itself, and the few things that may be done to it
 * from there. The control socket and the admin server ask, the worker answers. Everything here is
 * for the worker's main thread and its loop.
 *
 * `answered` is called once, on the loop, never from within the call that asks; not after a cancel.
 */
#ifndef ADMIN_PANEL_H
#define ADMIN_PANEL_H

#include "admin/stats.h"
#include "base/contract.h"
#include "base/list.h"
#include "config/question.h"
#include "observe/access_log.h"
#include "tunnel/tunnel_filter.h"

#include <stdbool.h>
#include <stddef.h>

/* ---- the open tunnels */

/* Valid during `answered`. */
struct tunnels_answer {
    char *const *parts; /* whole lines, a JSON object each (access_tunnel_print); none for a kill */
    const size_t *lengths;
    size_t part_count;
    size_t tunnel_count; /* that match, or were killed */
    bool is_complete;    /* false: there was no memory for all */
};

/* Zero it, say what is wanted, and leave it alone until it is answered or cancelled. */
struct tunnels_query {
    struct tunnel_filter filter;
    bool is_kill; /* those that match end at once, both ends with a reset */
    void (*answered)(struct tunnels_query *query, const struct tunnels_answer *answer);
    struct list link; /* private */
    bool is_asked;    /* private */
};

/* ---- a question to the policy */

/* The longest `resolver timeout`, and a little. */
#define PANEL_EXPLAIN_MS 602000

struct explain_answer {
    const char *verdict; /* "allow", "deny", "ask", "failed" */
    int exit_status;     /* as of `adit explain`: 0, 3, 3, 1 */
    const char *text;    /* the lines that `adit explain` prints */
    size_t length;
};

struct explain_request {
    const char *words[QUESTION_FIELD_COUNT]; /* during the call only; NULL: not said */
    void (*answered)(struct explain_request *request, const struct explain_answer *answer);
    void *work; /* private; NULL: not asked */
};

/* ---- events */

/* Hears of each event until it leaves; may leave, and nobody else, from within `happened`. */
struct event_subscriber {
    /* `line`: JSON as in the log, without a newline. */
    void (*happened)(struct event_subscriber *subscriber, enum access_event event, const char *line,
                     size_t length);
    struct list link; /* private */
};

/* ---- a trace */

/* Hears of each step of the tunnels that match, until it leaves; may leave, and nobody else, from
 * within `stepped`. */
struct trace_subscriber {
    struct tunnel_filter filter; /* by id, client and host */
    /* `line`: JSON (observe/trace.h), with its newline. `is_last`: it is the last of its tunnel. */
    void (*stepped)(struct trace_subscriber *subscriber, const char *line, size_t length,
                    bool is_last);
    /* So many steps, whoever's, found no room. */
    void (*lost)(struct trace_subscriber *subscriber, uint64_t count);
    struct list link; /* private */
};

/* ---- all of it */

struct panel_ops {
    void (*ask_tunnels)(void *self, struct tunnels_query *query);
    /* A kill that is under way goes on. Harmless on a query that was never asked or is answered. */
    void (*cancel_tunnels)(void *self, struct tunnels_query *query);
    void (*read_stats)(void *self, struct stats *ret_stats);
    /* 0; -EINVAL: malformed, and `*ret_problem` (static) says what is right; -EBUSY: too many at
     * once; -ENOMEM. Answers in PANEL_EXPLAIN_MS at most. */
    int (*explain)(void *self, struct explain_request *request, const char **ret_problem);
    void (*cancel_explain)(void *self, struct explain_request *request); /* harmless otherwise */
    /* The body of /api/history; the caller frees. NULL: no memory. */
    char *(*print_history)(void *self, size_t *ret_length);
    /* The body of /api/top, as print_history. */
    char *(*print_toplists)(void *self, size_t *ret_length);
    void (*subscribe)(void *self, struct event_subscriber *subscriber);
    void (*unsubscribe)(void *self, struct event_subscriber *subscriber);
    void (*begin_trace)(void *self, struct trace_subscriber *subscriber);
    void (*end_trace)(void *self, struct trace_subscriber *subscriber);
};

struct panel {
    const struct panel_ops *ops;
    void *self;
};

#endif
