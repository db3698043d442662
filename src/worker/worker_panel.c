/* The worker's panel (admin/panel.h): a table of functions, most of which are in worker_tunnels.c,
 * worker_events.c, worker_explain.c and worker_trace.c. The figures are collected here.
 */
#include "access/auth.h"
#include "front/front_kind.h"
#include "net/room.h"
#include "observe/event_feed.h"
#include "observe/log.h"
#include "system/clock.h"
#include "worker/worker_admin.h"
#include "worker/worker_events.h"
#include "worker/worker_explain.h"
#include "worker/worker_private.h"
#include "worker/worker_thread.h"
#include "worker/worker_trace.h"
#include "worker/worker_tunnels.h"

#include <errno.h>

/* Returns how many tunnels there may be: as many as there are descriptors for, or fewer if the
 * configuration says so. */
static uint64_t worker_tunnels_max(const struct worker *worker)
{
    uint64_t room = room_limit(worker->room);
    uint64_t set = worker->snapshot != NULL ? worker->snapshot->config->values.tunnels_max : 0;

    return set > 0 && set < room ? set : room;
}

void worker_read_stats(void *self, struct stats *ret_stats)
{
    const struct worker *worker = self;

    *ret_stats = (struct stats){
        .workers = worker->thread_count,
        .state = worker_state_name(worker),
        .uptime_s = (clock_monotonic_ms() - worker->plan->adit_started_ms) / 1000,
        .worker_restarts = worker->plan->restarts,
        .log_dropped = log_dropped(worker->log),
        .reload = &worker->report,
        .tunnels_max = worker_tunnels_max(worker),
        .meter = &worker->meter,
        .rule_names = worker->rule_names,
    };
    const struct front_row *fronts = front_rows(&ret_stats->front_count);
    for (size_t i = 0; i < ret_stats->front_count; i++)
        ret_stats->front_names[i] = fronts[i].name;
    for (unsigned i = 0; i < worker->thread_count; i++) {
        const struct counters *counters = worker_thread_counters(worker->threads[i]);

        stats_add(ret_stats, counters);
        ret_stats->events_dropped += event_feed_dropped(worker_thread_events(worker->threads[i]));
    }
    /* Hashes are computed by threads that carry no tunnels. */
    ret_stats->counters[COUNTER_AUTH_HASHES] +=
        counter_read(auth_counters(worker->auth), COUNTER_AUTH_HASHES);
    ret_stats->counters[COUNTER_AUTH_FAILURES] +=
        counter_read(worker_admin_counters(worker->admin), COUNTER_AUTH_FAILURES);
}

static int panel_explain(void *self, struct explain_request *request, const char **ret_problem)
{
    struct worker *worker = self;

    if (worker->thread_count == 0)
        return -EBUSY;
    return worker_explain_start(worker->explain, request, worker->snapshot, worker->files,
                                ret_problem);
}

static void panel_cancel_explain(void *self, struct explain_request *request)
{
    struct worker *worker = self;

    worker_explain_cancel(worker->explain, request);
}

void worker_panel_init(struct worker *worker)
{
    static const struct panel_ops ops = {
        .ask_tunnels = worker_tunnels_ask,
        .cancel_tunnels = worker_tunnels_cancel,
        .read_stats = worker_read_stats,
        .explain = panel_explain,
        .cancel_explain = panel_cancel_explain,
        .print_history = worker_events_print_history,
        .print_toplists = worker_events_print_toplists,
        .subscribe = worker_events_subscribe,
        .unsubscribe = worker_events_unsubscribe,
        .begin_trace = worker_trace_begin,
        .end_trace = worker_trace_end,
    };

    worker->panel = (struct panel){.ops = &ops, .self = worker};
}
