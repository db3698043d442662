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
    struct worker_thread *const *threads; /* of the process, this one too, once it is started */
    unsigned thread_count;
    uint64_t process_seed; /* for ids: milliseconds since the epoch */
    struct snapshot *snapshot;
    const struct listener *slots; /* all there ever were, by their slots: what they are called */
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

/* On the main thread's loop. */
struct worker_thread_owner {
    struct loop *loop;
    void (*happened)(void *self); /* its event_feed woke, or an awaited turn ended */
    void *self;
    struct round *ending; /* when it is complete, started threads may be destroyed */
};

/* 0 or -errno. */
int worker_thread_create(const struct worker_thread_plan *plan,
                         const struct worker_thread_owner *owner,
                         struct worker_thread **ret_thread) MUST_CHECK;
/* Starts the thread; the round `ending` then awaits its end, too. Returns 0 or -errno. */
int worker_thread_start(struct worker_thread *thread) MUST_CHECK;
/* Waits for the end of the thread and frees its parts. It must be done already, or never started,
 * so that this does not block for long. */
void worker_thread_destroy(struct worker_thread *thread);

/* `round`, if not NULL, awaits the answer to it, and none to an earlier order of its kind; a thread
 * that is done meanwhile is counted out. Nothing happens when the thread is done already. */
void worker_thread_order(struct worker_thread *thread, const struct order *order,
                         struct round *round);

/* Who moves how much on it; for the main thread to take from. */
struct talkers *worker_thread_talkers(struct worker_thread *thread);
/* What its tunnels do, step by step; for the main thread to take from. */
struct trace *worker_thread_trace(struct worker_thread *thread);
/* What happens on it; for the main thread to take from. */
struct event_feed *worker_thread_events(struct worker_thread *thread);
/* `happened` comes when its loop has turned: until then its figures are what they are. */
void worker_thread_await_turn(struct worker_thread *thread);
/* Returns its counters, which change while it runs. */
const struct counters *worker_thread_counters(const struct worker_thread *thread);

#endif
