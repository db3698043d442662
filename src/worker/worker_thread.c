/* The main thread creates all parts before the thread runs and frees them after it ended, so that a
 * start that fails is an ordinary error and nothing is ever shared half-made.
 *
 * In between, the two talk through one mailbox: flags and files under a lock, and a letter each way
 * that is in the post at most once. Orders that come while a letter is under way join it.
 *
 * A thread's life: serving, draining (accepts no more; looks every 20 ms whether its last tunnel
 * and its last connection are gone), ended (everything was closed by force), done (its loop stops).
 */
#include "worker/worker_thread.h"

#include "admin/memory_text.h"
#include "loop/loop.h"
#include "net/acceptor.h"
#include "net/room.h"
#include "observe/event_feed.h"
#include "observe/log.h"
#include "observe/talkers.h"
#include "process/file_text.h"
#include "tunnel/relief.h"
#include "tunnel/tunnel.h"
#include "worker/handover.h"
#include "worker/snapshot.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DRAIN_LOOK_MS = 20,
    DRAIN_ACCEPTS_MAX = 4096, /* the backlog of a listener */
    KILLS_PER_TURN = 64,      /* about a millisecond */
    CACHE_LINE = 64,
};

enum order_bits {
    ORDER_DRAIN = 1,
    ORDER_END = 2,
    ORDER_LIST = 4,
    ORDER_KILL = 8,
    ORDER_RETIRE = 16,
    ORDER_TELL = 32,
};
enum report_bits {
    REPORT_STOPPED = 1,
    REPORT_ANSWERED = 2,
    REPORT_DONE = 4,
    REPORT_APPLIED = 8,
    REPORT_RETIRED = 16,
    REPORT_HAPPENED = 32,
};

/* This thread's hold on a snapshot: as long as it, or a tunnel of it, goes by it. */
struct thread_rules {
    struct tunnel_rules rules;
    struct snapshot *snapshot;
};

struct mailbox {
    pthread_mutex_t lock;
    unsigned orders;                             /* to the thread */
    unsigned reports;                            /* to the main thread */
    struct file_text *files[WATCHED_FILE_COUNT]; /* new ones; NULL: none */
    struct thread_rules *next_rules;             /* NULL: none */
    int apply_error;
    struct tunnel_filter filter; /* of the question */
    struct worker_thread_answer answer;
    struct letter order_letter;
    struct letter report_letter;
    bool is_order_posted;
    bool is_report_posted;
};

struct worker_thread {
    _Alignas(CACHE_LINE) struct counters counters; /* written often, by this thread only */
    struct event_feed events;
    struct talkers talkers;
    _Alignas(CACHE_LINE) struct tunnel_env env;
    struct thread_rules *rules;
    struct file_text *files[WATCHED_FILE_COUNT]; /* that the resolver goes by; of resolv.conf only
                                                    when the configuration names no servers */
    struct loop *loop;
    struct resolver *resolver;
    struct relay_env *relays;
    struct front *front;
    struct acceptor *acceptor;
    struct handover *handover;
    struct worker_thread *const *threads;
    unsigned thread_count;
    unsigned looks; /* at other threads */
    struct deadline drain_look;
    struct tunnel_filter kill_filter;
    struct task kill_more;
    size_t killed_count;
    bool is_killing; /* the answer is owed */
    struct worker_thread_owner owner;
    struct mailbox mailbox;
    unsigned index;
    pthread_t id;
    bool is_started;
    bool is_done;  /* for the main thread */
    bool is_asked; /* for the main thread: and has not answered */
};

/* -- on the thread */

static void report(struct worker_thread *thread, unsigned bits)
{
    struct mailbox *mailbox = &thread->mailbox;

    pthread_mutex_lock(&mailbox->lock);
    mailbox->reports |= bits;
    bool is_posting = !mailbox->is_report_posted;
    mailbox->is_report_posted = true;
    pthread_mutex_unlock(&mailbox->lock);
    if (is_posting)
        letter_post(thread->owner.loop, &mailbox->report_letter);
}

static void something_happened(void *self)
{
    report(self, REPORT_HAPPENED);
}

/* NULL: this one should keep what it accepted. Looks at one other thread each time: over a few
 * connections that is as good as looking at all, and 64 threads would cost a microsecond. */
