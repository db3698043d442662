/* States: starting (waits for the supervisor's two files and the configuration, since it opens no
 * file itself), serving, draining. It drains when the supervisor says so, and also when the
 * supervisor is gone (the channel ends): nobody would replace it then.
 *
 * A configuration comes as a bundle (process/bundle.h) with all listeners, at the start as at a
 * reload; those that are known already are recognised by their id. A reload has two steps: every
 * thread goes over to the new snapshot (CHANNEL_TAKEN tells the supervisor); then, when the
 * supervisor has closed its copies (CHANNEL_RELOADED), the listeners that are no longer wanted are
 * emptied, closed, and whoever asked for the reload gets the answer (CHANNEL_READY).
 *
 * `adit drain` and `adit reload` go the long way: control socket, here, supervisor, and back, so
 * that there is one place where they begin.
 */
#include "worker/worker.h"

#include "access/auth.h"
#include "access/dial_gate.h"
#include "access/limits.h"
#include "admin/control.h"
#include "loop/loop.h"
#include "net/room.h"
#include "net/tcp_memory.h"
#include "observe/access_log.h"
#include "observe/log.h"
#include "observe/process_figures.h"
#include "observe/rule_names.h"
#include "policy/policy.h"
#include "process/bundle.h"
#include "process/channel.h"
#include "process/file_text.h"
#include "process/file_watch.h"
#include "process/reload_result.h"
#include "system/clock.h"
#include "system/say.h"
#include "worker/snapshot.h"
#include "worker/worker_admin.h"
#include "worker/worker_files.h"
#include "worker/worker_notices.h"
#include "worker/worker_thread.h"
#include "worker/worker_views.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_RING_BYTES = 256 * 1024,    /* a thread: 50 ms at 20,000 lines a second */
    LOG_PATIENCE_MS = 500,          /* at the end, with a sink that hangs */
    STASH_BYTES = 64 * 1024 * 1024, /* in all: bytes held in user memory */
    DIALS_MAX = 1024,
    DIALS_PER_CLIENT = 128,
    DIALS_WAITING_PER_CLIENT = 2048, /* npm opens over 1,000 tunnels at once */
    SLOTS_MAX = 1024,                /* different addresses listened to in a worker's life */
};

enum worker_state { WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING, WORKER_STATE_COUNT };

static const char *const state_names[] = {"starting", "serving", "draining"};
static_assert(ARRAY_LENGTH(state_names) == WORKER_STATE_COUNT, "a name for every state");

struct worker {
    const struct worker_plan *plan;
    enum worker_state state;
    int exit_status;
    struct loop *loop;
    struct log *log;
    struct log_ring *ring;
    struct snapshot *snapshot; /* what all threads go by, or are about to; NULL: none yet */
    struct snapshot *before;   /* NULL, or while a reload goes on: what it replaces */
    struct auth *auth;
    struct limits *limits_shared;
    struct dial_gate *dial_gate;
    struct rule_names *rules;
    struct process_meter meter;
    struct reload_report report;
    struct room *room;
    int tcp_memory_fd;
    struct watch channel;
    struct worker_views *views;
    struct control *control;
    struct worker_admin *admin;
    struct file_text *files[WATCHED_FILE_COUNT];
    struct deadline drain_over;
    struct ip_endpoint slots_bound[SLOTS_MAX]; /* every listener there ever was */
    struct ip_endpoint slots_written[SLOTS_MAX];
    unsigned slot_count;
    struct worker_thread *threads[SETTINGS_WORKERS_MAX];
    unsigned thread_count;
    unsigned stopped_count;  /* threads that accept no more */
    unsigned done_count;     /* threads that ended */
    unsigned applying_count; /* threads that do not go by the new snapshot yet */
    unsigned retiring_count; /* threads that still listen to old listeners */
    int apply_error;
    char reload_answer[CHANNEL_TEXT_MAX + 1];
    struct reload_result result; /* of `reload_answer` */
};

