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

/* A worker can listen to so many different addresses in its life; a further one needs a restart. */
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
    struct file_text *files[WATCHED_FILE_COUNT]; /* NULL: it has not come yet */
    struct snapshot *snapshot; /* what all threads serve by, or will soon; NULL: none yet */
    struct snapshot *before;   /* while a reload goes on: what it replaces; otherwise NULL */
    struct listener slots[WORKER_SLOTS_MAX]; /* all listeners that there ever were; their
                                              * descriptors are in the snapshots */
    unsigned slot_count;

    /* All threads share these. */
    struct auth *auth;
    struct limits *limits_shared;
    struct dial_gate *dial_gate;
    struct rule_names *rule_names;
    struct room *room;
    int tcp_memory_fd;

    struct worker_thread *threads[COMMAND_LINE_WORKERS_MAX];
    unsigned thread_count;
    struct round ending;   /* until every thread has ended */
    struct round stopping; /* of a drain: until no thread accepts any more */
    struct round applying; /* of a reload: until all threads serve by the new snapshot */
    struct round retiring; /* of a reload, after that: until none listens to old listeners */
    int apply_error; /* while applying: the error of the last thread that had one; 0: none had */
    char reload_answer[CHANNEL_TEXT_MAX + 1];
    struct reload_result result; /* what `reload_answer` says; points into it */
    struct deadline drain_over;  /* while draining */

    /* What shows the worker to those who watch it, and takes their orders. */
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

/* Returns "starting", "serving" or "draining" (static). */
const char *worker_state_name(const struct worker *worker);
/* Changes the state. Contract: the table of states in worker.c allows the change. */
void worker_move_to(struct worker *worker, enum worker_state state);
/* Starts the threads if everything that they need has come; otherwise does nothing. */
void worker_start_if_complete(struct worker *worker);

/* Gives the order to all threads. Unless `round` is NULL, it begins, and awaits their answers. */
void worker_order_all(struct worker *worker, const struct order *order, struct round *round);

/* ---- worker_messages.c */

/* Sets up the rounds and the deadline of draining and ending. */
void worker_messages_init(struct worker *worker);

/* The callback of the channel's watch: takes the supervisor's messages. When the channel has ended,
 * the worker drains. */
void worker_channel_ready(struct watch *watch, uint32_t events);
void worker_begin_drain(struct worker *worker);
void worker_fail_to_start(struct worker *worker, const char *what, int error);

/* ---- worker_config.c */

/* Sets up the rounds of a reload. */
void worker_config_init(struct worker *worker);

void worker_take_config(struct worker *worker, struct channel_message *message);
/* Tells the supervisor that the configuration serves (`why_not` is ""), or why it does not. */
void worker_tell_taken(struct worker *worker, const char *why_not);
/* Takes the message with which the supervisor ends a reload, a good or a failed one: notes the
 * result, has the threads leave the listeners that are gone, and then answers those who asked for
 * it. */
void worker_end_reload(struct worker *worker, const struct channel_message *message);
/* Closes the listeners that only the replaced configuration has, and releases its snapshot.
 * Harmless when no reload goes on. */
void worker_forget_before(struct worker *worker);
/* Makes the admin page use the present snapshot and the present /etc/hosts. */
void worker_use_admin(struct worker *worker);
/* Returns where the log goes, for a message. */
const char *worker_log_name(const struct config *config);

/* ---- worker_panel.c */

/* Sets up worker->panel. */
void worker_panel_init(struct worker *worker);
/* The panel's function of that name; `self` is the worker. It answers at once, without asking the
 * threads: each of them writes its own counters, which are atomic. */
void worker_read_stats(void *self, struct stats *ret_stats);

#endif