static struct worker_thread *find_idler(struct worker_thread *thread)
{
    unsigned others = thread->thread_count - 1;

    if (others == 0 || thread->env.is_draining)
        return NULL;
    unsigned step = 1 + thread->looks++ % others;
    struct worker_thread *other = thread->threads[(thread->index + step) % thread->thread_count];
    uint64_t mine = counter_read(&thread->counters, COUNTER_CONNECTIONS_OPEN);
    uint64_t theirs = counter_read(&other->counters, COUNTER_CONNECTIONS_OPEN) +
                      handover_waiting(other->handover);
    return mine > theirs + theirs / 2 + 1 ? other : NULL;
}

/* A connection in a box has no place yet among those that the process may have. */
static bool is_room_short(const struct worker_thread *thread)
{
    const struct room *room = thread->env.room;

    return room_taken(room) + HANDOVER_MAX * thread->thread_count >= room_limit(room);
}

static bool hand_over(struct worker_thread *thread, const struct handed *handed)
{
    struct worker_thread *other = find_idler(thread);

    return other != NULL && !is_room_short(thread) &&
           handover_give(other->handover, thread->rules->snapshot, handed);
}

static void accepted(void *self, int fd, const struct ip_endpoint *client, unsigned listener,
                     bool is_last_descriptor)
{
    struct worker_thread *thread = self;
    const struct handed handed = {.fd = fd, .listener = listener, .client = *client};

    if (is_last_descriptor)
        front_refuse_at_once(thread->front, fd, client, listener);
    else if (!hand_over(thread, &handed))
        front_accept(thread->front, fd, client, listener);
}

static bool is_ready(void *self)
{
    const struct worker_thread *thread = self;

    return front_is_ready(thread->front);
}

static void take_over(void *self, const struct handed *handed)
{
    struct worker_thread *thread = self;

    front_accept(thread->front, handed->fd, &handed->client, handed->listener);
}

static void use_name_servers(struct worker_thread *thread)
{
    const struct config *config = thread->rules->snapshot->config;

    const struct file_text *resolv_conf = thread->files[WATCHED_RESOLV_CONF];

    if (config->has_resolver)
        resolver_use_servers(thread->resolver, &config->resolver);
    else
        resolver_set_servers(thread->resolver, resolv_conf->bytes, resolv_conf->length);
}

static void use_file(struct worker_thread *thread, enum watched_file file, struct file_text *text)
{
    struct file_text *before = thread->files[file];

    thread->files[file] = file_text_hold(text);
    if (file == WATCHED_RESOLV_CONF)
        use_name_servers(thread);
    else
        resolver_use_hosts(thread->resolver, text->hosts);
    file_text_release(before);
}

/* -- the snapshot that the thread goes by */

static void destroy_rules(struct tunnel_rules *rules)
{
    struct thread_rules *mine = container_of(rules, struct thread_rules, rules);

    snapshot_release(mine->snapshot);
    free(mine);
}

static void use_values(struct worker_thread *thread, const struct config_values *values)
{
    const struct front_timeouts front = {.head_ms = values->head_timeout_ms};
    struct tunnel_env *env = &thread->env;

    env->timeouts = (struct tunnel_timeouts){.dial_ms = values->dial_timeout_ms,
                                             .idle_ms = values->idle_timeout_ms,
                                             .half_closed_ms = values->half_closed_timeout_ms,
                                             .stuck_ms = values->stuck_timeout_ms};
    env->limit_values = (struct limit_values){.tunnels_max = values->tunnels_max,
                                              .user_tunnels_max = values->user_tunnels_max,
                                              .client_tunnels_max = values->client_tunnels_max,
                                              .user_rate_per_s = values->user_rate_per_s,
                                              .client_rate_per_s = values->client_rate_per_s,
                                              .tunnel_bytes_per_s = values->tunnel_bytes_per_s,
                                              .user_bytes_per_s = values->user_bytes_per_s,
                                              .client_bytes_per_s = values->client_bytes_per_s};
    front_set_timeouts(thread->front, &front);
    resolver_set_timeout(thread->resolver, values->dns_timeout_ms);
}

