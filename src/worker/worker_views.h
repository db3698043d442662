/* What a worker lets be seen of itself: implements admin/views.h over its threads. */
#ifndef WORKER_WORKER_VIEWS_H
#define WORKER_WORKER_VIEWS_H

#include "admin/views.h"
#include "base/contract.h"

struct auth;
struct event_feed;
struct counters;
struct file_text;
struct log;
struct loop;
struct process_meter;
struct room;
struct rule_names;
struct snapshot;
struct worker_thread;
struct worker_views;

/* As things are now. */
struct worker_look {
    struct worker_thread *const *threads;
    unsigned thread_count;
    const char *state; /* "serving", "draining"; static */
    uint64_t adit_started_ms;
    uint64_t restarts;
    const struct log *log;
    const struct auth *auth;
    const struct rule_names *rules;
    const struct process_meter *meter;
    const struct room *room;
    const struct reload_report *reload;
    struct snapshot *snapshot; /* NULL: not yet */
    struct file_text *const *files;
    const struct counters *admin; /* of the admin page */
};

/* 0 or -errno. `look` is called whenever somebody asks. */
int worker_views_create(struct loop *loop, void (*look)(void *self, struct worker_look *ret_look),
                        void *self, struct worker_views **ret_views) MUST_CHECK;
/* Whoever asked is not answered any more. The threads are still there. */
void worker_views_destroy(struct worker_views *views);

/* Whether there is somebody to show it to: from now on, a sample a second. */
void worker_views_keep_history(struct worker_views *views, bool is_kept);

const struct views *worker_views_ops(struct worker_views *views);
/* For what happens on the main thread itself: failed logins at the admin page. */
struct event_feed *worker_views_events(struct worker_views *views);
/* A thread has answered what it was asked (worker_thread_owner). */
void worker_views_thread_answered(struct worker_views *views);
/* Events wait in a thread's feed (worker_thread_owner). */
void worker_views_happened(struct worker_views *views);
/* There are threads now. */
void worker_views_watch_threads(struct worker_views *views);

#endif
