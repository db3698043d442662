/* Carries out the orders of the main thread (worker/order.h). This code runs on the tunnel thread;
 * a table at the end has the handler of each kind of order.
 *
 * A thread first serves. When it drains, it accepts no more, and looks every 20 ms whether its last
 * tunnel and its last connection are gone. ORDER_END closes everything by force, and then there is
 * no front-end any more. In the end nothing is left, and its loop stops.
 */
#include "admin/memory_text.h"
#include "net/acceptor.h"
#include "observe/access_log.h"
#include "observe/log.h"
#include "tunnel/tunnel.h"
#include "worker/worker_thread_private.h"

#include <errno.h>
#include <stdio.h>

enum {
    DRAIN_LOOK_MS = 20,
    KILLS_PER_TURN = 64, /* about a millisecond */
};

static void thread_answer(struct worker_thread *thread, enum order_kind kind,
                          const struct order_answer *answer)
{
    mailbox_put_answer(&thread->mailbox, kind, answer);
}

static void thread_answer_done(struct worker_thread *thread, enum order_kind kind)
{
    const struct order_answer nothing = {.error = 0};

    thread_answer(thread, kind, &nothing);
}

/* -- what the thread serves by */

static void order_use_hosts(struct worker_thread *thread, const struct order *order)
{
    thread_use_file(thread, WATCHED_HOSTS, order->file);
}

static void order_use_resolv_conf(struct worker_thread *thread, const struct order *order)
{
    thread_use_file(thread, WATCHED_RESOLV_CONF, order->file);
}

static void order_apply(struct worker_thread *thread, const struct order *order)
{
    struct thread_use *use;

    /* Without memory the process ends, because other threads serve by the new snapshot already. */
    int error = thread_use_create(order->snapshot, &use);
    ENSURE(error == 0);
    const struct order_answer answer = {.error = thread_use_begin(thread, use)};
    thread_answer(thread, ORDER_APPLY, &answer);
}

static void order_retire(struct worker_thread *thread, const struct order *order)
{
    (void)order;
    thread_retire(thread);
    thread_answer_done(thread, ORDER_RETIRE);
}

static void order_tell_talkers(struct worker_thread *thread, const struct order *order)
{
    (void)order;
    tunnel_tell_talkers(&thread->env);
}

/* -- listing and killing */

struct listing {
    FILE *out;
    size_t count;
};

static void listing_add(void *self, const struct access_record *record)
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

static struct order_answer listing_make(struct worker_thread *thread,
                                        const struct tunnel_filter *filter)
{
    const struct order_answer out_of_memory = {.error = -ENOMEM};
    struct order_answer answer = {.lines = NULL};
    struct listing listing = {.out = open_memstream(&answer.lines, &answer.length)};

    if (listing.out == NULL)
        return out_of_memory;
    tunnel_visit(&thread->env, filter, listing_add, &listing);
    answer.lines = memory_text_finish(listing.out, &answer.lines);
    if (answer.lines == NULL)
        return out_of_memory;
    answer.tunnel_count = listing.count;
    return answer;
}

static void order_list(struct worker_thread *thread, const struct order *order)
{
    const struct order_answer answer = listing_make(thread, &order->filter);

    thread_answer(thread, ORDER_LIST, &answer);
}

static void kill_end(struct worker_thread *thread)
{
    const struct order_answer answer = {.tunnel_count = thread->kill.count};

    task_cancel(&thread->kill.more);
    thread->kill.is_under_way = false;
    thread_answer(thread, ORDER_KILL, &answer);
}

/* Ends a few tunnels per turn of the loop: to end thousands in one turn would delay the bytes of
 * all other tunnels. */
static void kill_some(struct task *task)
{
    struct worker_thread *thread = container_of(task, struct worker_thread, kill.more);
    size_t count = tunnel_kill(&thread->env, &thread->kill.filter, KILLS_PER_TURN);

    thread->kill.count += count;
    if (count == KILLS_PER_TURN)
        task_post(thread->loop, task);
    else
        kill_end(thread);
}

static void order_kill(struct worker_thread *thread, const struct order *order)
{
    thread->kill.filter = order->filter;
    thread->kill.count = 0;
    thread->kill.is_under_way = true;
    kill_some(&thread->kill.more);
}

/* -- draining and ending */

static bool thread_is_idle(const struct worker_thread *thread)
{
    return list_is_empty(&thread->env.tunnels) &&
           (thread->front == NULL || front_connection_count(thread->front) == 0);
}

static void thread_look_whether_done(struct deadline *deadline)
{
    struct worker_thread *thread = container_of(deadline, struct worker_thread, drain_look);

    if (!thread_is_idle(thread)) {
        deadline_set(thread->loop, deadline, loop_now_ms(thread->loop) + DRAIN_LOOK_MS);
        return;
    }
    /* A kill that has not come to its end is answered now: no tunnel is left that it could end. */
    if (thread->kill.is_under_way)
        kill_end(thread);
    mailbox_put_sign(&thread->mailbox, MAILBOX_DONE);
    loop_stop(thread->loop);
}

static void order_drain(struct worker_thread *thread, const struct order *order)
{
    (void)order;
    thread->env.is_draining = true;
    handover_close(thread->handover);
    acceptor_stop(thread->acceptor, LISTENER_BACKLOG);
    front_drain(thread->front);
    thread_answer_done(thread, ORDER_DRAIN);
    thread_look_whether_done(&thread->drain_look);
}

static void order_end(struct worker_thread *thread, const struct order *order)
{
    (void)order;
    tunnel_close_all(&thread->env);
    handover_close(thread->handover);
    if (thread->front != NULL)
        front_destroy(thread->front);
    thread->front = NULL;
}

/* -- the table */

static void (*const handlers[])(struct worker_thread *thread, const struct order *order) = {
    [ORDER_USE_HOSTS] = order_use_hosts,
    [ORDER_USE_RESOLV_CONF] = order_use_resolv_conf,
    [ORDER_APPLY] = order_apply,
    [ORDER_RETIRE] = order_retire,
    [ORDER_TELL_TALKERS] = order_tell_talkers,
    [ORDER_DRAIN] = order_drain,
    [ORDER_END] = order_end,
    [ORDER_LIST] = order_list,
    [ORDER_KILL] = order_kill,
};
static_assert(ARRAY_LENGTH(handlers) == ORDER_KIND_COUNT, "a handler for every kind of order");

void thread_orders_came(struct mailbox *mailbox)
{
    struct worker_thread *thread = container_of(mailbox, struct worker_thread, mailbox);
    struct order order;

    while (mailbox_take_order(mailbox, &order)) {
        handlers[order.kind](thread, &order);
        order_release(&order);
    }
}

void thread_orders_init(struct worker_thread *thread)
{
    deadline_init(&thread->drain_look, thread_look_whether_done);
    task_init(&thread->kill.more, kill_some);
}