/* -- listeners */

/* The descriptor by which the worker knows this socket already, or -1. */
static int find_listener_fd(const struct snapshot *snapshot, uint64_t id)
{
    for (size_t i = 0; snapshot != NULL && i < snapshot->listener_count; i++)
        if (snapshot->listeners[i].id == id)
            return snapshot->listeners[i].fd;
    return -1;
}

static void close_listeners(const struct snapshot *snapshot, const struct snapshot *kept)
{
    for (size_t i = 0; i < snapshot->listener_count; i++)
        if (find_listener_fd(kept, snapshot->listeners[i].id) < 0)
            close(snapshot->listeners[i].fd);
}

/* What a reload has replaced serves nobody any more. */
static void forget_before(struct worker *worker)
{
    if (worker->before == NULL)
        return;
    close_listeners(worker->before, worker->snapshot);
    snapshot_release(worker->before);
    worker->before = NULL;
}

/* -- ending */

static void stop(struct worker *worker, int exit_status)
{
    worker->exit_status = exit_status;
    loop_stop(worker->loop);
}

static void fail_to_start(struct worker *worker, const char *what, int error)
{
    say("the worker can't start: %s: %s; see 'ulimit -a' and the machine's memory", what,
        strerror(-error));
    stop(worker, 1);
}

static void begin_drain(struct worker *worker)
{
    bool is_serving = worker->state == WORKER_SERVING;

    if (worker->state == WORKER_DRAINING)
        return;
    worker->state = WORKER_DRAINING;
    if (!is_serving) {
        stop(worker, 0);
        return;
    }
    uint64_t drain_ms = worker->snapshot->config->values.drain_timeout_ms;
    worker_notice_drain(worker->ring, drain_ms);
    deadline_set(worker->loop, &worker->drain_over, loop_now_ms(worker->loop) + drain_ms);
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_drain(worker->threads[i]);
}

static void end_threads(struct worker *worker)
{
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_end(worker->threads[i]);
}

static void drain_time_is_over(struct deadline *deadline)
{
    end_threads(container_of(deadline, struct worker, drain_over));
}

static void thread_stopped_accepting(void *self)
{
    struct worker *worker = self;

    if (++worker->stopped_count < worker->thread_count)
        return;
    /* The queues are empty. The supervisor has closed its copies: from here on, connects are
     * refused; also where only a configuration listens whose reload this drain has overtaken. */
    forget_before(worker);
    for (size_t i = 0; i < worker->snapshot->listener_count; i++)
        if (!worker->snapshot->listeners[i].is_admin) /* it serves to the end, and says so */
            close(worker->snapshot->listeners[i].fd);
}

static void thread_done(void *self)
{
    struct worker *worker = self;

    if (++worker->done_count == worker->thread_count)
        stop(worker, 0);
}

/* -- what is asked from outside */

static void look_at(void *self, struct worker_look *ret_look)
{
    const struct worker *worker = self;

    *ret_look = (struct worker_look){
        .threads = worker->threads,
        .thread_count = worker->thread_count,
        .state = state_names[worker->state],
        .adit_started_ms = worker->plan->adit_started_ms,
        .restarts = worker->plan->restarts,
        .log = worker->log,
        .auth = worker->auth,
        .rules = worker->rules,
        .meter = &worker->meter,
        .room = worker->room,
        .reload = &worker->report,
        .snapshot = worker->snapshot,
        .files = worker->files,
        .admin = worker_admin_counters(worker->admin),
    };
}

static void thread_answered(void *self)
{
    struct worker *worker = self;

    worker_views_thread_answered(worker->views);
}

static void thread_happened(void *self)
{
    struct worker *worker = self;

    worker_views_happened(worker->views);
}

