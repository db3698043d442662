/* The main thread creates all parts before the thread runs and frees them after it ended, so that a
 * start that fails is an ordinary error and nothing is ever shared half-made.
 *
 * In between, the two talk through one mailbox: flags and files under a lock, and a letter each way
 * that is in the post at most once. Orders that come while a letter is under way join it.
 *
 * A thread's life: serving, draining (accepts no more; looks every 20 ms whether its last tunnel
 * and its last connection are gone), ended (everything was closed by force), done (its loop stops).
 */
#include "daemon/worker_thread.h"

#include "daemon/file_text.h"
#include "loop/loop.h"
#include "net/acceptor.h"
#include "observe/log.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_error.h"
#include "wire/http1_head.h"
#include "wire/http1_reply.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DRAIN_LOOK_MS = 20,
    DRAIN_ACCEPTS_MAX = 4096, /* the backlog of a listener */
    CACHE_LINE = 64,
};

enum order_bits { ORDER_DRAIN = 1, ORDER_END = 2, ORDER_PUBLISH = 4 };
enum report_bits { REPORT_STOPPED = 1, REPORT_PUBLISHED = 2, REPORT_DONE = 4 };

struct mailbox {
    pthread_mutex_t lock;
    unsigned orders;                             /* to the thread */
    unsigned reports;                            /* to the main thread */
    struct file_text *files[WATCHED_FILE_COUNT]; /* new ones; NULL: none */
    struct resolver_counters dns;
    struct letter order_letter;
    struct letter report_letter;
    bool is_order_posted;
    bool is_report_posted;
};

