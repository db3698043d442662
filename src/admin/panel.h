/* The panel of a running adit: what it shows of itself, and the few things that others may do with
 * it. The control socket and the admin server ask, and the worker answers. Everything here is for
 * the worker's main thread and its loop.
 *
 * A callback `answered` is called once, by the loop, and never from within the function that asks.
 * It is not called after a cancel.
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

/* The answer to a query. It and what it points to are only valid during `answered`. */
struct tunnels_answer {
    /* Each part is some whole lines, one JSON object per line (access_tunnel_print). A kill has no
     * parts. */
    char *const *parts;
    const size_t *lengths;
    size_t part_count;
    size_t tunnel_count; /* that match, or were killed */
    bool is_complete;    /* false: there was no memory for all */
};

/* A query for tunnels. The caller sets it to zero, fills in what it wants, and does not touch it
 * until it is answered or cancelled. */
struct tunnels_query {
    struct tunnel_filter filter;
    bool is_kill; /* tunnels that match are not listed but ended: both ends see a reset */
    void (*answered)(struct tunnels_query *query, const struct tunnels_answer *answer);
    struct list link; /* private */
    bool is_asked;    /* private */
};

/* ---- a question to the policy */

/* The longest time that an answer may take: the longest `resolver timeout` of 600 s, and 2 s more.
 */
#define PANEL_EXPLAIN_MS 602000

struct explain_answer {
    const char *verdict; /* "allow", "deny", "ask", "failed" */
    int exit_status;     /* as of `adit explain`: 0, 3, 3, 1 */
    const char *text;    /* the lines that `adit explain` prints */
    size_t length;
};

struct explain_request {
    const char *words[QUESTION_FIELD_COUNT]; /* only read during the call; NULL: not said */
    void (*answered)(struct explain_request *request, const struct explain_answer *answer);
    void *work; /* private; NULL: nothing is asked */
};

/* ---- events */

/* Is told of each event from subscribe to unsubscribe. From within `happened` a subscriber may
 * unsubscribe itself, but no other one. */
struct event_subscriber {
    /* `line` is JSON as in the log, without a newline. */
    void (*happened)(struct event_subscriber *subscriber, enum access_event event, const char *line,
                     size_t length);
    struct list link; /* private */
};

/* ---- a trace */

/* Is told of each step of the tunnels that match, from begin_trace to end_trace. From within
 * `stepped` it may end its own trace, but no other one. */
struct trace_subscriber {
    struct tunnel_filter filter; /* by id, client and host */
    /* `line` is JSON (observe/trace.h), with its newline. `is_last` says that the tunnel has ended.
     */
    void (*stepped)(struct trace_subscriber *subscriber, const char *line, size_t length,
                    bool is_last);
    /* `count` steps were lost because there was no room for them; of which tunnels is not known. */
    void (*lost)(struct trace_subscriber *subscriber, uint64_t count);
    struct list link; /* private */
};

/* ---- all of it */

struct panel_ops {
    void (*ask_tunnels)(void *self, struct tunnels_query *query);
    /* Gives up the answer; a kill that has begun goes on all the same. Harmless on a query that was
     * never asked or is answered. */
    void (*cancel_tunnels)(void *self, struct tunnels_query *query);
    void (*read_stats)(void *self, struct stats *ret_stats);
    /* Returns 0 and answers within PANEL_EXPLAIN_MS; or -EINVAL when the question is malformed, and
     * `*ret_problem` (static) says what is right; or -EBUSY when too many ask at once; or -ENOMEM.
     */
    int (*explain)(void *self, struct explain_request *request, const char **ret_problem);
    /* Harmless on a request that was never asked or is answered. */
    void (*cancel_explain)(void *self, struct explain_request *request);
    /* Returns the body of /api/history, which the caller frees, or NULL when there is no memory. */
    char *(*print_history)(void *self, size_t *ret_length);
    /* Returns the body of /api/top in the same way. */
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