static uint64_t drain_asked(void *self)
{
    struct worker *worker = self;
    uint64_t now_ms = loop_now_ms(worker->loop);

    /* A supervisor that is gone or does not read can't object. */
    if (channel_send(worker->plan->channel_fd, CHANNEL_DRAIN, -1) < 0)
        begin_drain(worker);
    if (worker->snapshot == NULL) /* not even started */
        return 0;
    if (!deadline_is_set(&worker->drain_over))
        return worker->snapshot->config->values.drain_timeout_ms;
    return worker->drain_over.at_ms > now_ms ? worker->drain_over.at_ms - now_ms : 0;
}

static void reload_asked(void *self)
{
    struct worker *worker = self;
    int error = channel_send(worker->plan->channel_fd, CHANNEL_RELOAD, -1);

    if (error < 0)
        control_answer_reload(worker->control, 1, false, "adit: the supervisor does not answer\n");
}

static void note(void *self, const char *words)
{
    struct worker *worker = self;

    log_notice(worker->ring, LOG_TOPIC_GENERAL, "%s", words);
}

/* -- the configuration */

/* The listener's place in the table of all there ever were, or -ENOSPC. */
static int find_slot(struct worker *worker, const struct sent_listener *listener)
{
    unsigned slot = 0;

    while (slot < worker->slot_count &&
           !(ip_endpoint_equals(&worker->slots_bound[slot], &listener->bound) &&
             ip_endpoint_equals(&worker->slots_written[slot], &listener->written)))
        slot++;
    if (slot == SLOTS_MAX)
        return -ENOSPC;
    if (slot == worker->slot_count) {
        /* Behind what threads look at: they learn of it with the snapshot. */
        worker->slots_bound[slot] = listener->bound;
        worker->slots_written[slot] = listener->written;
        worker->slot_count++;
    }
    return (int)slot;
}

/* The same as `configuration_send` sent; takes the descriptors that are used. */
static int read_listeners(struct worker *worker, const struct bundle *bundle,
                          struct channel_message *message, size_t first_fd,
                          struct snapshot_listener *listeners)
{
    size_t length;
    const struct sent_listener *sent = bundle_extra(bundle, &length);
    size_t count = length / sizeof(*sent);

    if (message->fd_count - first_fd != count)
        return -EMFILE;
    for (size_t i = 0; i < count; i++) {
        int slot = find_slot(worker, &sent[i]);

        if (slot < 0)
            return slot;
        listeners[i] = (struct snapshot_listener){.written = sent[i].written,
                                                  .bound = sent[i].bound,
                                                  .id = sent[i].id,
                                                  .fd = message->fds[first_fd + i],
                                                  .slot = (unsigned)slot,
                                                  .takes_v4 = sent[i].takes_v4,
                                                  .is_admin = sent[i].is_admin};
        int known_fd = find_listener_fd(worker->snapshot, sent[i].id);
        if (known_fd >= 0) {
            close(message->fds[first_fd + i]);
            listeners[i].fd = known_fd;
            message->fds[first_fd + i] = -1;
        }
    }
    return (int)count;
}

static const char *name_log(const struct config *config)
{
    return config->log_path != NULL ? config->log_path : "stdout";
}

