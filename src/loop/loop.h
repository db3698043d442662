/* The event loop: one per thread, edge-triggered epoll, deadlines, work for the next turn, letters
 * from other threads.
 *
 * The rules:
 *  1. A watch is embedded in its owner and reached by container_of. The loop allocates nothing per
 *     watch.
 *  2. A descriptor is registered once, for everything (IN, OUT, RDHUP, PRI; edge-triggered), and
 *     leaves by watch_close. There is no epoll_ctl in between, except for listeners that loops
 *     share.
 *  3. The clock is read once per turn; loop_now_ms is the same in all of a turn.
 *  4. Closing only marks, and the end of the turn frees: after watch_close no handler of the watch
 *     is called any more, but its memory must live until loop_free_later has it freed.
 *  5. A handler that could go on for long stops at its budget and puts a task into the next turn.
 *  6. Only letter_post, loop_await_turn and loop_stop may be called by other threads.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/contract.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct slab;

/* Returns 0 or -errno. */
int loop_create(struct loop **ret_loop) MUST_CHECK;
/* Contract: nothing is watched, set or posted any more. Frees what loop_free_later still holds. */
void loop_destroy(struct loop *loop);
/* Turns until loop_stop. Returns 0 or -errno of epoll_wait. */
int loop_run(struct loop *loop) MUST_CHECK;
/* Does one turn, which waits for events until the next deadline at most. Returns 0 or -errno. */
int loop_turn(struct loop *loop) MUST_CHECK;
/* Makes loop_run return after the current turn. May be called from any thread. */
void loop_stop(struct loop *loop);
/* Returns the memory for objects that live on the loop's thread and end before the loop. */
struct slab *loop_slab(struct loop *loop);
/* Returns CLOCK_MONOTONIC as it was when the turn began, in milliseconds. */
uint64_t loop_now_ms(const struct loop *loop);
/* Returns a number that differs from turn to turn; it wraps around. */
uint32_t loop_turn_number(const struct loop *loop);

/* ---- descriptors ---- */

struct watch {
    int fd; /* -1: not watched */
    /* `events` are EPOLL* bits. */
    void (*on_events)(struct watch *watch, uint32_t events);
};

/* Watches the descriptor for everything, edge-triggered. Takes it on success. Returns 0 or -errno.
 */
int watch_open(struct loop *loop, struct watch *watch, int fd,
               void (*on_events)(struct watch *, uint32_t)) MUST_CHECK;
/* Watches the descriptor for EPOLLIN, level-triggered; with `is_shared` also EPOLLEXCLUSIVE, for a
 * listener that several loops watch. Takes the descriptor on success. Returns 0 or -errno. */
int watch_open_input(struct loop *loop, struct watch *watch, int fd, bool is_shared,
                     void (*on_events)(struct watch *, uint32_t)) MUST_CHECK;
/* Of the loops that share the descriptor, the kernel wakes the first one that sleeps. This call
 * moves this loop to the end of that line (two epoll_ctl). Returns 0, or -errno, and then the
 * descriptor is not watched any more. */
int watch_go_last(struct loop *loop, struct watch *watch) MUST_CHECK;
/* Stops watching and hands the descriptor back, open (costs an epoll_ctl). */
int watch_take_fd(struct loop *loop, struct watch *watch);
/* Stops watching and closes the descriptor. Harmless on a closed watch. */
void watch_close(struct watch *watch);

/* ---- deadlines ---- */

struct deadline {
    struct list link;
    uint64_t at_ms;
    void (*on_passed)(struct deadline *deadline);
};

void deadline_init(struct deadline *deadline, void (*on_passed)(struct deadline *));
/* Arms the deadline, or arms it anew. It passes once, not before `at_ms` (loop_now_ms time) and,
 * when the loop is free, within 2 ms of it. */
void deadline_set(struct loop *loop, struct deadline *deadline, uint64_t at_ms);
/* Harmless when the deadline is not armed. */
void deadline_cancel(struct loop *loop, struct deadline *deadline);
bool deadline_is_set(const struct deadline *deadline);

/* ---- work for the next turn, which then does not wait for events ---- */

struct task {
    struct list link;
    void (*run)(struct task *task);
};

void task_init(struct task *task, void (*run)(struct task *));
/* Has the task run in the next turn. Harmless when it is posted already. */
void task_post(struct loop *loop, struct task *task);
void task_cancel(struct task *task);

/* ---- memory that events of this turn may still name ---- */

struct garbage {
    struct garbage *next;
    void (*destroy)(struct garbage *garbage);
};

/* Contract: takes the memory that embeds `garbage`; `destroy` is called at the end of the turn. */
void loop_free_later(struct loop *loop, struct garbage *garbage, void (*destroy)(struct garbage *));

/* ---- a sign of life, for another thread ---- */

/* Sets what loop_await_turn makes the loop call. Must be called before loop_run. */
void loop_on_turn(struct loop *loop, void (*turned)(void *self), void *self);
/* Makes the loop call `turned` once, on its thread, at the end of the turn that is under way or of
 * the next one. May be called from any thread, and does not wake the loop. */
void loop_await_turn(struct loop *loop);

/* ---- letters: from any thread to the loop's ---- */

struct letter {
    struct list link;
    void (*deliver)(struct letter *letter); /* runs on the loop's thread; may free the letter */
};

void letter_init(struct letter *letter, void (*deliver)(struct letter *));
/* Posts the letter, from any thread. Its memory must live until it was delivered or taken back. */
void letter_post(struct loop *loop, struct letter *letter);
/* Called on the loop's thread. Returns true when the letter had not been delivered yet; it will not
 * be any more. */
bool letter_take_back(struct loop *loop, struct letter *letter);

#endif
