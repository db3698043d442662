/* A kill that a thread's end cuts short: what it killed until then is told. A thread that has ended
 * is not waited for. */
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
#include "worker/order.h"
#include "worker/round.h"
#include "worker/snapshot.h"
#include "worker/worker_thread.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic size_t killed;
static _Atomic bool is_endless;

struct fixture {
    struct loop *loop;
    struct log *log;
    struct file_text *files[WATCHED_FILE_COUNT];
    struct worker_thread_plan plan;
    struct round ending;
    struct round killing;
    size_t told; /* how many it killed */
    unsigned answered;
    unsigned completed;
    bool has_ended;
};

/* As if there were no end of them, or none. */
size_t __wrap_tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max);
size_t __wrap_tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max)
{
    if (!is_endless)
        return 0;
    killed += max;
    return max;
}

static void kill_answered(struct round *round, unsigned index, struct order_answer *answer)
{
    struct fixture *fixture = container_of(round, struct fixture, killing);

    assert_int_equal(index, 0);
    assert_false(fixture->has_ended);
    fixture->answered++;
    fixture->told = answer->tunnel_count;
}

static void kill_completed(struct round *round)
{
    struct fixture *fixture = container_of(round, struct fixture, killing);

    fixture->completed++;
}

static void note_end(struct round *round)
{
    struct fixture *fixture = container_of(round, struct fixture, ending);

    fixture->has_ended = true;
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
        .rule_names = rule_names_create(),
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
    rule_names_destroy(fixture->plan.rule_names);
    snapshot_release(fixture->plan.snapshot);
    limits_destroy(fixture->plan.limits);
    auth_destroy(fixture->plan.auth);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(fixture->files[i]);
    log_destroy(fixture->log);
    loop_destroy(fixture->loop);
}

static struct worker_thread *start_thread(struct fixture *fixture)
{
    static const struct round_handlers ending = {.completed = note_end};
    static const struct round_handlers killing = {.answered = kill_answered,
                                                  .completed = kill_completed};
    const struct worker_thread_owner owner = {
        .loop = fixture->loop, .happened = ignore, .self = fixture, .ending = &fixture->ending};
    struct worker_thread *thread;

    round_init(&fixture->ending, &ending);
    round_init(&fixture->killing, &killing);
    assert_int_equal(worker_thread_create(&fixture->plan, &owner, &thread), 0);
    round_begin(&fixture->ending);
    assert_int_equal(worker_thread_start(thread), 0);
    round_asked_all(&fixture->ending);
    return thread;
}

static void ask_to_kill(struct fixture *fixture, struct worker_thread *thread)
{
    const struct order order = {.kind = ORDER_KILL};

    round_begin(&fixture->killing);
    worker_thread_order(thread, &order, &fixture->killing);
    round_asked_all(&fixture->killing);
}

static void drain(struct fixture *fixture, struct worker_thread *thread)
{
    const struct order order = {.kind = ORDER_DRAIN};

    worker_thread_order(thread, &order, NULL);
    while (!fixture->has_ended)
        assert_int_equal(loop_turn(fixture->loop), 0);
}

static void test_the_count_of_a_kill_that_is_cut_short(void **state)
{
    struct fixture fixture = {.answered = 0};

    set_up(&fixture);
    is_endless = true;
    struct worker_thread *thread = start_thread(&fixture);
    ask_to_kill(&fixture, thread);
    while (killed == 0)
        sched_yield();
    drain(&fixture, thread);
    assert_int_equal(fixture.answered, 1);
    assert_int_equal(fixture.completed, 1);
    assert_int_equal(fixture.told, killed);
    assert_true(killed > 0);
    is_endless = false;
    worker_thread_destroy(thread);
    tear_down(&fixture);
}

static void test_who_has_ended_is_not_asked(void **state)
{
    struct fixture fixture = {.answered = 0};

    set_up(&fixture);
    struct worker_thread *thread = start_thread(&fixture);
    drain(&fixture, thread);
    ask_to_kill(&fixture, thread);
    assert_int_equal(fixture.answered, 0);
    assert_int_equal(fixture.completed, 1);
    worker_thread_destroy(thread);
    tear_down(&fixture);
}

static void test_who_ends_meanwhile_is_counted_out(void **state)
{
    struct fixture fixture = {.answered = 0};

    set_up(&fixture);
    struct worker_thread *thread = start_thread(&fixture);
    const struct order order = {.kind = ORDER_DRAIN};
    worker_thread_order(thread, &order, NULL);
    /* Whether it still takes this order is a race; it is counted once. */
    ask_to_kill(&fixture, thread);
    assert_int_equal(fixture.completed, 0);
    while (!fixture.has_ended)
        assert_int_equal(loop_turn(fixture.loop), 0);
    assert_true(fixture.answered <= 1);
    assert_int_equal(fixture.completed, 1);
    worker_thread_destroy(thread);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_count_of_a_kill_that_is_cut_short),
        cmocka_unit_test(test_who_has_ended_is_not_asked),
        cmocka_unit_test(test_who_ends_meanwhile_is_counted_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
