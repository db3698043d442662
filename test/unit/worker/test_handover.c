/* The box through which threads hand each other connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "worker/handover.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { GIVEN_BY_EACH = 2000, GIVERS = 2 };

static const int ours, others; /* snapshots: only their addresses count */

struct fixture {
    struct loop *loop;
    struct handover *handover;
    unsigned taken;
    unsigned listeners; /* the sum */
};

static void take(void *self, const struct handed *handed)
{
    struct fixture *fixture = self;

    fixture->taken++;
    fixture->listeners += handed->listener_slot;
    close(handed->fd);
}

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){0};
    if (loop_create(&fixture.loop) < 0)
        return -1;
    const struct handover_owner owner = {.loop = fixture.loop, .take = take, .self = &fixture};
    *state = &fixture;
    if (handover_create(&owner, &fixture.handover) < 0)
        return -1;
    handover_use_snapshot(fixture.handover, &ours);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    handover_destroy(fixture->handover);
    loop_destroy(fixture->loop);
    return 0;
}

static bool give(struct fixture *fixture, const void *snapshot, unsigned listener_slot)
{
    const struct handed handed = {.fd = eventfd(0, EFD_CLOEXEC), .listener_slot = listener_slot};

    assert_true(handed.fd >= 0);
    bool is_taken = handover_give(fixture->handover, snapshot, &handed);
    if (!is_taken)
        close(handed.fd);
    return is_taken;
}

static void test_taken_on_the_loop(void **state)
{
    struct fixture *fixture = *state;

    assert_true(give(fixture, &ours, 3));
    assert_true(give(fixture, &ours, 4));
    assert_int_equal(handover_waiting(fixture->handover), 2);
    assert_int_equal(fixture->taken, 0);
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_int_equal(fixture->taken, 2);
    assert_int_equal(fixture->listeners, 7);
    assert_int_equal(handover_waiting(fixture->handover), 0);
    assert_true(give(fixture, &ours, 1));
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_int_equal(fixture->taken, 3);
}

static void test_full(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < HANDOVER_MAX; i++)
        assert_true(give(fixture, &ours, 0));
    assert_false(give(fixture, &ours, 0));
    assert_int_equal(handover_waiting(fixture->handover), HANDOVER_MAX);
}

static void test_other_snapshot(void **state)
{
    struct fixture *fixture = *state;

    assert_false(give(fixture, &others, 0));
    handover_use_snapshot(fixture->handover, &others);
    assert_true(give(fixture, &others, 0));
    assert_false(give(fixture, &ours, 0));
}

static void test_closed(void **state)
{
    struct fixture *fixture = *state;

    assert_true(give(fixture, &ours, 0));
    handover_close(fixture->handover);
    assert_int_equal(fixture->taken, 1);
    assert_false(give(fixture, &ours, 0));
    handover_close(fixture->handover);
    assert_int_equal(fixture->taken, 1);
}

static void test_what_was_never_taken_is_closed(void **state)
{
    struct fixture *fixture = *state;
    const struct handed handed = {.fd = eventfd(0, EFD_CLOEXEC)};

    assert_true(handover_give(fixture->handover, &ours, &handed));
    handover_destroy(fixture->handover);
    fixture->handover = NULL;
    assert_int_equal(fcntl(handed.fd, F_GETFD), -1);
}

static void *give_many(void *self)
{
    struct fixture *fixture = self;
    uintptr_t given = 0;

    for (unsigned i = 0; i < GIVEN_BY_EACH; i++)
        given += give(fixture, &ours, 1);
    return (void *)given;
}

static void test_many_give_while_one_takes_and_closes(void **state)
{
    struct fixture *fixture = *state;
    pthread_t givers[GIVERS];
    uintptr_t given = 0;

    for (int i = 0; i < GIVERS; i++)
        assert_int_equal(pthread_create(&givers[i], NULL, give_many, fixture), 0);
    while (fixture->taken < HANDOVER_MAX) /* so many always find room */
        assert_int_equal(loop_turn(fixture->loop), 0);
    handover_close(fixture->handover);
    for (int i = 0; i < GIVERS; i++) {
        void *count;
        pthread_join(givers[i], &count);
        given += (uintptr_t)count;
    }
    assert_int_equal(fixture->taken, given);
    assert_int_equal(fixture->listeners, given);
    assert_int_equal(handover_waiting(fixture->handover), 0);
}

#define HANDOVER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANDOVER_TEST(test_taken_on_the_loop),
        HANDOVER_TEST(test_full),
        HANDOVER_TEST(test_other_snapshot),
        HANDOVER_TEST(test_closed),
        HANDOVER_TEST(test_what_was_never_taken_is_closed),
        HANDOVER_TEST(test_many_give_while_one_takes_and_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
