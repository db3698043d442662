/* One thread that carries tunnels: its loop, resolver, relays, front-ends and acceptor.
 *
 * Everything here is for the worker's main thread: it creates a thread's parts, starts it, tells it
 * what to do, hears from it by calls on its own loop, and frees the parts after it ended.
 */
#ifndef WORKER_WORKER_THREAD_H
#define WORKER_WORKER_THREAD_H

#include "base/contract.h"
#include "dns/resolver.h"
#include "front/front.h"
#include "observe/counters.h"
#include "process/file_watch.h"
#include "tunnel/relay_env.h"
#include "tunnel/tunnel_env.h"

struct auth;
struct event_feed;
struct file_text;
struct limits;
struct order;
struct round;
struct rule_names;
struct snapshot;
struct talkers;
struct trace;
struct worker_thread;

/* What a thread is made of: what all threads share, and what is its own. All of it outlives the
 * thread. */
struct worker_thread_plan {
    unsigned index;
    struct worker_thread *const
        *threads; /* all of the process; complete before the first one starts */
    unsigned thread_count;
    uint64_t process_seed; /* for ids: milliseconds since the epoch */
    struct snapshot *snapshot;
    const struct listener *slots; /* all listeners that there ever were, by their slots */
    struct auth *auth;
    struct limits *limits;
    struct dial_gate *dial_gate;
    struct rule_names *rule_names;
    struct room *room;
    int tcp_memory_fd; /* of tcp_memory_open, or negative */
    struct log_ring *log;
    struct relay_limits relay_limits;
    struct file_text *const *files; /* WATCHED_FILE_COUNT of them */
};

/* Who hears from the thread, on the main thread's loop. */
struct worker_thread_owner {
    struct loop *loop;
    void (*happened)(void *self); /* its event_feed woke, or an awaited turn ended */
    void *self;
    struct round *ending; /* when it is complete, started threads may be destroyed */
};

/* Creates the thread with all its parts, but does not start it. Returns 0 or -errno. */
int worker_thread_create(const struct worker_thread_plan *plan,
                         const struct worker_thread_owner *owner,
                         struct worker_thread **ret_thread) MUST_CHECK;
/* Starts the thread; the round `ending` then awaits its end, too. Returns 0 or -errno. */
int worker_thread_start(struct worker_thread *thread) MUST_CHECK;
/* Waits for the end of the thread and frees its parts. The thread must have ended its work already,
 * or never have been started, so that this does not block for long. */
void worker_thread_destroy(struct worker_thread *thread);

/* Gives the thread an order. Unless `round` is NULL, it awaits the answer to this order, and no
 * earlier order of its kind may be unanswered. If the thread ends before it answers, the round does
 * not wait for it any longer. Does nothing when the thread has ended already. */
void worker_thread_order(struct worker_thread *thread, const struct order *order,
                         struct round *round);

/* Returns where the thread counts who moves how much; the main thread takes from there. */
struct talkers *worker_thread_talkers(struct worker_thread *thread);
/* Returns where the thread records the steps of its tunnels; the main thread takes from there. */
struct trace *worker_thread_trace(struct worker_thread *thread);
/* Returns the feed of the thread's events; the main thread takes from there. */
struct event_feed *worker_thread_events(struct worker_thread *thread);
/* Asks that `happened` is called when the thread's present turn, or else its next one, has ended.
 * The thread is not woken for that, and only its turns change its figures. */
void worker_thread_await_turn(struct worker_thread *thread);
/* Returns its counters, which change while it runs. */
const struct counters *worker_thread_counters(const struct worker_thread *thread);

#endif
