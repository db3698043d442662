/* Creates and frees the parts of the worker and starts its threads. It opens no file itself, so it
 * starts the threads only when the supervisor has sent the configuration and the two files of /etc.
 *
 * `adit drain` and `adit reload` arrive here over the control socket, are passed on to the
 * supervisor and come back from it. So drains and reloads all begin in the supervisor, whoever asks
 * for them.
 */
#include "access/auth.h"
#include "access/dial_gate.h"
#include "access/limits.h"
#include "admin/control.h"
#include "base/state.h"
#include "net/room.h"
#include "net/tcp_memory.h"
#include "observe/access_log.h"
#include "observe/log.h"
#include "observe/rule_names.h"
#include "process/file_text.h"
#include "system/clock.h"
#include "system/say.h"
#include "worker/worker_admin.h"
#include "worker/worker_events.h"
#include "worker/worker_explain.h"
#include "worker/worker_private.h"
#include "worker/worker_thread.h"
#include "worker/worker_trace.h"
#include "worker/worker_tunnels.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_RING_BYTES = 256 * 1024,    /* per thread: 50 ms at 20,000 lines per second */
    LOG_PATIENCE_MS = 500,          /* at the end, with a sink that hangs */
    STASH_BYTES = 64 * 1024 * 1024, /* in all: bytes held in user memory */
    DIALS_MAX = 1024,
    DIALS_PER_CLIENT = 128,
    DIALS_WAITING_PER_CLIENT = 2048, /* npm opens over 1,000 tunnels at once */
};

static const struct state_row worker_rows[] = {
    [WORKER_STARTING] = {"starting", STATE_BIT(WORKER_SERVING) | STATE_BIT(WORKER_DRAINING)},
    [WORKER_SERVING] = {"serving", STATE_BIT(WORKER_DRAINING)},
    [WORKER_DRAINING] = {"draining", 0},
};
static_assert(ARRAY_LENGTH(worker_rows) == WORKER_STATE_COUNT, "a row for every state");

static const struct state_table worker_states = {"worker", worker_rows, WORKER_STATE_COUNT};

const char *worker_state_name(const struct worker *worker)
{
    return state_name(&worker_states, worker->state);
}

void worker_move_to(struct worker *worker, enum worker_state state)
{
    state_move(&worker_states, &worker->state, state, 0);
}

/* -- starting */

static int worker_create_dial_gate(struct worker *worker)
{
    const struct fair_limits limits = {.total = DIALS_MAX,
                                       .per_client = DIALS_PER_CLIENT,
                                       .waiting_per_client = DIALS_WAITING_PER_CLIENT};

    return dial_gate_create(&limits, &worker->dial_gate);
}

static struct worker_thread_plan worker_plan_thread(struct worker *worker, unsigned index,
                                                    uint64_t seed)
{
    const struct worker_plan *plan = worker->plan;
    unsigned pipes = plan->limits.pipes / plan->threads;

    return (struct worker_thread_plan){
        .index = index,
        .threads = worker->threads,
        .thread_count = plan->threads,
        .process_seed = seed,
        .snapshot = worker->snapshot,
        .slots = worker->slots,
        .auth = worker->auth,
        .limits = worker->limits_shared,
        .dial_gate = worker->dial_gate,
        .rule_names = worker->rule_names,
        .room = worker->room,
        .tcp_memory_fd = worker->tcp_memory_fd,
        .log = log_ring_at(worker->log, index),
        .relay_limits = {.mode = plan->relay_mode,
                         .pipes = pipes > 0 ? pipes : 1,
                         .stash_bytes = STASH_BYTES / plan->threads},
        .files = worker->files,
    };
}

static void worker_happened(void *self)
{
    struct worker *worker = self;

    worker_trace_happened(worker->trace);
    worker_events_happened(worker);
}

