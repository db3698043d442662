/* What happens in a worker, for those who follow it: subscribers, the history and the lists of who
 * moves most. Reads what the threads feed (observe/event_feed.h, observe/talkers.h).
 */
#ifndef WORKER_WORKER_EVENTS_H
#define WORKER_WORKER_EVENTS_H

#include "admin/panel.h"
#include "base/contract.h"

struct event_feed;
struct worker;
struct worker_events;

/* 0 or -errno. */
int worker_events_create(struct worker *worker, struct worker_events **ret_events) MUST_CHECK;
/* The threads are still there. Harmless on NULL. */
void worker_events_destroy(struct worker_events *events);

/* Whether there is somebody to show it to: from now on, a sample per second. */
void worker_events_keep_history(struct worker_events *events, bool is_kept);
/* For what happens on the main thread itself: failed logins at the admin page. */
struct event_feed *worker_events_own(struct worker_events *events);
/* There are threads now. */
void worker_events_watch_threads(struct worker_events *events);
/* Events wait in a thread's feed, or an awaited turn has ended (worker_thread_owner). */
void worker_events_happened(void *self);

/* As admin/panel.h has it; `self` is the worker. */
char *worker_events_print_history(void *self, size_t *ret_length);
char *worker_events_print_toplists(void *self, size_t *ret_length);
void worker_events_subscribe(void *self, struct event_subscriber *subscriber);
void worker_events_unsubscribe(void *self, struct event_subscriber *subscriber);

#endif
