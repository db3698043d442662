/* A turn: wait for events, read the clock, call the watches that have events, run the tasks that
 * were posted before this turn, call the deadlines that passed, free what was closed.
 *
 * The surprise is in the freeing: an event of the current batch may name a watch that an earlier
 * handler of the same batch closed. Such a watch has fd -1 and is skipped; its memory is freed only
 * when the batch is done.
 */
#include "loop/loop.h"

#include "loop/deadline_wheel.h"
#include "loop/slab.h"
#include "system/clock.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Large enough that a busy loop needs few epoll_wait calls, and small enough (3 KiB) to stay in the
 * cache. */
enum { EVENTS_PER_TURN = 256 };

struct loop {
    int epoll_fd;
    uint64_t now_ms;
    uint32_t turn_number;
    struct deadline_wheel wheel;
    struct list tasks;         /* run in the next turn */
    struct list due_tasks;     /* run in this turn; empty between turns, as is the next one */
    struct list due_deadlines; /* passed, not called yet; empty between turns */
    struct garbage *garbage;   /* closed in this turn; a chain, the latest first */
    struct slab slab;
    struct watch bell; /* an eventfd: letters came, or loop_stop was called */
    pthread_mutex_t letters_lock;
    struct list letters;          /* under letters_lock */
    _Atomic bool is_stopping;     /* set by any thread */
    _Atomic bool is_turn_awaited; /* set by any thread */
    void (*turned)(void *self);   /* called at the end of a turn while is_turn_awaited */
    void *turned_self;
    struct epoll_event events[EVENTS_PER_TURN];
};

/* The lock is taken once per letter, and not held while the letter is delivered: what it does may
 * post letters or take them back. */
static void deliver_letters(struct loop *loop)
{
    for (;;) {
        struct letter *letter = NULL;

        pthread_mutex_lock(&loop->letters_lock);
        if (!list_is_empty(&loop->letters)) {
            letter = container_of(loop->letters.next, struct letter, link);
            list_remove(&letter->link);
        }
        pthread_mutex_unlock(&loop->letters_lock);
        if (letter == NULL)
            return;
        letter->deliver(letter);
    }
}

static void bell_rang(struct watch *bell, uint32_t events)
{
    struct loop *loop = container_of(bell, struct loop, bell);
    uint64_t count;

    (void)events;
    /* An error is harmless: the bell only wakes the loop, the letters are in the list. */
    ssize_t ignored = read(bell->fd, &count, sizeof(count));
    (void)ignored;
    deliver_letters(loop);
}

static void ring_bell(struct loop *loop)
{
    uint64_t one = 1;
    /* This fails only when the count is at its maximum, and then the bell rings anyway. */
    ssize_t ignored = write(loop->bell.fd, &one, sizeof(one));
    (void)ignored;
}

static int open_bell(struct loop *loop)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    int error = watch_open_input(loop, &loop->bell, fd, false, bell_rang);
    if (error < 0)
        close(fd);
    return error;
}

int loop_create(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return -ENOMEM;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        int error = -errno;
        free(loop);
        return error;
    }
    int error = open_bell(loop);
    if (error < 0) {
        close(loop->epoll_fd);
        free(loop);
        return error;
    }
    slab_init(&loop->slab);
    loop->now_ms = clock_monotonic_ms();
    deadline_wheel_init(&loop->wheel, loop->now_ms);
    list_init(&loop->tasks);
    list_init(&loop->due_tasks);
    list_init(&loop->due_deadlines);
    list_init(&loop->letters);
    pthread_mutex_init(&loop->letters_lock, NULL);
    *ret_loop = loop;
    return 0;
}

static void free_garbage(struct loop *loop)
{
    while (loop->garbage != NULL) {
        struct garbage *garbage = loop->garbage;

        loop->garbage = garbage->next;
        garbage->destroy(garbage);
    }
}

void loop_destroy(struct loop *loop)
{
    free_garbage(loop);
    REQUIRE(list_is_empty(&loop->tasks));
    REQUIRE(list_is_empty(&loop->letters));
    watch_close(&loop->bell);
    close(loop->epoll_fd);
    slab_finish(&loop->slab);
    pthread_mutex_destroy(&loop->letters_lock);
    free(loop);
}

/* How long epoll_wait may wait: 0 when a task is due, -1 (without end) when there is no
 * deadline. */
static int loop_wait_ms(const struct loop *loop)
{
    if (!list_is_empty(&loop->tasks))
        return 0;
    uint64_t at_ms = deadline_wheel_next(&loop->wheel);
    if (at_ms == DEADLINE_NEVER)
        return -1;
    uint64_t wait = at_ms > loop->now_ms ? at_ms - loop->now_ms : 0;
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

/* A task is taken from the list before it runs, so it may post itself again or free what it is
 * in. */
static void run_tasks(struct list *tasks)
{
    while (!list_is_empty(tasks)) {
        struct task *task = container_of(tasks->next, struct task, link);

        list_remove(&task->link);
        task->run(task);
    }
}

/* Like a task, a deadline is taken from its list before it is called. It may set itself again, and
 * it may cancel others that are due in the same turn. */
static void run_deadlines(struct loop *loop)
{
    struct list *due = &loop->due_deadlines;

    deadline_wheel_advance(&loop->wheel, loop->now_ms, due);
    while (!list_is_empty(due)) {
        struct deadline *deadline = container_of(due->next, struct deadline, link);

        list_remove(&deadline->link);
        deadline->on_passed(deadline);
    }
}

/* The flag is cleared first, so a thread that asks again from now on is told of another turn. */
static void tell_turned(struct loop *loop)
{
    atomic_store(&loop->is_turn_awaited, false);
    loop->turned(loop->turned_self);
}

int loop_turn(struct loop *loop)
{
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, loop_wait_ms(loop));

    if (count < 0 && errno != EINTR)
        return -errno;
    loop->now_ms = clock_monotonic_ms();
    loop->turn_number++;
    list_move_all(&loop->due_tasks, &loop->tasks);
    for (int i = 0; i < count; i++) {
        struct watch *watch = loop->events[i].data.ptr;

        if (watch->fd >= 0)
            watch->on_events(watch, loop->events[i].events);
    }
    run_tasks(&loop->due_tasks);
    run_deadlines(loop);
    free_garbage(loop);
    if (atomic_load_explicit(&loop->is_turn_awaited, memory_order_relaxed))
        tell_turned(loop);
    return 0;
}

