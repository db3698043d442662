/* The worker's main thread, for the files of worker/ that are parts of it. All of it lives on the
 * main thread and its loop; what other threads may touch has a lock or is atomic, and its own
 * header says so.
 *
 *   worker.c            creates and destroys the parts, starts the threads
 *   worker_messages.c   hears the supervisor; drains and ends
 *   worker_config.c     takes a configuration, at the start and at a reload
 *   worker_panel.c      what is asked from outside (admin/panel.h), and who answers
 *   worker_tunnels.c      lists and ends tunnels, on every thread
 *   worker_events.c       passes on what happens; keeps the history
 *   worker_explain.c      answers questions to the policy
 *   worker_admin.c      the admin page's server
 */
#ifndef WORKER_WORKER_PRIVATE_H
#define WORKER_WORKER_PRIVATE_H

#include "admin/panel.h"
#include "admin/reload_report.h"
#include "loop/loop.h"
#include "observe/process_figures.h"
#include "process/channel.h"
#include "process/file_watch.h"
#include "process/reload_result.h"
#include "worker/order.h"
#include "worker/round.h"
#include "worker/snapshot.h"
#include "worker/worker.h"

/* Different addresses listened to in a worker's life. */
#define WORKER_SLOTS_MAX 1024

struct control;
struct file_text;
struct worker_admin;
struct worker_events;
struct worker_explain;
struct worker_thread;
struct worker_trace;
struct worker_tunnels;

enum worker_state { WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING, WORKER_STATE_COUNT };

struct worker {
    const struct worker_plan *plan;
    uint8_t state; /* enum worker_state */
    int exit_status;
    struct loop *loop;
    struct log *log;
    struct log_ring *ring;                       /* of the main thread */
    struct watch channel;                        /* to the supervisor */
    struct file_text *files[WATCHED_FILE_COUNT]; /* NULL: not yet */
    struct snapshot *snapshot; /* what all threads go by, or are about to; NULL: none yet */
    struct snapshot *before;   /* NULL, or while a reload goes on: what it replaces */
    struct listener slots[WORKER_SLOTS_MAX]; /* all there ever were; no descriptors in here */
    unsigned slot_count;

    /* What the threads share. */
    struct auth *auth;
    struct limits *limits_shared;
    struct dial_gate *dial_gate;
    struct rule_names *rule_names;
    struct room *room;
    int tcp_memory_fd;

    struct worker_thread *threads[COMMAND_LINE_WORKERS_MAX];
    unsigned thread_count;
    struct round ending;   /* until every thread has ended */
    struct round stopping; /* a drain: until no thread accepts any more */
    struct round applying; /* a reload: until all threads go by the new snapshot */
    struct round retiring; /* and then: until none listens to old listeners */
    int apply_error;       /* while applying: of the last thread that had one */
    char reload_answer[CHANNEL_TEXT_MAX + 1];
    struct reload_result result; /* of `reload_answer` */
    struct deadline drain_over;  /* while draining */

    /* What shows it. */
    struct panel panel;
    struct process_meter meter;
    struct reload_report report;
    struct worker_tunnels *tunnels;
    struct worker_events *events;
    struct worker_explain *explain;
    struct worker_trace *trace;
    struct control *control; /* NULL: no control socket */
    struct worker_admin *admin;
};

/* ---- worker.c */

/* "serving", "draining"; static. */
const char *worker_state_name(const struct worker *worker);
/* Changes the state; only along the edges of the table in worker.c. */
void worker_move_to(struct worker *worker, enum worker_state state);
/* Starts the threads when all is there that they need. */
void worker_start_if_complete(struct worker *worker);

/* Gives all threads the order; `round`, if not NULL, begins, and awaits their answers. */
void worker_order_all(struct worker *worker, const struct order *order, struct round *round);

/* ---- worker_messages.c */

/* Its rounds and its deadline. */
void worker_messages_init(struct worker *worker);

/* On the channel; at its end, too, the worker drains. */
void worker_channel_ready(struct watch *watch, uint32_t events);
void worker_begin_drain(struct worker *worker);
void worker_fail_to_start(struct worker *worker, const char *what, int error);

/* ---- worker_config.c */

/* Its rounds. */
void worker_config_init(struct worker *worker);

void worker_take_config(struct worker *worker, struct channel_message *message);
/* Tells the supervisor that the configuration serves (`why_not` is ""), or why it does not. */
void worker_tell_taken(struct worker *worker, const char *why_not);
/* The supervisor has closed what only the old configuration listens to. */
void worker_end_reload(struct worker *worker, const struct channel_message *message);
/* What a reload has replaced serves nobody any more. */
void worker_forget_before(struct worker *worker);
/* The admin page goes by what is there now. */
void worker_use_admin(struct worker *worker);
/* Where the log goes, for a message. */
const char *worker_log_name(const struct config *config);

/* ---- worker_panel.c */

/* Sets up worker->panel. */
void worker_panel_init(struct worker *worker);
/* As admin/panel.h has it: figures are atomic, every thread writes its own, so they are read at
 * once. `self` is the worker. */
void worker_read_stats(void *self, struct stats *ret_stats);

#endif
