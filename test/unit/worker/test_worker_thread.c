/* A kill that a thread's end cuts short: what it killed until then is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access/auth.h"
#include "access/dial_gate.h"
#include "access/limits.h"
#include "loop/loop.h"
#include "net/room.h"
#include "observe/log.h"
#include "observe/rule_names.h"
#include "process/file_text.h"
#include "tunnel/tunnel.h"
#include "worker/snapshot.h"
#include "worker/worker_thread.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic size_t killed;

struct fixture {
    struct loop *loop;
    struct log *log;
    struct file_text *files[WATCHED_FILE_COUNT];
    struct worker_thread_plan plan;
    unsigned answered, done;
};

/* As if there were no end of them. */
size_t __wrap_tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max);
size_t __wrap_tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max)
{
    killed += max;
    return max;
}

static void count_answer(void *self)
{
    struct fixture *fixture = self;

    assert_int_equal(fixture->done, 0);
    fixture->answered++;
}

static void count_done(void *self)
{
    struct fixture *fixture = self;

    fixture->done++;
}

static void ignore(void *self)
{
    (void)self;
}

static struct snapshot *make_snapshot(void)
{
    const struct config_overrides overrides = {.listeners = NULL};
    struct diagnostics *diagnostics = NULL;
    struct snapshot *snapshot;
    const struct listener_set none = {.count = 0};
    struct config *config;

    assert_int_equal(config_parse(NULL, NULL, &overrides, &config, &diagnostics), 0);
    diagnostics_destroy(diagnostics);
    assert_int_equal(snapshot_create(config, &none, &snapshot), 0);
    return snapshot;
}

static void set_up(struct fixture *fixture)
{
    const struct fair_limits dials = {.total = 1, .per_client = 1, .waiting_per_client = 1};

    assert_int_equal(loop_create(&fixture->loop), 0);
    assert_int_equal(log_create(STDERR_FILENO, 1, 65536, &fixture->log), 0);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        fixture->files[i] = file_text_read(-1);
        assert_non_null(fixture->files[i]);
    }
    fixture->plan = (struct worker_thread_plan){
        .thread_count = 1,
        .snapshot = make_snapshot(),
        .rules = rule_names_create(),
        .log = log_ring_at(fixture->log, 0),
        .relay_limits = {.mode = RELAY_COPY, .pipes = 1, .stash_bytes = 65536},
        .files = fixture->files,
    };
    assert_int_equal(auth_create(&fixture->plan.auth), 0);
    assert_int_equal(limits_create(&fixture->plan.limits), 0);
    assert_int_equal(room_create(1, &fixture->plan.room), 0);
    assert_int_equal(dial_gate_create(&dials, &fixture->plan.dial_gate), 0);
}

static void tear_down(struct fixture *fixture)
{
    dial_gate_destroy(fixture->plan.dial_gate);
    room_destroy(fixture->plan.room);
    rule_names_destroy(fixture->plan.rules);
    snapshot_release(fixture->plan.snapshot);
    limits_destroy(fixture->plan.limits);
    auth_destroy(fixture->plan.auth);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(fixture->files[i]);
    log_destroy(fixture->log);
    loop_destroy(fixture->loop);
}

static void test_the_count_of_a_kill_that_is_cut_short(void **state)
{
    struct fixture fixture = {.answered = 0};
    const struct tunnel_filter all = {.id = 0};
    struct worker_thread *thread;

    set_up(&fixture);
    const struct worker_thread_owner owner = {.loop = fixture.loop,
                                              .stopped_accepting = ignore,
                                              .answered = count_answer,
                                              .happened = ignore,
                                              .done = count_done,
                                              .self = &fixture};
    assert_int_equal(worker_thread_create(&fixture.plan, &owner, &thread), 0);
    assert_int_equal(worker_thread_start(thread), 0);
    assert_true(worker_thread_ask(thread, &all, true));
    while (killed == 0)
        sched_yield();
    worker_thread_drain(thread);
    while (fixture.done == 0)
        assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(fixture.answered, 1);
    assert_int_equal(worker_thread_take_answer(thread).tunnel_count, killed);
    assert_true(killed > 0);
    worker_thread_destroy(thread);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_count_of_a_kill_that_is_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