int loop_run(struct loop *loop)
{
    while (!atomic_load_explicit(&loop->is_stopping, memory_order_acquire)) {
        int error = loop_turn(loop);

        if (error < 0)
            return error;
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->is_stopping, true, memory_order_release);
    ring_bell(loop);
}

struct slab *loop_slab(struct loop *loop)
{
    return &loop->slab;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

uint32_t loop_turn_number(const struct loop *loop)
{
    return loop->turn_number;
}

static int add_to_epoll(struct loop *loop, struct watch *watch, int fd, uint32_t events,
                        void (*on_events)(struct watch *, uint32_t))
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    watch->fd = fd;
    watch->on_events = on_events;
    return 0;
}

int watch_open(struct loop *loop, struct watch *watch, int fd,
               void (*on_events)(struct watch *, uint32_t))
{
    return add_to_epoll(loop, watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                        on_events);
}

int watch_open_input(struct loop *loop, struct watch *watch, int fd, bool is_shared,
                     void (*on_events)(struct watch *, uint32_t))
{
    return add_to_epoll(loop, watch, fd, EPOLLIN | (is_shared ? (uint32_t)EPOLLEXCLUSIVE : 0),
                        on_events);
}

int watch_take_fd(struct loop *loop, struct watch *watch)
{
    int fd = watch->fd;

    REQUIRE(fd >= 0);
    /* Fails only for a descriptor that is not in the set, which can't be. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    watch->fd = -1;
    return fd;
}

/* The kernel wakes the watches of a shared descriptor in the order in which they were added. A
 * watch that is taken out and added again comes last, so others get the next connections. */
int watch_go_last(struct loop *loop, struct watch *watch)
{
    void (*on_events)(struct watch *, uint32_t) = watch->on_events;
    int fd = watch_take_fd(loop, watch);

    return watch_open_input(loop, watch, fd, true, on_events);
}

void watch_close(struct watch *watch)
{
    if (watch->fd < 0)
        return;
    /* Closing removes it from the epoll set, because no other descriptor refers to this file. */
    close(watch->fd);
    watch->fd = -1;
}

void deadline_init(struct deadline *deadline, void (*on_passed)(struct deadline *))
{
    list_init(&deadline->link);
    deadline->at_ms = 0;
    deadline->on_passed = on_passed;
}

void deadline_set(struct loop *loop, struct deadline *deadline, uint64_t at_ms)
{
    deadline_cancel(loop, deadline);
    deadline->at_ms = at_ms;
    deadline_wheel_add(&loop->wheel, deadline);
}

void deadline_cancel(struct loop *loop, struct deadline *deadline)
{
    if (list_is_linked(&deadline->link))
        deadline_wheel_remove(&loop->wheel, deadline);
}

bool deadline_is_set(const struct deadline *deadline)
{
    return list_is_linked(&deadline->link);
}

void task_init(struct task *task, void (*run)(struct task *))
{
    list_init(&task->link);
    task->run = run;
}

void task_post(struct loop *loop, struct task *task)
{
    if (!list_is_linked(&task->link))
        list_append(&loop->tasks, &task->link);
}

void task_cancel(struct task *task)
{
    list_remove(&task->link);
}

/* See the top: memory that an event of this turn may refer to is freed when the turn is over. */
void loop_free_later(struct loop *loop, struct garbage *garbage, void (*destroy)(struct garbage *))
{
    garbage->destroy = destroy;
    garbage->next = loop->garbage;
    loop->garbage = garbage;
}

void loop_on_turn(struct loop *loop, void (*turned)(void *self), void *self)
{
    loop->turned = turned;
    loop->turned_self = self;
}

void loop_await_turn(struct loop *loop)
{
    atomic_store(&loop->is_turn_awaited, true);
}

void letter_init(struct letter *letter, void (*deliver)(struct letter *))
{
    list_init(&letter->link);
    letter->deliver = deliver;
}

/* The bell rings only for the first letter. When others are in the list already, it has been rung
 * for them, and deliver_letters goes on until the list is empty. */
void letter_post(struct loop *loop, struct letter *letter)
{
    pthread_mutex_lock(&loop->letters_lock);
    bool is_first = list_is_empty(&loop->letters);
    REQUIRE(!list_is_linked(&letter->link));
    list_append(&loop->letters, &letter->link);
    pthread_mutex_unlock(&loop->letters_lock);
    if (is_first)
        ring_bell(loop);
}

/* Returns false when the letter was delivered before, or is the one that is being delivered. */
bool letter_take_back(struct loop *loop, struct letter *letter)
{
    pthread_mutex_lock(&loop->letters_lock);
    bool is_waiting = list_is_linked(&letter->link);
    list_remove(&letter->link);
    pthread_mutex_unlock(&loop->letters_lock);
    return is_waiting;
}
