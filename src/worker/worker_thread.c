/* The main thread creates all parts before the thread runs and frees them after it ended, so that a
 * start that fails is an ordinary error and nothing is ever shared half-made. In between, the two
 * talk through a mailbox (worker/mailbox.h).
 */
#include "net/acceptor.h"
#include "process/file_text.h"
#include "tunnel/relief.h"
#include "worker/round.h"
#include "worker/snapshot.h"
#include "worker/worker_thread_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* -- on the thread */

static void thread_happened(void *self)
{
    struct worker_thread *thread = self;

    mailbox_put_sign(&thread->mailbox, MAILBOX_HAPPENED);
}

static void *thread_run(void *self)
{
    struct worker_thread *thread = self;
    char name[16]; /* the kernel's limit */

    snprintf(name, sizeof(name), "adit-%u", thread->index);
    pthread_setname_np(pthread_self(), name);
    int error = loop_run(thread->loop);
    ENSURE(error == 0);
    return NULL;
}

/* -- on the main thread */

/* Passes the answer to the round that waits for it. `answer` is NULL for a thread that has ended.
 */
static void thread_pass_answer(struct worker_thread *thread, unsigned kind,
                               struct order_answer *answer)
{
    struct round *round = thread->awaiting[kind];

    thread->awaiting[kind] = NULL;
    if (round != NULL)
        round_answered(round, thread->index, answer);
}

/* Tells every round that waits for the thread that no answer will come. */
static void thread_count_out(struct worker_thread *thread)
{
    for (unsigned kind = 0; kind < ORDER_KIND_COUNT; kind++)
        thread_pass_answer(thread, kind, NULL);
    round_answered(thread->owner.ending, thread->index, NULL);
}

static void thread_reports_came(struct mailbox *mailbox)
{
    struct worker_thread *thread = container_of(mailbox, struct worker_thread, mailbox);
    struct mailbox_reports reports = mailbox_take_reports(mailbox);

    /* A thread may answer and end in the same turn, so its answers are passed on before it is
     * counted out. */
    thread->is_done |= (reports.signs & MAILBOX_DONE) != 0;
    if (reports.signs & MAILBOX_HAPPENED)
        thread->owner.happened(thread->owner.self);
    for (unsigned kind = 0; kind < ORDER_KIND_COUNT; kind++) {
        if (reports.answered & 1U << kind)
            thread_pass_answer(thread, kind, &reports.answers[kind]);
        order_answer_release(&reports.answers[kind]);
    }
    if (reports.signs & MAILBOX_DONE)
        thread_count_out(thread);
}

void worker_thread_order(struct worker_thread *thread, const struct order *order,
                         struct round *round)
{
    if (thread->is_done)
        return;
    if (round != NULL) {
        REQUIRE(thread->awaiting[order->kind] == NULL);
        thread->awaiting[order->kind] = round;
        round_await(round);
    }
    mailbox_put_order(&thread->mailbox, order);
}

struct talkers *worker_thread_talkers(struct worker_thread *thread)
{
    return &thread->talkers;
}

void worker_thread_await_turn(struct worker_thread *thread)
{
    loop_await_turn(thread->loop);
}

struct trace *worker_thread_trace(struct worker_thread *thread)
{
    return &thread->trace;
}

struct event_feed *worker_thread_events(struct worker_thread *thread)
{
    return &thread->events;
}

const struct counters *worker_thread_counters(const struct worker_thread *thread)
{
    return &thread->counters;
}

/* -- life */

static void thread_fill_env(struct worker_thread *thread, const struct worker_thread_plan *plan)
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
    env->trace = &thread->trace;
    env->talkers = &thread->talkers;
    env->listeners = plan->slots;
    access_ids_init(&env->ids, plan->process_seed, plan->index);
}

static int thread_create_parts(struct worker_thread *thread, const struct worker_thread_plan *plan)
{
    const struct config_values *values = &plan->snapshot->config->values;
    const struct acceptor_owner owner = {.accepted = thread_accepted,
                                         .is_ready = thread_is_ready,
                                         .is_shared = plan->thread_count > 1,
                                         .self = thread};
    const struct front_timeouts front = {.head_ms = values->head_timeout_ms};
    const struct handover_owner handover = {
        .loop = thread->loop, .take = thread_take_over, .self = thread};
    int error = handover_create(&handover, &thread->handover);

    if (error == 0)
        error = event_feed_init(&thread->events, thread_happened, thread);
    if (error == 0)
        error = trace_init(&thread->trace, thread_happened, thread);
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
    loop_on_turn(thread->loop, thread_happened, thread);
    thread_fill_env(thread, plan);
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

/* Uses the first snapshot and files through the same functions as a reload does. */
static int thread_use_plan(struct worker_thread *thread, const struct worker_thread_plan *plan)
{
    struct thread_use *use;
    int error = thread_use_create(plan->snapshot, &use);

    if (error < 0)
        return error;
    thread->files[WATCHED_RESOLV_CONF] = file_text_hold(plan->files[WATCHED_RESOLV_CONF]);
    error = thread_use_begin(thread, use);
    thread_use_file(thread, WATCHED_HOSTS, plan->files[WATCHED_HOSTS]);
    return error;
}

static void thread_init(struct worker_thread *thread)
{
    const struct mailbox_ends ends = {.thread = thread->loop,
                                      .main = thread->owner.loop,
                                      .orders_came = thread_orders_came,
                                      .reports_came = thread_reports_came};

    list_init(&thread->env.openings);
    list_init(&thread->env.tunnels);
    thread_orders_init(thread);
    mailbox_init(&thread->mailbox, &ends);
}

int worker_thread_create(const struct worker_thread_plan *plan,
                         const struct worker_thread_owner *owner, struct worker_thread **ret_thread)
{
    struct worker_thread *thread = aligned_alloc(THREAD_CACHE_LINE, sizeof(*thread));

    if (thread == NULL)
        return -ENOMEM;
    *thread = (struct worker_thread){.owner = *owner,
                                     .index = plan->index,
                                     .threads = plan->threads,
                                     .thread_count = plan->thread_count};
    thread->counters.rule_names = plan->rule_names;
    int error = loop_create(&thread->loop);
    if (error < 0) {
        free(thread);
        return error;
    }
    thread_init(thread);
    error = thread_create_parts(thread, plan);
    if (error == 0)
        error = thread_use_plan(thread, plan);
    if (error < 0) {
        worker_thread_destroy(thread);
        return error;
    }
    *ret_thread = thread;
    return 0;
}

int worker_thread_start(struct worker_thread *thread)
{
    int error = pthread_create(&thread->id, NULL, thread_run, thread);

    thread->is_started = error == 0;
    if (thread->is_started)
        round_await(thread->owner.ending);
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
    mailbox_finish(&thread->mailbox);
    loop_destroy(thread->loop);
    if (thread->use != NULL)
        tunnel_policy_release(&thread->use->policy);
    event_feed_finish(&thread->events);
    trace_finish(&thread->trace);
    talkers_finish(&thread->talkers);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(thread->files[i]);
    free(thread);
}
