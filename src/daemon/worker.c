/* States: starting (waits for the supervisor's two files, since it opens none itself), serving,
 * draining. It drains when the supervisor says so, and also when the supervisor is gone (the
 * channel ends): nobody would replace it then.
 *
 * `adit drain` goes the long way: control socket, here, supervisor, and back as the order to drain,
 * so that there is one place where a drain begins.
 */
#include "daemon/worker.h"

#include "admin/control.h"
#include "admin/stats.h"
#include "daemon/channel.h"
#include "daemon/file_text.h"
#include "daemon/file_watch.h"
#include "daemon/say.h"
#include "daemon/worker_thread.h"
#include "loop/loop.h"
#include "observe/log.h"
#include "policy/policy.h"
#include "tunnel/dial_gate.h"

#include <errno.h>
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
};

enum worker_state { WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING, WORKER_STATE_COUNT };

static const char *const state_names[] = {"starting", "serving", "draining"};
static_assert(ARRAY_LENGTH(state_names) == WORKER_STATE_COUNT, "a name for every state");

/* What the policy is made of: the built-in rule and one for each --from. */
struct rules {
    struct policy_source source;
    struct policy_rule_source rules[1 + SETTINGS_FROM_MAX];
    struct from_rule {
        struct policy_condition conditions[2];
        struct policy_value client;
        char name[sizeof("--from /128") + IP_ENDPOINT_TEXT_SIZE];
    } from[SETTINGS_FROM_MAX];
};

struct worker {
    const struct worker_plan *plan;
    enum worker_state state;
    int exit_status;
    struct loop *loop;
    struct log *log;
    struct log_ring *ring;
    struct rules rules;
    struct policy *policy;
    struct dial_gate *dial_gate;
    struct capacity capacity;
    struct watch channel;
    struct control *control;
    struct file_text *files[WATCHED_FILE_COUNT];
    struct deadline drain_over;
    struct worker_thread *threads[SETTINGS_WORKERS_MAX];
    unsigned thread_count;
    unsigned stopped_count;    /* threads that accept no more */
    unsigned done_count;       /* threads that ended */
    unsigned publishing_count; /* threads whose figures are awaited */
};

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
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
    log_notice(worker->ring, LOG_TOPIC_GENERAL,
               "draining: no new tunnels, open ones may go on for %llu s",
               (unsigned long long)worker->plan->settings->drain_timeout_ms / 1000);
    deadline_set(worker->loop, &worker->drain_over,
                 loop_now_ms(worker->loop) + worker->plan->settings->drain_timeout_ms);
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
     * refused. */
    for (size_t i = 0; i < worker->plan->listener_count; i++)
        close(worker->plan->listener_fds[i]);
}

static void thread_done(void *self)
{
    struct worker *worker = self;

    if (++worker->done_count == worker->thread_count)
        stop(worker, 0);
}

/* -- the control socket */

static void collect_stats(struct worker *worker, struct stats *ret_stats)
{
    uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);

    *ret_stats = (struct stats){
        .workers = worker->thread_count,
        .state = state_names[worker->state],
        .uptime_s = (now_ms - worker->plan->adit_started_ms) / 1000,
        .worker_restarts = worker->plan->restarts,
        .log_dropped = log_dropped(worker->log),
    };
    for (unsigned i = 0; i < worker->thread_count; i++) {
        const struct counters *counters = worker_thread_counters(worker->threads[i]);
        struct resolver_counters dns;

        for (size_t row = 0; row < COUNTER_COUNT; row++)
            ret_stats->counters[row] += counter_read(counters, (enum counter)row);
        worker_thread_dns_counters(worker->threads[i], &dns);
        ret_stats->dns_cache_hits += dns.cache_hits;
        ret_stats->dns_cache_misses += dns.cache_misses;
        ret_stats->dns_questions += dns.questions;
    }
}

static void answer_stats(struct worker *worker)
{
    char line[STATS_SIZE];
    struct stats stats;
    struct text out;

    collect_stats(worker, &stats);
    text_init(&out, line, sizeof(line));
    stats_print_json(&out, &stats);
    control_answer_stats(worker->control, line, out.length);
}