/* Takes `rules`. 0, or -errno when not every listener could be watched. */
static int use_rules(struct worker_thread *thread, struct thread_rules *rules)
{
    const struct snapshot *snapshot = rules->snapshot;
    struct thread_rules *before = thread->rules;
    int error = 0;

    thread->rules = rules;
    handover_use_rules(thread->handover, snapshot);
    thread->env.rules = &rules->rules;
    thread->env.users = snapshot->users;
    if (before != NULL)
        tunnel_rules_release(&before->rules);
    use_values(thread, &snapshot->config->values);
    use_name_servers(thread);
    size_t listener_count = listener_set_count(&snapshot->listeners, LISTENER_TUNNELS);
    for (size_t i = 0; i < listener_count && error == 0; i++) {
        const struct listener *listener = &snapshot->listeners.all[i];

        if (thread->env.listener_count <= listener->slot)
            thread->env.listener_count = listener->slot + 1;
        if (!acceptor_has(thread->acceptor, listener->slot))
            error = acceptor_add(thread->acceptor, listener);
    }
    return error;
}

static void apply(struct worker_thread *thread, struct thread_rules *rules)
{
    int error = use_rules(thread, rules);

    pthread_mutex_lock(&thread->mailbox.lock);
    thread->mailbox.apply_error = error;
    pthread_mutex_unlock(&thread->mailbox.lock);
    report(thread, REPORT_APPLIED);
}

static void retire(struct worker_thread *thread)
{
    const struct listener_set *listeners = &thread->rules->snapshot->listeners;

    for (unsigned slot = 0; slot < thread->env.listener_count; slot++) {
        bool is_wanted = false;

        for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++)
            is_wanted |= listeners->all[i].slot == slot;
        if (!is_wanted)
            acceptor_remove(thread->acceptor, slot, DRAIN_ACCEPTS_MAX);
    }
    report(thread, REPORT_RETIRED);
}

static int create_rules(struct snapshot *snapshot, struct thread_rules **ret_rules)
{
    struct thread_rules *rules = calloc(1, sizeof(*rules));

    if (rules == NULL)
        return -ENOMEM;
    rules->rules =
        (struct tunnel_rules){.holders = 1, .destroy = destroy_rules, .policy = snapshot->policy};
    rules->snapshot = snapshot_hold(snapshot);
    *ret_rules = rules;
    return 0;
}

static void publish(struct worker_thread *thread, const struct worker_thread_answer *answer)
{
    pthread_mutex_lock(&thread->mailbox.lock);
    thread->mailbox.answer = *answer;
    pthread_mutex_unlock(&thread->mailbox.lock);
    report(thread, REPORT_ANSWERED);
}

static void end_kill(struct worker_thread *thread)
{
    const struct worker_thread_answer answer = {.tunnel_count = thread->killed_count};

    task_cancel(&thread->kill_more);
    thread->is_killing = false;
    publish(thread, &answer);
}

/* A thousand at once would hold up everybody else's bytes. */
static void kill_some(struct task *task)
{
    struct worker_thread *thread = container_of(task, struct worker_thread, kill_more);
    size_t count = tunnel_kill(&thread->env, &thread->kill_filter, KILLS_PER_TURN);

    thread->killed_count += count;
    if (count == KILLS_PER_TURN)
        task_post(thread->loop, task);
    else
        end_kill(thread);
}

static bool is_idle(const struct worker_thread *thread)
{
    return list_is_empty(&thread->env.tunnels) &&
           (thread->front == NULL || front_connection_count(thread->front) == 0);
}

static void look_whether_done(struct deadline *deadline)
{
    struct worker_thread *thread = container_of(deadline, struct worker_thread, drain_look);

    if (!is_idle(thread)) {
        deadline_set(thread->loop, deadline, loop_now_ms(thread->loop) + DRAIN_LOOK_MS);
        return;
    }
    if (thread->is_killing)
        end_kill(thread);
    report(thread, REPORT_DONE);
    loop_stop(thread->loop);
}

static void drain(struct worker_thread *thread)
{
    thread->env.is_draining = true;
    handover_close(thread->handover);
    acceptor_stop(thread->acceptor, DRAIN_ACCEPTS_MAX);
    front_drain(thread->front);
    report(thread, REPORT_STOPPED);
    look_whether_done(&thread->drain_look);
}

static void end(struct worker_thread *thread)
{
    tunnel_close_all(&thread->env);
    handover_close(thread->handover);
    if (thread->front != NULL)
        front_destroy(thread->front);
    thread->front = NULL;
}

