/* Collects what happens in a worker for those who follow it: the subscribers, the history and the
 * lists of who moves most. It reads what the threads write into their feeds (observe/event_feed.h,
 * observe/talkers.h).
 */
#ifndef WORKER_WORKER_EVENTS_H
#define WORKER_WORKER_EVENTS_H

#include "admin/panel.h"
#include "base/contract.h"

struct event_feed;
struct worker;
struct worker_events;

/* Returns 0 or -errno. */
int worker_events_create(struct worker *worker, struct worker_events **ret_events) MUST_CHECK;
/* Contract: the threads still exist. Harmless on NULL. */
void worker_events_destroy(struct worker_events *events);

/* Begins or ends the history, which takes a sample per second. It is only kept while there is an
 * admin page that could show it. */
void worker_events_keep_history(struct worker_events *events, bool is_kept);
/* Returns the feed for what happens on the main thread itself: failed logins at the admin page. */
struct event_feed *worker_events_own(struct worker_events *events);
/* To be called when the threads were created: tells them which events are wanted. */
void worker_events_watch_threads(struct worker_events *events);
/* To be called when events wait in a thread's feed, or when an awaited turn has ended (struct
 * worker_thread_owner). */
void worker_events_happened(void *self);

/* The functions of struct panel_ops (admin/panel.h); `self` is the worker. */
char *worker_events_print_history(void *self, size_t *ret_length);
char *worker_events_print_toplists(void *self, size_t *ret_length);
void worker_events_subscribe(void *self, struct event_subscriber *subscriber);
void worker_events_unsubscribe(void *self, struct event_subscriber *subscriber);

#endif