static void thread_published(void *self)
{
    struct worker *worker = self;

    if (--worker->publishing_count == 0)
        answer_stats(worker);
}

static void stats_asked(void *self)
{
    struct worker *worker = self;

    if (worker->publishing_count > 0)
        return;
    /* Threads that are done (while others still drain) answer no more: their last figures do. */
    if (worker->state != WORKER_SERVING) {
        answer_stats(worker);
        return;
    }
    worker->publishing_count = worker->thread_count;
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_publish(worker->threads[i]);
}

static void drain_asked(void *self)
{
    struct worker *worker = self;

    /* A supervisor that is gone or does not read can't object. */
    if (channel_send(worker->plan->channel_fd, CHANNEL_DRAIN, -1) < 0)
        begin_drain(worker);
}

/* -- starting */

static void add_rule(struct rules *rules, const char *name,
                     const struct policy_condition *conditions)
{
    rules->rules[rules->source.rule_count++] = (struct policy_rule_source){.is_allow = true,
                                                                           .name = name,
                                                                           .place = name,
                                                                           .conditions = conditions,
                                                                           .condition_count = 2};
}

/* allow from loopback to any, special */
static void add_built_in(struct rules *rules)
{
    static const struct policy_value loopback = {.kind = POLICY_VALUE_LOOPBACK};
    static const struct policy_value anywhere[] = {{.kind = POLICY_VALUE_ANY},
                                                   {.kind = POLICY_VALUE_SPECIAL}};
    static const struct policy_condition conditions[] = {
        {.kind = POLICY_FROM, .values = &loopback, .value_count = 1},
        {.kind = POLICY_TO, .values = anywhere, .value_count = ARRAY_LENGTH(anywhere)},
    };

    add_rule(rules, "built-in", conditions);
}

/* allow from NETWORK to any */
static void add_from(struct rules *rules, size_t index, const struct ip_network *network)
{
    static const struct policy_value any = {.kind = POLICY_VALUE_ANY};
    struct from_rule *from = &rules->from[index];
    struct text name;

    text_init(&name, from->name, sizeof(from->name));
    text_add(&name, "--from ");
    ip_address_print(&name, &network->address);
    text_add_char(&name, '/');
    text_add_decimal(&name, network->prefix_length);
    from->client = (struct policy_value){.kind = POLICY_VALUE_NETWORK, .network = *network};
    from->conditions[0] =
        (struct policy_condition){.kind = POLICY_FROM, .values = &from->client, .value_count = 1};
    from->conditions[1] =
        (struct policy_condition){.kind = POLICY_TO, .values = &any, .value_count = 1};
    add_rule(rules, from->name, from->conditions);
}

static int create_policy(struct worker *worker)
{
    const struct worker_plan *plan = worker->plan;
    const struct settings *settings = plan->settings;
    struct rules *rules = &worker->rules;

    rules->source.rules = rules->rules;
    add_built_in(rules);
    for (size_t i = 0; i < settings->from_count; i++)
        add_from(rules, i, &settings->from[i]);
    return policy_compile(&rules->source, plan->listeners, plan->listener_count, &worker->policy);
}

static int create_dial_gate(struct worker *worker)
{
    const struct dial_limits limits = {.total = DIALS_MAX,
                                       .per_client = DIALS_PER_CLIENT,
                                       .waiting_per_client = DIALS_WAITING_PER_CLIENT};

    return dial_gate_create(&limits, &worker->dial_gate);
}

static struct worker_thread_plan plan_thread(struct worker *worker, unsigned index, uint64_t seed)
{
    const struct worker_plan *plan = worker->plan;
    const struct settings *settings = plan->settings;
    unsigned pipes = plan->limits.pipes / plan->threads;