struct listing {
    FILE *out;
    size_t count;
};

static void list_tunnel(void *self, const struct access_record *record)
{
    struct listing *listing = self;
    char line[LOG_LINE_MAX];
    struct text text;

    text_init(&text, line, sizeof(line));
    access_tunnel_print(&text, record);
    text_add_char(&text, '\n');
    fwrite(line, 1, text.length, listing->out);
    listing->count++;
}

static struct worker_thread_answer list_tunnels(struct worker_thread *thread,
                                                const struct tunnel_filter *filter)
{
    const struct worker_thread_answer out_of_memory = {.is_out_of_memory = true};
    struct worker_thread_answer answer = {.lines = NULL};
    struct listing listing = {.out = open_memstream(&answer.lines, &answer.length)};

    if (listing.out == NULL)
        return out_of_memory;
    tunnel_visit_open(&thread->env, filter, list_tunnel, &listing);
    answer.lines = memory_text_finish(listing.out, &answer.lines);
    if (answer.lines == NULL)
        return out_of_memory;
    answer.tunnel_count = listing.count;
    return answer;
}

static void answer(struct worker_thread *thread, const struct tunnel_filter *filter, bool is_kill)
{
    if (is_kill) {
        thread->kill_filter = *filter;
        thread->killed_count = 0;
        thread->is_killing = true;
        kill_some(&thread->kill_more);
    } else {
        const struct worker_thread_answer answer = list_tunnels(thread, filter);
        publish(thread, &answer);
    }
}

static void orders_came(struct letter *letter)
{
    struct worker_thread *thread = container_of(letter, struct worker_thread, mailbox.order_letter);
    struct mailbox *mailbox = &thread->mailbox;
    struct file_text *files[WATCHED_FILE_COUNT];

    pthread_mutex_lock(&mailbox->lock);
    unsigned orders = mailbox->orders;
    struct thread_rules *rules = mailbox->next_rules;
    mailbox->orders = 0;
    const struct tunnel_filter filter = mailbox->filter;
    mailbox->next_rules = NULL;
    mailbox->is_order_posted = false;
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        files[i] = mailbox->files[i];
        mailbox->files[i] = NULL;
    }
    pthread_mutex_unlock(&mailbox->lock);

    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        if (files[i] != NULL)
            use_file(thread, (enum watched_file)i, files[i]);
        file_text_release(files[i]);
    }
    if (rules != NULL)
        apply(thread, rules);
    if (orders & ORDER_RETIRE)
        retire(thread);
    if (orders & ORDER_TELL)
        tunnel_tell_talkers(&thread->env);
    if (orders & ORDER_DRAIN)
        drain(thread);
    if (orders & ORDER_END)
        end(thread);
    if (orders & (ORDER_LIST | ORDER_KILL))
        answer(thread, &filter, orders & ORDER_KILL);
}

static void *run(void *argument)
{
    struct worker_thread *thread = argument;
    char name[16]; /* the kernel's limit */

    snprintf(name, sizeof(name), "adit-%u", thread->index);
    pthread_setname_np(pthread_self(), name);
    int error = loop_run(thread->loop);
    ENSURE(error == 0);
    return NULL;
}

/* -- on the main thread */

static void reports_came(struct letter *letter)
{
    struct worker_thread *thread =
        container_of(letter, struct worker_thread, mailbox.report_letter);
    const struct worker_thread_owner owner = thread->owner;

    pthread_mutex_lock(&thread->mailbox.lock);
    unsigned reports = thread->mailbox.reports;
    int apply_error = thread->mailbox.apply_error;
    thread->mailbox.reports = 0;
    thread->mailbox.is_report_posted = false;
    pthread_mutex_unlock(&thread->mailbox.lock);

    if (reports & REPORT_APPLIED)
        owner.applied(owner.self, apply_error);
    if (reports & REPORT_RETIRED)
        owner.retired(owner.self);
    if (reports & REPORT_HAPPENED)
        owner.happened(owner.self);
    if (reports & REPORT_STOPPED)
        owner.stopped_accepting(owner.self);
    thread->is_done |= (reports & REPORT_DONE) != 0;
    if (thread->is_asked && reports & (REPORT_ANSWERED | REPORT_DONE)) {
        thread->is_asked = false;
        owner.answered(owner.self);
    }
    if (reports & REPORT_DONE)
        owner.done(owner.self);
}