static int worker_create_threads(struct worker *worker)
{
    const struct worker_thread_owner owner = {.loop = worker->loop,
                                              .happened = worker_happened,
                                              .self = worker,
                                              .ending = &worker->ending};
    uint64_t seed = clock_wall_ms();

    while (worker->thread_count < worker->plan->threads) {
        const struct worker_thread_plan plan =
            worker_plan_thread(worker, worker->thread_count, seed);
        int error = worker_thread_create(&plan, &owner, &worker->threads[worker->thread_count]);

        if (error < 0)
            return error;
        worker->thread_count++;
    }
    return 0;
}

/* Threads that already run when one can't be started end with the process. */
static void worker_start_threads(struct worker *worker)
{
    int error = log_start(worker->log);

    if (error == 0)
        error = worker_create_threads(worker);
    round_begin(&worker->ending);
    for (unsigned i = 0; error == 0 && i < worker->thread_count; i++)
        error = worker_thread_start(worker->threads[i]);
    if (error < 0) {
        worker_fail_to_start(worker, "creating its threads", error);
        return;
    }
    round_asked_all(&worker->ending);
    worker_events_watch_threads(worker->events);
    worker_trace_watch_threads(worker->trace);
    worker_move_to(worker, WORKER_SERVING);
    worker_use_admin(worker);
    /* This fails when the supervisor is gone; then the channel ends, too, and the worker drains. */
    int ignored = channel_send(worker->plan->channel_fd, CHANNEL_READY, -1);
    (void)ignored;
}

void worker_start_if_complete(struct worker *worker)
{
    if (worker->state == WORKER_STARTING && worker->files[WATCHED_HOSTS] != NULL &&
        worker->files[WATCHED_RESOLV_CONF] != NULL && worker->snapshot != NULL)
        worker_start_threads(worker);
}

void worker_order_all(struct worker *worker, const struct order *order, struct round *round)
{
    if (round != NULL)
        round_begin(round);
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_order(worker->threads[i], order, round);
    if (round != NULL)
        round_asked_all(round);
}

/* -- what is asked over the control socket */

static uint64_t control_drain_asked(void *self)
{
    struct worker *worker = self;
    uint64_t now_ms = loop_now_ms(worker->loop);

    /* When the supervisor is gone or does not read, the worker drains without it. */
    if (channel_send(worker->plan->channel_fd, CHANNEL_DRAIN, -1) < 0)
        worker_begin_drain(worker);
    if (worker->snapshot == NULL) /* there is no configuration yet, and so no tunnel */
        return 0;
    if (!deadline_is_set(&worker->drain_over))
        return worker->snapshot->config->values.drain_timeout_ms;
    return worker->drain_over.at_ms > now_ms ? worker->drain_over.at_ms - now_ms : 0;
}

static void control_reload_asked(void *self)
{
    struct worker *worker = self;
    int error = channel_send(worker->plan->channel_fd, CHANNEL_RELOAD, -1);

    if (error < 0)
        control_answer_reload(worker->control, 1, false, "adit: the supervisor does not answer\n");
}

static void control_note(void *self, const char *words)
{
    struct worker *worker = self;

    log_notice(worker->ring, LOG_TOPIC_GENERAL, "%s", words);
}

/* -- the parts */

static int worker_create_control(struct worker *worker)
{
    const struct control_owner owner = {.reload = control_reload_asked,
                                        .drain = control_drain_asked,
                                        .note = control_note,
                                        .self = worker};

    return control_create(worker->loop, worker->plan->control_fd, &worker->panel, &owner,
                          &worker->control);
}

static int worker_create_admin(struct worker *worker)
{
    static_assert(COMMAND_LINE_WORKERS_MAX < ACCESS_IDS_THREADS_MAX, "one more for this thread");
    const struct http_server_plan plan = {
        .loop = worker->loop,
        .panel = &worker->panel,
        .auth = worker->auth,
        .log = log_ring_at(worker->log, worker->plan->threads),
        .events = worker_events_own(worker->events),
        .process_seed = clock_wall_ms(),
        .thread = worker->plan->threads,
        .connections_max = worker->plan->limits.admin_connections,
    };

    return worker_admin_create(&plan, &worker->admin);
}