    return (struct worker_thread_plan){
        .index = index,
        .process_seed = seed,
        .listener_fds = plan->listener_fds,
        .listeners = plan->listeners,
        .listener_count = plan->listener_count,
        .policy = worker->policy,
        .dial_gate = worker->dial_gate,
        .capacity = &worker->capacity,
        .log = log_ring_at(worker->log, index),
        .timeouts = {.dial_ms = settings->dial_timeout_ms,
                     .idle_ms = settings->idle_timeout_ms,
                     .half_closed_ms = settings->half_closed_timeout_ms,
                     .stuck_ms = settings->stuck_timeout_ms},
        .front_timeouts = {.head_ms = settings->head_timeout_ms},
        .dns_timeout_ms = settings->dns_timeout_ms,
        .relay_limits = {.mode = plan->relay_mode,
                         .pipes = pipes > 0 ? pipes : 1,
                         .stash_bytes = STASH_BYTES / plan->threads},
        .files = worker->files,
    };
}

static int create_threads(struct worker *worker)
{
    const struct worker_thread_owner owner = {.loop = worker->loop,
                                              .stopped_accepting = thread_stopped_accepting,
                                              .published = thread_published,
                                              .done = thread_done,
                                              .self = worker};
    uint64_t seed = clock_ms(CLOCK_REALTIME);

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
    worker->state = WORKER_SERVING;
    /* Without a supervisor there is nobody to tell; the channel's end says so in a moment. */
    int ignored = channel_send(worker->plan->channel_fd, CHANNEL_READY, -1);
    (void)ignored;
}

static void take_file(struct worker *worker, enum watched_file file, int fd)
{
    struct file_text *text = file_text_read(fd);

    if (fd >= 0)
        close(fd);
    if (text == NULL) {
        if (worker->state == WORKER_STARTING)
            fail_to_start(worker, "reading files", -ENOMEM);
        return;
    }
    file_text_release(worker->files[file]);
    worker->files[file] = text;
    for (unsigned i = 0; i < worker->thread_count && worker->state == WORKER_SERVING; i++)
        worker_thread_set_file(worker->threads[i], file, text);
    if (worker->state == WORKER_STARTING && worker->files[WATCHED_HOSTS] != NULL &&
        worker->files[WATCHED_RESOLV_CONF] != NULL)
        start_threads(worker);
}

static void take_message(struct worker *worker, const struct channel_message *message)
{
    switch (message->kind) {
    case CHANNEL_HOSTS:
        take_file(worker, WATCHED_HOSTS, message->fd);
        break;
    case CHANNEL_RESOLV_CONF:
        take_file(worker, WATCHED_RESOLV_CONF, message->fd);
        break;
    case CHANNEL_DRAIN:
        begin_drain(worker);
        break;
    case CHANNEL_END:
        begin_drain(worker);
        end_threads(worker);
        break;
    case CHANNEL_READY:
    case CHANNEL_KIND_COUNT:
        break;
    }
}

static void channel_ready(struct watch *watch, uint32_t events)
{
    struct worker *worker = container_of(watch, struct worker, channel);
    struct channel_message message;

    (void)events;
    int error = channel_receive(watch->fd, &message);
    if (error == 0) {
        take_message(worker, &message);
    } else if (error != -EAGAIN) {
        watch_take_fd(worker->loop, watch);
        begin_drain(worker);
    }
}

static int create_shared_parts(struct worker *worker)
{
    static const struct control_ops ops = {.stats_asked = stats_asked, .drain_asked = drain_asked};
    const struct worker_plan *plan = worker->plan;
    int error = loop_create(&worker->loop);

    tzset(); /* reads its file once; rules with a time do not read it later */
    if (error == 0)
        error = log_create(STDERR_FILENO, plan->threads + 1, LOG_RING_BYTES, &worker->log);
    if (error == 0)
        error = create_policy(worker);
    if (error == 0)
        error = create_dial_gate(worker);
    if (error == 0 && plan->control_fd >= 0)
        error = control_create(worker->loop, plan->control_fd, &ops, worker, &worker->control);
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
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_destroy(worker->threads[i]);
    dial_gate_destroy(worker->dial_gate);
    policy_destroy(worker->policy);
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
    worker.capacity.limit = plan->limits.connections;
    deadline_init(&worker.drain_over, drain_time_is_over);
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
