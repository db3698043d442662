/* The inside of a thread that carries tunnels, for the files that are parts of it.
 *
 *   worker_thread.c         creates, starts and destroys it; hears from it on the main thread
 *   worker_thread_orders.c  carries out what the main thread orders; drains and ends
 *   worker_thread_use.c     goes over to another snapshot, or to new contents of a file
 *   worker_thread_accept.c  what becomes of a connection that was accepted
 *
 * The main thread may write to all of it before the thread starts and after it has ended. In
 * between, only the thread itself does, except where a member says otherwise.
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

/* A reference to a snapshot, kept as long as this thread or one of its tunnels uses the snapshot.
 */
struct thread_use {
    struct tunnel_policy policy;
    struct snapshot *snapshot;
};

/* The kill that is under way. It takes several turns of the loop when there are many tunnels. */
struct thread_kill {
    struct tunnel_filter filter;
    struct task more;
    size_t count;
    bool is_under_way; /* the order was not answered yet */
};

struct worker_thread {
    /* Only this thread writes, and often; any thread may read. So it has cache lines of its own. */
    _Alignas(THREAD_CACHE_LINE) struct counters counters;
    /* The main thread takes from these three while the thread runs. */
    struct event_feed events;
    struct trace trace;
    struct talkers talkers;
    _Alignas(THREAD_CACHE_LINE) struct tunnel_env env;
    struct thread_use *use;
    /* What the resolver uses; resolv.conf counts only when the configuration names no servers. */
    struct file_text *files[WATCHED_FILE_COUNT];
    struct loop *loop;
    struct resolver *resolver;
    struct relay_env *relays;
    struct front *front; /* NULL after ORDER_END, which closes all by force */
    struct acceptor *acceptor;
    struct handover *handover;            /* any thread may put connections into it */
    struct worker_thread *const *threads; /* of the process */
    unsigned thread_count;
    unsigned looks; /* how often it compared its load with another thread's; picks the next one */
    struct deadline drain_look;
    struct thread_kill kill;
    struct mailbox mailbox; /* between this thread and the main one */
    unsigned index;

    /* From here on only the main thread reads and writes. */
    struct worker_thread_owner owner;
    struct round *awaiting[ORDER_KIND_COUNT]; /* the round that waits for the answer; NULL: none */
    pthread_t id;
    bool is_started;
    bool is_done;
};

/* ---- worker_thread_orders.c */

void thread_orders_init(struct worker_thread *thread);
/* The mailbox's callback: orders have come. */
void thread_orders_came(struct mailbox *mailbox);

/* ---- worker_thread_use.c */

/* Makes a use of the snapshot, with a reference to it. Returns 0 or -ENOMEM. */
int thread_use_create(struct snapshot *snapshot, struct thread_use **ret_use) MUST_CHECK;
/* Serves by `use` from now on, and owns it. Returns 0, or -errno when not every listener could be
 * watched. */
int thread_use_begin(struct worker_thread *thread, struct thread_use *use) MUST_CHECK;
/* Accepts what waits at listeners that the snapshot does not have, and leaves these listeners. */
void thread_retire(struct worker_thread *thread);
/* Uses `text` from now on, and takes a reference to it. */
void thread_use_file(struct worker_thread *thread, enum watched_file file, struct file_text *text);

/* ---- worker_thread_accept.c */

/* The callbacks of the acceptor (struct acceptor_owner). */
void thread_accepted(void *self, int fd, const struct ip_endpoint *client, unsigned listener_slot,
                     bool is_last_descriptor);
bool thread_is_ready(void *self);
/* The callback of the handover box (struct handover_owner). */
void thread_take_over(void *self, const struct handed *handed);

#endif
