/* One thread that carries tunnels: its loop, resolver, relays, front-ends and acceptor.
 *
 * Everything here is for the worker's main thread: it creates a thread's parts, starts it, tells it
 * what to do, hears from it by calls on its own loop, and frees the parts after it ended.
 */
#ifndef DAEMON_WORKER_THREAD_H
#define DAEMON_WORKER_THREAD_H

#include "base/contract.h"
#include "daemon/file_watch.h"
#include "dns/resolver.h"
#include "front/front.h"
#include "observe/counters.h"
#include "tunnel/relay_env.h"
#include "tunnel/tunnel_env.h"

struct file_text;
struct worker_thread;

/* What the threads of a process share, and what differs. All outlives the thread. */
struct worker_thread_plan {
    unsigned index;
    uint64_t process_seed; /* for ids: milliseconds since the epoch */
    const int *listener_fds;
    const struct ip_endpoint *listeners;
    size_t listener_count;
    const struct policy *policy;
    struct dial_gate *dial_gate;
    struct capacity *capacity;
    struct log_ring *log;
    struct tunnel_timeouts timeouts;
    struct front_timeouts front_timeouts;
    uint64_t dns_timeout_ms;
    struct relay_limits relay_limits;
    struct file_text *const *files; /* WATCHED_FILE_COUNT of them */
};

/* Called on the main thread's loop. */
struct worker_thread_owner {
    struct loop *loop;
    void (*stopped_accepting)(void *self); /* after worker_thread_drain */
    void (*published)(void *self);         /* after worker_thread_publish */
    void (*done)(void *self);              /* the last call; worker_thread_destroy may follow */
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
/* Refuses what waits in the accept queues, stops accepting, is done with its last tunnel. */
void worker_thread_drain(struct worker_thread *thread);
/* The drain time is over: closes everything, then is done. */
void worker_thread_end(struct worker_thread *thread);
/* Asks for fresh DNS figures. */
void worker_thread_publish(struct worker_thread *thread);

/* Live. */
const struct counters *worker_thread_counters(const struct worker_thread *thread);
/* As of the last `published`. */
void worker_thread_dns_counters(struct worker_thread *thread,
                                struct resolver_counters *ret_counters);

#endif