static int worker_create_panel(struct worker *worker)
{
    int error = worker_tunnels_create(worker, &worker->tunnels);

    worker_panel_init(worker);
    if (error == 0)
        error = worker_events_create(worker, &worker->events);
    if (error == 0)
        error = worker_explain_create(worker->loop, &worker->explain);
    if (error == 0)
        error = worker_trace_create(worker, &worker->trace);
    return error;
}

static int worker_create_figures(struct worker *worker)
{
    process_meter_open(&worker->meter);
    worker->tcp_memory_fd = tcp_memory_open();
    worker->report = *worker->plan->reload;
    worker->rule_names = rule_names_create();
    return worker->rule_names != NULL ? 0 : -ENOMEM;
}

static int worker_create_parts(struct worker *worker)
{
    const struct worker_plan *plan = worker->plan;
    int error = loop_create(&worker->loop);

    tzset(); /* reads its file once; rules with a time do not read it later */
    if (error == 0)
        error = log_create(STDERR_FILENO, plan->threads + 1, LOG_RING_BYTES, &worker->log);
    if (error == 0)
        error = auth_create(&worker->auth);
    if (error == 0)
        error = limits_create(&worker->limits_shared);
    if (error == 0)
        error = worker_create_dial_gate(worker);
    if (error == 0)
        error = room_create(plan->limits.connections, &worker->room);
    if (error == 0)
        error = worker_create_figures(worker);
    if (error == 0)
        error = worker_create_panel(worker);
    if (error == 0)
        error = worker_create_admin(worker);
    if (error == 0 && plan->control_fd >= 0)
        error = worker_create_control(worker);
    if (error == 0)
        error = watch_open_input(worker->loop, &worker->channel, plan->channel_fd, false,
                                 worker_channel_ready);
    return error;
}

static void worker_destroy_parts(struct worker *worker)
{
    deadline_cancel(worker->loop, &worker->drain_over);
    if (worker->control != NULL)
        control_destroy(worker->control);
    worker_admin_destroy(worker->admin);
    worker_tunnels_destroy(worker->tunnels);
    worker_events_destroy(worker->events);
    worker_explain_destroy(worker->explain);
    worker_trace_destroy(worker->trace);
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_destroy(worker->threads[i]);
    dial_gate_destroy(worker->dial_gate);
    room_destroy(worker->room);
    rule_names_destroy(worker->rule_names);
    process_meter_close(&worker->meter);
    if (worker->tcp_memory_fd >= 0)
        close(worker->tcp_memory_fd);
    snapshot_release(worker->before);
    snapshot_release(worker->snapshot);
    limits_destroy(worker->limits_shared);
    auth_destroy(worker->auth);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(worker->files[i]);
    log_finish(worker->log, LOG_PATIENCE_MS);
    log_destroy(worker->log);
    watch_close(&worker->channel);
    loop_destroy(worker->loop);
}

int worker_run(const struct worker_plan *plan)
{
    /* It is static because a failed start may leave threads behind, which use it to the end. */
    static struct worker worker;

    worker.plan = plan;
    worker.channel.fd = -1;
    worker_messages_init(&worker);
    worker_config_init(&worker);
    process_widen_descriptors(plan->limits.descriptors);
    int error = worker_create_parts(&worker);
    if (error < 0) {
        say("the worker can't start: %s; see 'ulimit -a' and the machine's memory",
            strerror(-error));
        return 1;
    }
    worker.ring = log_ring_at(worker.log, plan->threads);
    error = loop_run(worker.loop);
    ENSURE(error == 0);
    if (worker.exit_status == 0)
        worker_destroy_parts(&worker);
    return worker.exit_status;
}