/* Contract: the caller holds the lock, which is given up here. */
static void post_orders(struct worker_thread *thread)
{
    bool is_posting = !thread->mailbox.is_order_posted;

    thread->mailbox.is_order_posted = true;
    pthread_mutex_unlock(&thread->mailbox.lock);
    if (is_posting)
        letter_post(thread->loop, &thread->mailbox.order_letter);
}

static void order(struct worker_thread *thread, unsigned bits)
{
    pthread_mutex_lock(&thread->mailbox.lock);
    thread->mailbox.orders |= bits;
    post_orders(thread);
}

void worker_thread_set_file(struct worker_thread *thread, enum watched_file file,
                            struct file_text *text)
{
    pthread_mutex_lock(&thread->mailbox.lock);
    file_text_release(thread->mailbox.files[file]);
    thread->mailbox.files[file] = file_text_hold(text);
    post_orders(thread);
}

void worker_thread_drain(struct worker_thread *thread)
{
    order(thread, ORDER_DRAIN);
}

void worker_thread_end(struct worker_thread *thread)
{
    order(thread, ORDER_END);
}

int worker_thread_apply(struct worker_thread *thread, struct snapshot *snapshot)
{
    struct thread_rules *rules;
    int error = create_rules(snapshot, &rules);

    if (error < 0)
        return error;
    pthread_mutex_lock(&thread->mailbox.lock);
    REQUIRE(thread->mailbox.next_rules == NULL);
    thread->mailbox.next_rules = rules;
    post_orders(thread);
    return 0;
}

void worker_thread_retire(struct worker_thread *thread)
{
    order(thread, ORDER_RETIRE);
}

bool worker_thread_ask(struct worker_thread *thread, const struct tunnel_filter *filter,
                       bool is_kill)
{
    if (thread->is_done)
        return false;
    REQUIRE(!thread->is_asked);
    thread->is_asked = true;
    pthread_mutex_lock(&thread->mailbox.lock);
    thread->mailbox.filter = *filter;
    thread->mailbox.orders |= is_kill ? ORDER_KILL : ORDER_LIST;
    post_orders(thread);
    return true;
}

struct worker_thread_answer worker_thread_take_answer(struct worker_thread *thread)
{
    pthread_mutex_lock(&thread->mailbox.lock);
    struct worker_thread_answer answer = thread->mailbox.answer;
    thread->mailbox.answer = (struct worker_thread_answer){.lines = NULL};
    pthread_mutex_unlock(&thread->mailbox.lock);
    return answer;
}

void worker_thread_tell_talkers(struct worker_thread *thread)
{
    if (!thread->is_done)
        order(thread, ORDER_TELL);
}

struct talkers *worker_thread_talkers(struct worker_thread *thread)
{
    return &thread->talkers;
}

void worker_thread_await_turn(struct worker_thread *thread)
{
    loop_await_turn(thread->loop);
}

struct event_feed *worker_thread_events(struct worker_thread *thread)
{
    return &thread->events;
}

const struct counters *worker_thread_counters(const struct worker_thread *thread)
{
    return &thread->counters;
}

static void fill_env(struct worker_thread *thread, const struct worker_thread_plan *plan)
{
    struct tunnel_env *env = &thread->env;

    env->loop = thread->loop;
    env->resolver = thread->resolver;
    env->relays = thread->relays;
    env->auth = plan->auth;
    env->limits = plan->limits;
    env->dial_gate = plan->dial_gate;
    env->room = plan->room;
    env->counters = &thread->counters;
    env->log = plan->log;
    env->events = &thread->events;
    env->talkers = &thread->talkers;
    env->listeners = plan->slots;
    access_ids_init(&env->ids, plan->process_seed, plan->index);
}