static void use_log(struct worker *worker, const struct config *config, int log_fd)
{
    static_assert((int)CONFIG_LOG_LOGFMT == (int)LOG_FORMAT_LOGFMT &&
                      (int)CONFIG_LOG_JSON == (int)LOG_FORMAT_JSON &&
                      (int)CONFIG_LOG_SQUID == (int)LOG_FORMAT_SQUID &&
                      (int)CONFIG_LOG_FORMAT_COUNT == (int)LOG_FORMAT_COUNT,
                  "the same formats");
    static_assert((int)CONFIG_LOG_AUTH_FAILURE == (int)ACCESS_AUTH_FAILURE &&
                      (int)CONFIG_LOG_EVENT_COUNT == (int)ACCESS_EVENT_COUNT,
                  "the same events");
    bool is_off = config->log_target == CONFIG_LOG_OFF;
    const struct log_style style = {.format = (enum log_format)config->log_format,
                                    .events = is_off ? 0 : config->log_events};

    log_set_style(worker->log, &style);
    if (log_fd < 0)
        log_fd = fcntl(config->log_target == CONFIG_LOG_STDOUT ? STDOUT_FILENO : STDERR_FILENO,
                       F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (log_fd >= 0)
        log_set_sink(worker->log, log_fd, name_log(config));
}

/* So that their counts begin with a zero, from which a first denial can be told. */
static void announce_rules(struct worker *worker, const struct snapshot *snapshot)
{
    const struct policy_source *source = &snapshot->config->policy;

    rule_names_announce_anew(worker->rules, POLICY_DEFAULT_RULE);
    for (size_t i = 0; i < source->rule_count; i++)
        if (!source->rules[i].is_report)
            rule_names_announce(worker->rules, source->rules[i].name);
}

static void use_admin(struct worker *worker)
{
    bool is_there = worker_admin_use(worker->admin, worker->snapshot, worker->files[WATCHED_HOSTS]);

    worker_views_keep_history(worker->views, is_there);
}

/* The snapshot of what was sent; the message keeps what descriptors are left. 0 or -errno. */
static int read_snapshot(struct worker *worker, struct channel_message *message,
                         struct snapshot **ret_snapshot, int *ret_log_fd)
{
    const struct settings *settings = worker->plan->settings;
    const struct config_overrides overrides = snapshot_overrides(settings);
    struct snapshot_listener listeners[SNAPSHOT_LISTENERS_MAX];
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;
    struct bundle bundle;
    int error = message->fd_count > 0 ? bundle_open(message->fds[0], &bundle) : -EBADMSG;

    if (error < 0)
        return error;
    error = config_parse(&bundle.reader, settings->config_path, &overrides, &config, &diagnostics);
    diagnostics_destroy(diagnostics);
    if (error == 0) {
        size_t first = config->log_target == CONFIG_LOG_FILE ? 2 : 1;
        int count = read_listeners(worker, &bundle, message, first, listeners);

        *ret_log_fd = first == 2 ? message->fds[1] : -1;
        if (count >= 0)
            error = snapshot_create(config, listeners, (size_t)count, ret_snapshot);
        else
            config_destroy(config);
        error = count < 0 ? count : error;
    }
    bundle_close(&bundle);
    return error;
}

/* Descriptors that the new snapshot did not take. */
static void close_left(struct channel_message *message, bool is_taken)
{
    close(message->fds[0]);
    for (size_t i = 1; !is_taken && i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
}

static void tell_taken(struct worker *worker, const char *why_not)
{
    /* Without a supervisor there is nobody to tell; the channel's end says so in a moment. */
    int ignored = channel_send_all(worker->plan->channel_fd, CHANNEL_TAKEN, NULL, 0, why_not,
                                   strlen(why_not));
    (void)ignored;
}

static void thread_applied(void *self, int error)
{
    struct worker *worker = self;

    if (error < 0)
        worker->apply_error = error;
    if (--worker->applying_count > 0)
        return;
    if (worker->apply_error < 0)
        log_notice(worker->ring, LOG_TOPIC_GENERAL, "a thread can't watch a new listener: %s",
                   strerror(-worker->apply_error));
    tell_taken(worker, "");
}

/* Everything that can fail has been done: memory that runs out now ends the worker, and the
 * supervisor starts another one, by the new configuration or the old. */
static void apply_snapshot(struct worker *worker, struct snapshot *snapshot, int log_fd)
{
    worker->before = worker->snapshot;
    worker->snapshot = snapshot;
    worker->apply_error = 0;
    worker->applying_count = worker->thread_count;
    use_log(worker, snapshot->config, log_fd);
    announce_rules(worker, snapshot);
    use_admin(worker);
    for (unsigned i = 0; i < worker->thread_count; i++) {
        int error = worker_thread_apply(worker->threads[i], snapshot);
        ENSURE(error == 0);
    }
}

static void start_if_complete(struct worker *worker);

static const char *why_not_taken(int error)
{
    static_assert(SLOTS_MAX == 1024, "as the text says");
    if (error == -ENOSPC)
        return "adit has listened on 1,024 different addresses since its start, and counts by no "
               "more; restart it";
    return error < 0 ? strerror(-error) : "it drains";
}

static void take_config(struct worker *worker, struct channel_message *message)
{
    struct snapshot *snapshot = NULL;
    int log_fd = -1;
    int error = read_snapshot(worker, message, &snapshot, &log_fd);

    ENSURE(error < 0 || snapshot != NULL);
    if (message->fd_count > 0)
        close_left(message, error == 0);
    if (error < 0 && worker->state == WORKER_STARTING) {
        fail_to_start(worker, "taking its configuration", error);
    } else if (worker->state == WORKER_STARTING) {
        worker->snapshot = snapshot;
        use_log(worker, snapshot->config, log_fd);
        announce_rules(worker, snapshot);
        start_if_complete(worker);
    } else if (error == 0 && worker->state == WORKER_SERVING) {
        apply_snapshot(worker, snapshot, log_fd);
    } else {
        if (error == 0)
            close_listeners(snapshot, worker->snapshot);
        snapshot_release(snapshot);
        tell_taken(worker, why_not_taken(error));
    }
}

static void answer_reload(struct worker *worker)
{
    const struct reload_result *result = &worker->result;

    if (worker->control != NULL)
        control_answer_reload(worker->control, result->asks, result->is_good, result->message);
}

static void thread_retired(void *self)
{
    struct worker *worker = self;

    if (--worker->retiring_count > 0)
        return;
    forget_before(worker);
    answer_reload(worker);
    int ignored = channel_send(worker->plan->channel_fd, CHANNEL_READY, -1);
    (void)ignored;
}

static void end_reload(struct worker *worker, const struct channel_message *message)
{
    memcpy(worker->reload_answer, message->text, message->length + 1);
    reload_result_parse(worker->reload_answer, &worker->result);
    reload_report_note(&worker->report, clock_wall_ms(), worker->result.is_good,
                       worker->plan->settings->config_path, worker->result.message);
    worker_notice_reload(worker->ring, &worker->result, &worker->report);
    if (worker->before == NULL || worker->state != WORKER_SERVING) {
        answer_reload(worker);
        return;
    }
    worker->retiring_count = worker->thread_count;
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_retire(worker->threads[i]);
}

/* -- starting */

static int create_dial_gate(struct worker *worker)
{
    const struct fair_limits limits = {.total = DIALS_MAX,
                                       .per_client = DIALS_PER_CLIENT,
                                       .waiting_per_client = DIALS_WAITING_PER_CLIENT};

    return dial_gate_create(&limits, &worker->dial_gate);
}

static struct worker_thread_plan plan_thread(struct worker *worker, unsigned index, uint64_t seed)
{
    const struct worker_plan *plan = worker->plan;
    unsigned pipes = plan->limits.pipes / plan->threads;

    return (struct worker_thread_plan){
        .index = index,
        .threads = worker->threads,
        .thread_count = plan->threads,
        .process_seed = seed,
        .snapshot = worker->snapshot,
        .slots_bound = worker->slots_bound,
        .slots_written = worker->slots_written,
        .auth = worker->auth,
        .limits = worker->limits_shared,
        .dial_gate = worker->dial_gate,
        .rules = worker->rules,
        .room = worker->room,
        .tcp_memory_fd = worker->tcp_memory_fd,
        .log = log_ring_at(worker->log, index),
        .relay_limits = {.mode = plan->relay_mode,
                         .pipes = pipes > 0 ? pipes : 1,
                         .stash_bytes = STASH_BYTES / plan->threads},
        .files = worker->files,
    };
}

static int create_threads(struct worker *worker)
{
    const struct worker_thread_owner owner = {.loop = worker->loop,
                                              .applied = thread_applied,
                                              .retired = thread_retired,
                                              .stopped_accepting = thread_stopped_accepting,
                                              .answered = thread_answered,
                                              .happened = thread_happened,
                                              .done = thread_done,
                                              .self = worker};
    uint64_t seed = clock_wall_ms();

    while (worker->thread_count < worker->plan->threads) {
        const struct worker_thread_plan plan = plan_thread(worker, worker->thread_count, seed);
        int error = worker_thread_create(&plan, &owner, &worker->threads[worker->thread_count]);

        if (error < 0)
            return error;
        worker->thread_count++;
    }
    return 0;
}

/* Threads that already run when one can't be started end with the process. */
static void start_threads(struct worker *worker)
{
    int error = log_start(worker->log);

    if (error == 0)
        error = create_threads(worker);
    for (unsigned i = 0; error == 0 && i < worker->thread_count; i++)
        error = worker_thread_start(worker->threads[i]);
    if (error < 0) {
        fail_to_start(worker, "creating its threads", error);
        return;
    }
    worker_views_watch_threads(worker->views);
    worker->state = WORKER_SERVING;
    use_admin(worker);
    /* Without a supervisor there is nobody to tell; the channel's end says so in a moment. */
    int ignored = channel_send(worker->plan->channel_fd, CHANNEL_READY, -1);
    (void)ignored;
}

static void take_file(struct worker *worker, enum watched_file file, int fd)
{
    struct file_text *text = worker_files_take(file, fd, worker->ring);

    if (text == NULL) {
        if (worker->state == WORKER_STARTING)
            fail_to_start(worker, "reading files", -ENOMEM);
        return;
    }
    file_text_release(worker->files[file]);
    worker->files[file] = text;
    for (unsigned i = 0; i < worker->thread_count && worker->state == WORKER_SERVING; i++)
        worker_thread_set_file(worker->threads[i], file, text);
    if (file == WATCHED_HOSTS && worker->state == WORKER_SERVING)
        use_admin(worker); /* the machine's name may stand there */
    start_if_complete(worker);
}

static void start_if_complete(struct worker *worker)
{
    if (worker->state == WORKER_STARTING && worker->files[WATCHED_HOSTS] != NULL &&
        worker->files[WATCHED_RESOLV_CONF] != NULL && worker->snapshot != NULL)
        start_threads(worker);
}

static void take_message(struct worker *worker, struct channel_message *message)
{
    switch (message->kind) {
    case CHANNEL_HOSTS:
        take_file(worker, WATCHED_HOSTS, message->fd_count > 0 ? message->fds[0] : -1);
        break;
    case CHANNEL_RESOLV_CONF:
        take_file(worker, WATCHED_RESOLV_CONF, message->fd_count > 0 ? message->fds[0] : -1);
        break;
    case CHANNEL_CONFIG:
        take_config(worker, message);
        break;
    case CHANNEL_LOG:
        if (message->fd_count > 0 && worker->snapshot != NULL)
            log_set_sink(worker->log, message->fds[0], name_log(worker->snapshot->config));
        break;
    case CHANNEL_RELOADED:
        end_reload(worker, message);
        break;
    case CHANNEL_DRAIN:
        worker_notice_signalled(worker->ring, "drain", message->text);
        begin_drain(worker);
        break;
    case CHANNEL_END:
        worker_notice_signalled(worker->ring, "an end at once", message->text);
        begin_drain(worker);
        end_threads(worker);
        break;
    case CHANNEL_READY:
    case CHANNEL_RELOAD:
    case CHANNEL_TAKEN:
    case CHANNEL_KIND_COUNT:
        break;
    }
}

/* There was no room for its descriptors. A file that could not be taken stays as it was. */
static void miss_message(struct worker *worker, enum channel_kind kind)
{
    if (worker->state == WORKER_STARTING)
        fail_to_start(worker, "taking what it serves with", -EMFILE);
    else if (kind == CHANNEL_CONFIG)
        tell_taken(worker, "no descriptors are left for its listeners");
}

static void channel_ready(struct watch *watch, uint32_t events)
{
    struct worker *worker = container_of(watch, struct worker, channel);
    struct channel_message message;

    (void)events;
    int error = channel_receive(watch->fd, CHANNEL_AT_WORKER, &message);
    if (error == 0) {
        take_message(worker, &message);
    } else if (error == -EMFILE) {
        miss_message(worker, message.kind);
    } else if (error != -EAGAIN) {
        watch_take_fd(worker->loop, watch);
        begin_drain(worker);
    }
}

static int create_control(struct worker *worker)
{
    const struct control_owner owner = {
        .reload = reload_asked, .drain = drain_asked, .note = note, .self = worker};

    return control_create(worker->loop, worker->plan->control_fd, worker_views_ops(worker->views),
                          &owner, &worker->control);
}

static int create_admin(struct worker *worker)
{
    static_assert(SETTINGS_WORKERS_MAX < ACCESS_IDS_THREADS_MAX, "one more for this thread");
    const struct http_server_plan plan = {
        .loop = worker->loop,
        .views = worker_views_ops(worker->views),
        .auth = worker->auth,
        .log = log_ring_at(worker->log, worker->plan->threads),
        .events = worker_views_events(worker->views),
        .process_seed = clock_wall_ms(),
        .thread = worker->plan->threads,
        .connections_max = worker->plan->limits.admin_connections,
    };

    return worker_admin_create(&plan, &worker->admin);
}

static int create_figures(struct worker *worker)
{
    process_meter_open(&worker->meter);
    worker->tcp_memory_fd = tcp_memory_open();
    worker->report = *worker->plan->reload;
    worker->rules = rule_names_create();
    return worker->rules != NULL ? 0 : -ENOMEM;
}

static int create_shared_parts(struct worker *worker)
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
        error = create_dial_gate(worker);
    if (error == 0)
        error = room_create(plan->limits.connections, &worker->room);
    if (error == 0)
        error = create_figures(worker);
    if (error == 0)
        error = worker_views_create(worker->loop, look_at, worker, &worker->views);
    if (error == 0)
        error = create_admin(worker);
    if (error == 0 && plan->control_fd >= 0)
        error = create_control(worker);
    if (error == 0)
        error = watch_open_input(worker->loop, &worker->channel, plan->channel_fd, false,
                                 channel_ready);
    return error;
}

static void destroy_parts(struct worker *worker)
{
    deadline_cancel(worker->loop, &worker->drain_over);
    if (worker->control != NULL)
        control_destroy(worker->control);
    worker_admin_destroy(worker->admin);
    worker_views_destroy(worker->views);
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_destroy(worker->threads[i]);
    dial_gate_destroy(worker->dial_gate);
    room_destroy(worker->room);
    rule_names_destroy(worker->rules);
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
    static struct worker
        worker; /* reachable to the end, when a failed start leaves threads behind */

    worker.plan = plan;
    worker.channel.fd = -1;
    deadline_init(&worker.drain_over, drain_time_is_over);
    process_widen_descriptors(plan->limits.descriptors);
    int error = create_shared_parts(&worker);
    if (error < 0) {
        say("the worker can't start: %s; see 'ulimit -a' and the machine's memory",
            strerror(-error));
        return 1;
    }
    worker.ring = log_ring_at(worker.log, plan->threads);
    error = loop_run(worker.loop);
    ENSURE(error == 0);
    if (worker.exit_status == 0)
        destroy_parts(&worker);
    return worker.exit_status;
}