struct worker_thread {
    _Alignas(CACHE_LINE) struct counters counters; /* written often, by this thread only */
    _Alignas(CACHE_LINE) struct tunnel_env env;
    struct tunnel_rules rules;
    struct loop *loop;
    struct resolver *resolver;
    struct relay_env *relays;
    struct front *front;
    struct acceptor *acceptor;
    struct deadline drain_look;
    struct worker_thread_owner owner;
    struct mailbox mailbox;
    unsigned index;
    pthread_t id;
    bool is_started;
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

/* Reads what has come, up to a request head. */
static void drop_input(int fd)
{
    char bytes[HTTP1_REPLY_SIZE];
    size_t budget = HTTP1_HEAD_MAX;

    while (budget > 0) {
        ssize_t count =
            recv(fd, bytes, budget < sizeof(bytes) ? budget : sizeof(bytes), MSG_DONTWAIT);
        if (count <= 0)
            break;
        budget -= (size_t)count;
    }
}

/* Answered within the call, for want of a descriptor that could wait. What the client has sent is
 * read first: closing a socket with unread bytes would reset it and destroy the answer. */
static void refuse_at_once(struct worker_thread *thread, int fd, const struct ip_endpoint *client,
                           unsigned listener)
{
    const struct tunnel_error_row *row = tunnel_error_row(TUNNEL_ERROR_FULL);
    const struct http1_refusal refusal = {.status = row->status,
                                          .proxy_error = row->token,
                                          .details = row->text,
                                          .retry_after_s = row->retry_after_s};
    const struct tunnel_rejection rejection = {
        .client = *client, .listener = listener, .error = TUNNEL_ERROR_FULL};
    char bytes[HTTP1_REPLY_SIZE];
    struct text reply;

    drop_input(fd);
    text_init(&reply, bytes, sizeof(bytes));
    http1_reply_refusal(&reply, &refusal);
    ssize_t ignored = send(fd, bytes, reply.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored;
    shutdown(fd, SHUT_WR);
    close(fd);
    tunnel_reject(&thread->env, &rejection);
}

static void accepted(void *self, int fd, const struct ip_endpoint *client, unsigned listener,
                     bool is_last_descriptor)
{
    struct worker_thread *thread = self;

    if (is_last_descriptor)
        refuse_at_once(thread, fd, client, listener);
    else
        front_accept(thread->front, fd, client, listener);
}

static void use_file(struct worker_thread *thread, enum watched_file file,
                     const struct file_text *text)
{
    if (file == WATCHED_RESOLV_CONF)
        resolver_set_servers(thread->resolver, text->bytes, text->length);
    else if (resolver_set_hosts(thread->resolver, text->bytes, text->length) < 0)
        log_notice(thread->env.log, LOG_TOPIC_DNS,
                   "no memory for the new /etc/hosts; kept the old");
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
    report(thread, REPORT_DONE);
    loop_stop(thread->loop);
}

static void drain(struct worker_thread *thread)
{
    thread->env.is_draining = true;
    acceptor_stop(thread->acceptor, DRAIN_ACCEPTS_MAX);
    report(thread, REPORT_STOPPED);
    look_whether_done(&thread->drain_look);
}

static void end(struct worker_thread *thread)
{
    tunnel_close_all(&thread->env);
    if (thread->front != NULL)
        front_destroy(thread->front);
    thread->front = NULL;
}

static void publish(struct worker_thread *thread)
{
    struct resolver_counters dns;

    resolver_read_counters(thread->resolver, &dns);
    pthread_mutex_lock(&thread->mailbox.lock);
    thread->mailbox.dns = dns;
    pthread_mutex_unlock(&thread->mailbox.lock);
    report(thread, REPORT_PUBLISHED);
}

static void orders_came(struct letter *letter)
{
    struct worker_thread *thread = container_of(letter, struct worker_thread, mailbox.order_letter);
    struct mailbox *mailbox = &thread->mailbox;
    struct file_text *files[WATCHED_FILE_COUNT];

    pthread_mutex_lock(&mailbox->lock);
    unsigned orders = mailbox->orders;
    mailbox->orders = 0;
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
    if (orders & ORDER_DRAIN)
        drain(thread);
    if (orders & ORDER_END)
        end(thread);
    if (orders & ORDER_PUBLISH)
        publish(thread);
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
    thread->mailbox.reports = 0;
    thread->mailbox.is_report_posted = false;
    pthread_mutex_unlock(&thread->mailbox.lock);

    if (reports & REPORT_STOPPED)
        owner.stopped_accepting(owner.self);
    if (reports & REPORT_PUBLISHED)
        owner.published(owner.self);
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

void worker_thread_publish(struct worker_thread *thread)
{
    order(thread, ORDER_PUBLISH);
}

const struct counters *worker_thread_counters(const struct worker_thread *thread)
{
    return &thread->counters;
}

void worker_thread_dns_counters(struct worker_thread *thread,
                                struct resolver_counters *ret_counters)
{
    pthread_mutex_lock(&thread->mailbox.lock);
    *ret_counters = thread->mailbox.dns;
    pthread_mutex_unlock(&thread->mailbox.lock);
}

static void rules_are_the_threads(struct tunnel_rules *rules)
{
    (void)rules;
}

static void fill_env(struct worker_thread *thread, const struct worker_thread_plan *plan)
{
    struct tunnel_env *env = &thread->env;

    env->loop = thread->loop;
    env->resolver = thread->resolver;
    env->relays = thread->relays;
    thread->rules = (struct tunnel_rules){
        .holders = 1, .destroy = rules_are_the_threads, .policy = plan->policy};
    env->rules = &thread->rules;
    env->listeners_written = plan->listeners;
    env->dial_gate = plan->dial_gate;
    env->capacity = plan->capacity;
    env->counters = &thread->counters;
    env->log = plan->log;
    env->listeners = plan->listeners;
    env->listener_count = plan->listener_count;
    env->timeouts = plan->timeouts;
    access_ids_init(&env->ids, plan->process_seed, plan->index);
}

static int create_parts(struct worker_thread *thread, const struct worker_thread_plan *plan)
{
    const struct acceptor_owner owner = {.accepted = accepted, .self = thread};
    int error = loop_create(&thread->loop);

    if (error == 0)
        error = resolver_create(thread->loop, plan->dns_timeout_ms, &thread->resolver);
    if (error == 0)
        error = relay_env_create(thread->loop, &plan->relay_limits, &thread->counters, plan->log,
                                 &thread->relays);
    if (error < 0)
        return error;
    fill_env(thread, plan);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        use_file(thread, (enum watched_file)i, plan->files[i]);
    error = front_create(&thread->env, &plan->front_timeouts, &thread->front);
    if (error == 0)
        error = acceptor_create(thread->loop, plan->listener_fds, plan->listener_count, &owner,
                                &thread->counters, plan->log, &thread->acceptor);
    return error;
}

int worker_thread_create(const struct worker_thread_plan *plan,
                         const struct worker_thread_owner *owner, struct worker_thread **ret_thread)
{
    struct worker_thread *thread = aligned_alloc(CACHE_LINE, sizeof(*thread));

    if (thread == NULL)
        return -ENOMEM;
    *thread = (struct worker_thread){.owner = *owner, .index = plan->index};
    list_init(&thread->env.tunnels);
    deadline_init(&thread->drain_look, look_whether_done);
    pthread_mutex_init(&thread->mailbox.lock, NULL);
    letter_init(&thread->mailbox.order_letter, orders_came);
    letter_init(&thread->mailbox.report_letter, reports_came);
    int error = create_parts(thread, plan);
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
    if (thread->front != NULL)
        front_destroy(thread->front);
    if (thread->relays != NULL)
        relay_env_destroy(thread->relays);
    if (thread->resolver != NULL)
        resolver_destroy(thread->resolver);
    if (thread->loop != NULL) {
        letter_take_back(thread->loop, &thread->mailbox.order_letter);
        loop_destroy(thread->loop);
    }
    letter_take_back(thread->owner.loop, &thread->mailbox.report_letter);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(thread->mailbox.files[i]);
    pthread_mutex_destroy(&thread->mailbox.lock);
    free(thread);
}