static int create_parts(struct worker_thread *thread, const struct worker_thread_plan *plan)
{
    const struct config_values *values = &plan->snapshot->config->values;
    const struct acceptor_owner owner = {.accepted = accepted,
                                         .is_ready = is_ready,
                                         .is_shared = plan->thread_count > 1,
                                         .self = thread};
    const struct front_timeouts front = {.head_ms = values->head_timeout_ms};
    int error = loop_create(&thread->loop);
    const struct handover_owner handover = {
        .loop = thread->loop, .take = take_over, .self = thread};

    if (error == 0)
        error = handover_create(&handover, &thread->handover);
    if (error == 0)
        error = event_feed_init(&thread->events, something_happened, thread);
    if (error == 0)
        error = talkers_init(&thread->talkers);
    if (error == 0)
        error = resolver_create(thread->loop, values->dns_timeout_ms, &thread->counters,
                                &thread->resolver);
    if (error == 0)
        error = relay_env_create(thread->loop, &plan->relay_limits, &thread->counters, plan->log,
                                 &thread->relays);
    if (error < 0)
        return error;
    loop_on_turn(thread->loop, something_happened, thread);
    fill_env(thread, plan);
    error =
        relief_create(&thread->env, plan->tcp_memory_fd, plan->thread_count, &thread->env.relief);
    if (error < 0)
        return error;
    error = front_create(&thread->env, &front, &thread->front);
    if (error == 0)
        error =
            acceptor_create(thread->loop, &owner, &thread->counters, plan->log, &thread->acceptor);
    return error;
}

/* By the way that a reload goes, too. */
static int use_plan(struct worker_thread *thread, const struct worker_thread_plan *plan)
{
    struct thread_rules *rules;
    int error = create_rules(plan->snapshot, &rules);

    if (error < 0)
        return error;
    thread->files[WATCHED_RESOLV_CONF] = file_text_hold(plan->files[WATCHED_RESOLV_CONF]);
    error = use_rules(thread, rules);
    use_file(thread, WATCHED_HOSTS, plan->files[WATCHED_HOSTS]);
    return error;
}

int worker_thread_create(const struct worker_thread_plan *plan,
                         const struct worker_thread_owner *owner, struct worker_thread **ret_thread)
{
    struct worker_thread *thread = aligned_alloc(CACHE_LINE, sizeof(*thread));

    if (thread == NULL)
        return -ENOMEM;
    *thread = (struct worker_thread){.owner = *owner,
                                     .index = plan->index,
                                     .threads = plan->threads,
                                     .thread_count = plan->thread_count};
    thread->counters.rules = plan->rules;
    list_init(&thread->env.tunnels);
    deadline_init(&thread->drain_look, look_whether_done);
    task_init(&thread->kill_more, kill_some);
    pthread_mutex_init(&thread->mailbox.lock, NULL);
    letter_init(&thread->mailbox.order_letter, orders_came);
    letter_init(&thread->mailbox.report_letter, reports_came);
    int error = create_parts(thread, plan);
    if (error == 0)
        error = use_plan(thread, plan);
    if (error < 0) {
        worker_thread_destroy(thread);
        return error;
    }
    *ret_thread = thread;
    return 0;
}

int worker_thread_start(struct worker_thread *thread)
{
    int error = pthread_create(&thread->id, NULL, run, thread);

    thread->is_started = error == 0;
    return -error;
}

void worker_thread_destroy(struct worker_thread *thread)
{
    if (thread->is_started)
        pthread_join(thread->id, NULL);
    if (thread->acceptor != NULL)
        acceptor_destroy(thread->acceptor);
    handover_destroy(thread->handover);
    if (thread->front != NULL)
        front_destroy(thread->front);
    if (thread->env.relief != NULL)
        relief_destroy(thread->env.relief);
    if (thread->relays != NULL)
        relay_env_destroy(thread->relays);
    if (thread->resolver != NULL)
        resolver_destroy(thread->resolver);
    if (thread->loop != NULL) {
        letter_take_back(thread->loop, &thread->mailbox.order_letter);
        loop_destroy(thread->loop);
    }
    letter_take_back(thread->owner.loop, &thread->mailbox.report_letter);
    if (thread->mailbox.next_rules != NULL)
        tunnel_rules_release(&thread->mailbox.next_rules->rules);
    if (thread->rules != NULL)
        tunnel_rules_release(&thread->rules->rules);
    free(thread->mailbox.answer.lines);
    event_feed_finish(&thread->events);
    talkers_finish(&thread->talkers);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        file_text_release(thread->mailbox.files[i]);
        file_text_release(thread->files[i]);
    }
    pthread_mutex_destroy(&thread->mailbox.lock);
    free(thread);
}
