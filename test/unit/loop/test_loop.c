/* The loop on real descriptors: its rules, one by one. */
#include "loop/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct probe {
    struct watch watch;
    struct deadline deadline;
    struct task task;
    struct letter letter;
    struct garbage garbage;
    struct loop *loop;
    struct probe *victim;
    unsigned calls;
    uint32_t events;
    int peer_fd;
};

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    return loop_create(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    loop_destroy(loop);
    return 0;
}

static void turn(void)
{
    assert_int_equal(loop_turn(loop), 0);
}

static void count_events(struct watch *watch, uint32_t events)
{
    struct probe *probe = container_of(watch, struct probe, watch);

    probe->calls++;
    probe->events = events;
}

static void close_victim(struct watch *watch, uint32_t events)
{
    struct probe *probe = container_of(watch, struct probe, watch);

    count_events(watch, events);
    watch_close(&probe->victim->watch);
}

static void open_pair(struct probe *probe, void (*on_events)(struct watch *, uint32_t))
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *probe = (struct probe){.peer_fd = fds[1], .loop = loop};
    assert_int_equal(watch_open(loop, &probe->watch, fds[0], on_events), 0);
}

static void ignore_task(struct task *task)
{
    (void)task;
}

static void an_edge_is_told_once(void **state)
{
    struct probe probe;

    (void)state;
    open_pair(&probe, count_events);
    assert_int_equal(write(probe.peer_fd, "x", 1), 1);
    turn();
    assert_int_equal(probe.calls, 1);
    assert_true(probe.events & EPOLLIN);
    /* What was not read is no new edge: only the task makes this turn return. */
    task_init(&probe.task, ignore_task);
    task_post(loop, &probe.task);
    turn();
    assert_int_equal(probe.calls, 1);
    assert_int_equal(write(probe.peer_fd, "y", 1), 1);
    turn();
    assert_int_equal(probe.calls, 2);
    watch_close(&probe.watch);
    close(probe.peer_fd);
}

/* Whichever of the two is called first closes the other, whose event is in the same batch. */
static void a_closed_watch_is_not_called(void **state)
{
    struct probe a, b;

    (void)state;
    open_pair(&a, close_victim);
    open_pair(&b, close_victim);
    a.victim = &b;
    b.victim = &a;
    turn();
    assert_int_equal(a.calls + b.calls, 1);
    watch_close(&a.watch);
    watch_close(&b.watch);
    close(a.peer_fd);
    close(b.peer_fd);
}

static void repost(struct task *task)
{
    struct probe *probe = container_of(task, struct probe, task);

    if (++probe->calls < 3)
        task_post(probe->loop, task);
}

static void a_task_runs_in_the_next_turn(void **state)
{
    struct probe probe = {.loop = loop};

    (void)state;
    task_init(&probe.task, repost);
    task_post(loop, &probe.task);
    task_post(loop, &probe.task);
    for (unsigned expected = 1; expected <= 3; expected++) {
        turn();
        assert_int_equal(probe.calls, expected);
    }
    task_post(loop, &probe.task);
    task_cancel(&probe.task);
}

static void pass(struct deadline *deadline)
{
    container_of(deadline, struct probe, deadline)->calls++;
}

static void a_deadline_passes_once_and_not_early(void **state)
{
    struct probe probe = {.loop = loop};
    uint64_t began_ms = loop_now_ms(loop);

    (void)state;
    deadline_init(&probe.deadline, pass);
    deadline_set(loop, &probe.deadline, began_ms + 30);
    while (probe.calls == 0) {
        turn();
        if (loop_now_ms(loop) < began_ms + 30)
            assert_int_equal(probe.calls, 0);
    }
    assert_true(loop_now_ms(loop) >= began_ms + 30);
    assert_false(deadline_is_set(&probe.deadline));
}

static void deliver(struct letter *letter)
{
    container_of(letter, struct probe, letter)->calls++;
}

static void *post_from_elsewhere(void *self)
{
    struct probe *probe = self;

    letter_post(probe->loop, &probe->letter);
    return NULL;
}

static void a_letter_comes_from_another_thread(void **state)
{
    struct probe probe = {.loop = loop};
    pthread_t thread;

    (void)state;
    letter_init(&probe.letter, deliver);
    assert_int_equal(pthread_create(&thread, NULL, post_from_elsewhere, &probe), 0);
    turn(); /* waits for it */
    pthread_join(thread, NULL);
    assert_int_equal(probe.calls, 1);
    assert_false(letter_take_back(loop, &probe.letter));
}

static void a_letter_can_be_taken_back(void **state)
{
    struct probe probe = {.loop = loop};

    (void)state;
    letter_init(&probe.letter, deliver);
    letter_post(loop, &probe.letter);
    assert_true(letter_take_back(loop, &probe.letter));
    turn();
    assert_int_equal(probe.calls, 0);
}

static void count_call(void *self)
{
    ((struct probe *)self)->calls++;
}

static void an_awaited_turn_is_told_of_once(void **state)
{
    struct probe probe = {.loop = loop};

    (void)state;
    loop_on_turn(loop, count_call, &probe);
    loop_stop(loop); /* rings, so that a turn does not wait */
    turn();
    assert_int_equal(probe.calls, 0);
    loop_await_turn(loop);
    loop_await_turn(loop);
    assert_int_equal(probe.calls, 0);
    loop_stop(loop);
    turn();
    assert_int_equal(probe.calls, 1);
    loop_stop(loop);
    turn();
    assert_int_equal(probe.calls, 1);
}

static unsigned freed;

static void count_free(struct garbage *garbage)
{
    freed++;
    free(container_of(garbage, struct probe, garbage));
}

static void close_and_free(struct watch *watch, uint32_t events)
{
    struct probe *probe = container_of(watch, struct probe, watch);

    (void)events;
    watch_close(watch);
    loop_free_later(probe->loop, &probe->garbage, count_free);
    assert_int_equal(freed, 0);
}

static void memory_lives_until_the_end_of_the_turn(void **state)
{
    struct probe *probe = malloc(sizeof(*probe));

    (void)state;
    assert_non_null(probe);
    open_pair(probe, close_and_free);
    int peer_fd = probe->peer_fd;
    turn();
    assert_int_equal(freed, 1);
    close(peer_fd);
}

static void *stop_from_elsewhere(void *self)
{
    loop_stop(self);
    return NULL;
}

static void stop_ends_a_waiting_run(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, stop_from_elsewhere, loop), 0);
    assert_int_equal(loop_run(loop), 0);
    pthread_join(thread, NULL);
}

#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(an_edge_is_told_once),
        LOOP_TEST(a_closed_watch_is_not_called),
        LOOP_TEST(a_task_runs_in_the_next_turn),
        LOOP_TEST(a_deadline_passes_once_and_not_early),
        LOOP_TEST(a_letter_comes_from_another_thread),
        LOOP_TEST(a_letter_can_be_taken_back),
        LOOP_TEST(an_awaited_turn_is_told_of_once),
        LOOP_TEST(memory_lives_until_the_end_of_the_turn),
        LOOP_TEST(stop_ends_a_waiting_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
