/* The inside of a thread that carries tunnels, for the files that are parts of it.
 *
 *   worker_thread.c         creates, starts and destroys it; hears from it on the main thread
 *   worker_thread_orders.c  carries out what the main thread orders; drains and ends
 *   worker_thread_use.c     goes over to another snapshot, or to new contents of a file
 *   worker_thread_accept.c  what becomes of a connection that was accepted
 *
 * The main thread writes before the thread starts and after it ended; in between, everything is the
 * thread's but for what says otherwise.
 */
#ifndef WORKER_WORKER_THREAD_PRIVATE_H
#define WORKER_WORKER_THREAD_PRIVATE_H

#include "base/contract.h"
#include "observe/event_feed.h"
#include "observe/talkers.h"
#include "observe/trace.h"
#include "worker/handover.h"
#include "worker/mailbox.h"
#include "worker/worker_thread.h"

#include <pthread.h>

#define THREAD_CACHE_LINE 64

struct acceptor;

/* This thread's hold on a snapshot: as long as it, or a tunnel of it, goes by it. */
struct thread_use {
    struct tunnel_policy policy;
    struct snapshot *snapshot;
};

/* The kill that is under way; over several turns. */
struct thread_kill {
    struct tunnel_filter filter;
    struct task more;
    size_t count;
    bool is_under_way; /* the answer is owed */
};

struct worker_thread {
    /* Written often, by this thread only; any thread may read. */
    _Alignas(THREAD_CACHE_LINE) struct counters counters;
    struct event_feed events; /* any thread */
    struct trace trace;       /* any thread */
    struct talkers talkers;   /* any thread */
    _Alignas(THREAD_CACHE_LINE) struct tunnel_env env;
    struct thread_use *use;
    /* That the resolver goes by; of resolv.conf only when the configuration names no servers. */
    struct file_text *files[WATCHED_FILE_COUNT];
    struct loop *loop;
    struct resolver *resolver;
    struct relay_env *relays;
    struct front *front; /* NULL: ended by force */
    struct acceptor *acceptor;
    struct handover *handover;            /* any thread may give */
    struct worker_thread *const *threads; /* of the process */
    unsigned thread_count;
    unsigned looks; /* at other threads */
    struct deadline drain_look;
    struct thread_kill kill;
    struct mailbox mailbox; /* this thread and the main one */
    unsigned index;

    /* Of the main thread alone. */
    struct worker_thread_owner owner;
    struct round *awaiting[ORDER_KIND_COUNT]; /* whom the answer is for; NULL: nobody awaits it */
    pthread_t id;
    bool is_started;
    bool is_done;
};

/* ---- worker_thread_orders.c */

void thread_orders_init(struct worker_thread *thread);
/* Of the mailbox. */
void thread_orders_came(struct mailbox *mailbox);

/* ---- worker_thread_use.c */

/* 0 or -ENOMEM. */
int thread_use_create(struct snapshot *snapshot, struct thread_use **ret_use) MUST_CHECK;
/* Takes `use`. 0, or -errno when not every listener could be watched. */
int thread_use_begin(struct worker_thread *thread, struct thread_use *use) MUST_CHECK;
/* Leaves the listeners that the snapshot does not have, when their queues are empty. */
void thread_retire(struct worker_thread *thread);
/* Holds `text`. */
void thread_use_file(struct worker_thread *thread, enum watched_file file, struct file_text *text);

/* ---- worker_thread_accept.c */

/* As acceptor_owner has it. */
void thread_accepted(void *self, int fd, const struct ip_endpoint *client, unsigned listener_slot,
                     bool is_last_descriptor);
bool thread_is_ready(void *self);
/* As handover_owner has it. */
void thread_take_over(void *self, const struct handed *handed);

#endif
