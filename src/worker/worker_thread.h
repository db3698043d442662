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
#include "tunnel/tunnel_filter.h"

struct auth;
struct event_feed;
struct file_text;
struct limits;
struct rule_names;
struct snapshot;
struct talkers;
struct worker_thread;

/* What the threads of a process share, and what differs. All outlives the thread. */
struct worker_thread_plan {
    unsigned index;
    struct worker_thread *const *threads; /* of the process, this one too, once it is started */
    unsigned thread_count;
    uint64_t process_seed; /* for ids: milliseconds since the epoch */
    struct snapshot *snapshot;
    const struct listener
        *slots; /* every listener there ever was, by its slot: what it is called */
    struct auth *auth;
    struct limits *limits;
    struct dial_gate *dial_gate;
    struct rule_names *rules;
    struct room *room;
    int tcp_memory_fd; /* of tcp_memory_open, or negative */
    struct log_ring *log;
    struct relay_limits relay_limits;
    struct file_text *const *files; /* WATCHED_FILE_COUNT of them */
};

/* Called on the main thread's loop. */
struct worker_thread_owner {
    struct loop *loop;
    void (*applied)(void *self, int error); /* after worker_thread_apply */
    void (*retired)(void *self);            /* after worker_thread_retire */
    void (*stopped_accepting)(void *self);  /* after worker_thread_drain */
    void (*answered)(void *self);           /* after worker_thread_ask */
    void (*happened)(void *self);           /* its event_feed woke, or an awaited turn ended */
    void (*done)(void *self);               /* the last call; worker_thread_destroy may follow */
    void *self;
};

/* 0 or -errno. */
int worker_thread_create(const struct worker_thread_plan *plan,
                         const struct worker_thread_owner *owner,
                         struct worker_thread **ret_thread) MUST_CHECK;
int worker_thread_start(struct worker_thread *thread) MUST_CHECK;
/* Waits for a started thread's end, which must be near: it is done, or was never started. */
void worker_thread_destroy(struct worker_thread *thread);

/* New contents of a file; holds it for as long as needed. */
void worker_thread_set_file(struct worker_thread *thread, enum watched_file file,
                            struct file_text *text);
/* Serves by that snapshot from now on, and listens to its listeners as well as to those before. 0
 * or -ENOMEM; `applied` tells of the rest. */
int worker_thread_apply(struct worker_thread *thread, struct snapshot *snapshot) MUST_CHECK;
/* Empties the queues of listeners that the snapshot does not have, and leaves them. */
void worker_thread_retire(struct worker_thread *thread);
/* Refuses what waits in the accept queues, stops accepting, is done with its last tunnel. */
void worker_thread_drain(struct worker_thread *thread);
/* The drain time is over: closes everything, then is done. */
void worker_thread_end(struct worker_thread *thread);
/* Lists the open tunnels that match, or kills them; one question at a time. False: the thread is
 * done, has no tunnels, and `answered` won't be called. */
bool worker_thread_ask(struct worker_thread *thread, const struct tunnel_filter *filter,
                       bool is_kill);

/* Who moves how much on it; for the main thread to take from. */
struct talkers *worker_thread_talkers(struct worker_thread *thread);
/* Soon it has told what its open tunnels have moved, too. */
void worker_thread_tell_talkers(struct worker_thread *thread);
/* What happens on it; for the main thread to take from. */
struct event_feed *worker_thread_events(struct worker_thread *thread);
/* `happened` comes when its loop has turned: until then its figures are what they are. */
void worker_thread_await_turn(struct worker_thread *thread);
/* Live. */
const struct counters *worker_thread_counters(const struct worker_thread *thread);
/* What the last question found. */
struct worker_thread_answer {
    char *lines; /* of JSON, a tunnel each; the caller's to free; NULL: none */
    size_t length;
    size_t tunnel_count;
    bool is_out_of_memory;
};
struct worker_thread_answer worker_thread_take_answer(struct worker_thread *thread);

#endif
