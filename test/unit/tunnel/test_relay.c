/* tunnel/relay between two ends in memory: what it starts with. What may happen on the way, fault
 * by fault, is in test/sim.
 */
#include "net/stream.h" /* first: cmocka makes a macro of `skip` */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "observe/counters.h"
#include "observe/trace.h"
#include "tunnel/relay.h"
#include "tunnel/relay_env.h"
#include "tunnel/relay_gate.h"
#include "tunnel/tunnel_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 4096, GATE_BYTES = 8, PATIENCE_MS = 60000 };

/* An end that takes everything at once. */
struct fake {
    struct stream stream;
    char arrived[BYTES_MAX]; /* from its peer, to be read */
    size_t arrived_length;
    size_t consumed;
    char written[BYTES_MAX + 1]; /* to its peer */
    size_t written_length;
    bool has_fin;
    bool is_broken;
    bool is_shut;
    bool is_closed;
    bool is_reset; /* it was closed so */
};

static ssize_t fake_read(struct stream *stream, void *buffer, size_t size)
{
    struct fake *fake = container_of(stream, struct fake, stream);
    size_t left = fake->arrived_length - fake->consumed;
    size_t count = left < size ? left : size;

    assert_false(fake->is_closed);
    if (fake->is_broken)
        return -ECONNRESET;
    if (count < size && !fake->has_fin)
        stream->ready &= (uint8_t)~STREAM_READABLE;
    if (count == 0)
        return fake->has_fin ? 0 : -EAGAIN;
    memcpy(buffer, fake->arrived + fake->consumed, count);
    fake->consumed += count;
    return (ssize_t)count;
}

static ssize_t fake_write(struct stream *stream, const void *bytes, size_t length)
{
    struct fake *fake = container_of(stream, struct fake, stream);

    assert_false(fake->is_closed || fake->is_shut);
    assert_true(length <= BYTES_MAX - fake->written_length);
    memcpy(fake->written + fake->written_length, bytes, length);
    fake->written_length += length;
    return (ssize_t)length;
}

static int fake_shutdown_write(struct stream *stream)
{
    container_of(stream, struct fake, stream)->is_shut = true;
    return 0;
}

static void fake_close(struct stream *stream, bool is_reset)
{
    struct fake *fake = container_of(stream, struct fake, stream);

    assert_false(fake->is_closed);
    fake->is_closed = true;
    fake->is_reset = is_reset;
}

static void fake_want(struct stream *stream, unsigned wanted)
{
}

static int fake_kernel_fd(const struct stream *stream)
{
    return -1;
}

static size_t fake_unacknowledged(const struct stream *stream)
{
    return 0;
}

static const struct stream_kind fake_kind = {
    .read = fake_read,
    .write = fake_write,
    .shutdown_write = fake_shutdown_write,
    .close = fake_close,
    .want = fake_want,
    .kernel_read_fd = fake_kernel_fd,
    .kernel_write_fd = fake_kernel_fd,
    .unacknowledged = fake_unacknowledged,
};

static struct trace nobodys_trace; /* off */

struct fixture {
    struct loop *loop;
    struct counters counters;
    struct relay_env *relays;
    struct tunnel_env env;
    struct fake ends[RELAY_ENDS];
    struct relay relay;
    bool is_ended;
    enum closed_by closed_by;

    /* What it was last shown, and what it answers then; at a last look, if it wants more, it ends
     * the relay. */
    struct relay_gate gate;
    struct relay_gate_ops gate_ops;
    enum relay_gate_answer answer;
    unsigned looks;
    bool was_last;
    char shown[RELAY_ENDS][BYTES_MAX];
    bool was_ended[RELAY_ENDS];
    unsigned passed; /* times that on_passed came */
    struct deadline patience;
};

static void on_ended(struct relay *relay, enum closed_by closed_by)
{
    struct fixture *fixture = container_of(relay, struct fixture, relay);

    assert_false(fixture->is_ended);
    fixture->is_ended = true;
    fixture->closed_by = closed_by;
}

static void on_passed(struct relay *relay)
{
    container_of(relay, struct fixture, relay)->passed++;
}

static enum relay_gate_answer gate_look(struct relay_gate *gate,
                                        const struct relay_gate_side sides[RELAY_ENDS],
                                        bool is_last, enum closed_by *ret_closed_by)
{
    struct fixture *fixture = container_of(gate, struct fixture, gate);

    fixture->looks++;
    fixture->was_last = is_last;
    for (unsigned from = 0; from < RELAY_ENDS; from++) {
        memset(fixture->shown[from], 0, BYTES_MAX);
        if (sides[from].length > 0)
            memcpy(fixture->shown[from], sides[from].bytes, sides[from].length);
        fixture->was_ended[from] = sides[from].is_ended;
    }
    enum relay_gate_answer answer = fixture->answer;
    if (is_last && answer == RELAY_GATE_MORE)
        answer = RELAY_GATE_END;
    if (answer == RELAY_GATE_END)
        *ret_closed_by = CLOSED_BY_KILLED;
    return answer;
}

static void patience_passed(struct deadline *deadline)
{
}

static int set_up(void **state)
{
    const struct relay_limits limits = {.mode = RELAY_COPY, .stash_bytes = 1 << 20};
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    assert_int_equal(loop_create(&fixture->loop), 0);
    assert_int_equal(
        relay_env_create(fixture->loop, &limits, &fixture->counters, NULL, &fixture->relays), 0);
    fixture->env = (struct tunnel_env){
        .loop = fixture->loop,
        .relays = fixture->relays,
        .trace = &nobodys_trace,
        .counters = &fixture->counters,
        .timeouts = {.idle_ms = 600000, .half_closed_ms = 600000, .stuck_ms = 600000},
    };
    for (unsigned end = 0; end < RELAY_ENDS; end++)
        fixture->ends[end].stream = (struct stream){.kind = &fake_kind, .ready = STREAM_WRITABLE};
    fixture->gate_ops =
        (struct relay_gate_ops){.look = gate_look, .bytes_max = GATE_BYTES, .wait_ms = PATIENCE_MS};
    fixture->gate.ops = &fixture->gate_ops;
    deadline_init(&fixture->patience, patience_passed);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    if (!fixture->is_ended)
        relay_stop(&fixture->relay, true);
    assert_true(fixture->ends[RELAY_CLIENT].is_closed && fixture->ends[RELAY_TARGET].is_closed);
    relay_env_destroy(fixture->relays);
    loop_destroy(fixture->loop);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture, struct relay_plan plan)
{
    plan.ends[RELAY_CLIENT] = &fixture->ends[RELAY_CLIENT].stream;
    plan.ends[RELAY_TARGET] = &fixture->ends[RELAY_TARGET].stream;
    plan.on_passed = on_passed;
    plan.on_ended = on_ended;
    assert_int_equal(relay_start(&fixture->relay, &fixture->env, &plan), 0);
}

static void arrive(struct fixture *fixture, enum relay_end from, const char *bytes)
{
    struct fake *fake = &fixture->ends[from];

    memcpy(fake->arrived + fake->arrived_length, bytes, strlen(bytes));
    fake->arrived_length += strlen(bytes);
    fake->stream.ready |= STREAM_READABLE;
    if (fake->stream.on_ready != NULL)
        fake->stream.on_ready(&fake->stream, fake->stream.self);
}

static void end(struct fixture *fixture, enum relay_end from)
{
    struct fake *fake = &fixture->ends[from];

    fake->has_fin = true;
    fake->stream.ready |= STREAM_READABLE | STREAM_PEER_CLOSED;
    fake->stream.on_ready(&fake->stream, fake->stream.self);
}

static const struct relay_early hello = {.bytes = "hello ", .length = 6};
static const struct relay_early welcome = {.bytes = "welcome ", .length = 8};

/* Each end has sent something before the relay: it is passed on first. */
static void test_early_bytes_of_either_end_go_first(void **state)
{
    struct fixture *fixture = *state;

    arrive(fixture, RELAY_CLIENT, "world");
    arrive(fixture, RELAY_TARGET, "home");
    start(fixture, (struct relay_plan){.early = {hello, welcome}});
    assert_string_equal(fixture->ends[RELAY_TARGET].written, "hello world");
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_string_equal(fixture->ends[RELAY_CLIENT].written, "welcome home");
    assert_int_equal(relay_bytes(&fixture->relay, RELAY_CLIENT), 11);
    assert_int_equal(relay_bytes(&fixture->relay, RELAY_TARGET), 12);
}

/* Some clients drop what comes glued behind the success. */
static void test_the_client_gets_nothing_in_the_turn_of_the_success(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, (struct relay_plan){.early = {[RELAY_TARGET] = welcome}});
    assert_int_equal(fixture->ends[RELAY_CLIENT].written_length, 0);
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_string_equal(fixture->ends[RELAY_CLIENT].written, "welcome ");
}

static void test_ends_are_passed_on(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, (struct relay_plan){.early = {hello, welcome}});
    end(fixture, RELAY_CLIENT);
    assert_true(fixture->ends[RELAY_TARGET].is_shut);
    assert_int_equal(loop_turn(fixture->loop), 0);
    end(fixture, RELAY_TARGET);
    assert_true(fixture->is_ended);
    assert_int_equal(fixture->closed_by, CLOSED_BY_CLIENT_EOF);
    assert_string_equal(fixture->ends[RELAY_CLIENT].written, "welcome ");
    assert_false(fixture->ends[RELAY_CLIENT].is_reset || fixture->ends[RELAY_TARGET].is_reset);
}

/* ---- a gate ---- */

static void start_gated(struct fixture *fixture, struct relay_early early_of_client)
{
    start(fixture, (struct relay_plan){.early = {early_of_client}, .gate = &fixture->gate});
}

static size_t written_in_all(const struct fixture *fixture)
{
    return fixture->ends[RELAY_CLIENT].written_length + fixture->ends[RELAY_TARGET].written_length;
}

static void expect_ended_by_gate(const struct fixture *fixture)
{
    assert_true(fixture->is_ended);
    assert_int_equal(fixture->closed_by, CLOSED_BY_KILLED);
    assert_int_equal(written_in_all(fixture), 0);
    assert_true(fixture->ends[RELAY_CLIENT].is_reset && fixture->ends[RELAY_TARGET].is_reset);
    assert_int_equal(fixture->passed, 0);
}

static void test_a_gate_is_asked_only_when_something_came(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){0});
    fixture->ends[RELAY_CLIENT].stream.on_ready(&fixture->ends[RELAY_CLIENT].stream,
                                                &fixture->relay);
    assert_int_equal(fixture->looks, 0);
    arrive(fixture, RELAY_TARGET, "220");
    assert_int_equal(fixture->looks, 1);
    assert_string_equal(fixture->shown[RELAY_TARGET], "220");
    assert_string_equal(fixture->shown[RELAY_CLIENT], "");
    end(fixture, RELAY_TARGET);
    assert_int_equal(fixture->looks, 2);
    assert_true(fixture->was_ended[RELAY_TARGET] && !fixture->was_ended[RELAY_CLIENT]);
    assert_false(fixture->was_last);
}

/* It is shown everything from the first byte on; what has passed it goes on in order, once. */
static void test_what_a_gate_has_seen_goes_on(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){.bytes = "he", .length = 2});
    assert_string_equal(fixture->shown[RELAY_CLIENT], "he");
    arrive(fixture, RELAY_TARGET, "who");
    arrive(fixture, RELAY_CLIENT, "ll");
    assert_string_equal(fixture->shown[RELAY_CLIENT], "hell");
    assert_string_equal(fixture->shown[RELAY_TARGET], "who");
    assert_int_equal(written_in_all(fixture), 0);
    fixture->answer = RELAY_GATE_PASS;
    arrive(fixture, RELAY_CLIENT, "o");
    assert_int_equal(fixture->passed, 1);
    assert_string_equal(fixture->ends[RELAY_TARGET].written, "hello");
    arrive(fixture, RELAY_CLIENT, " world");
    assert_string_equal(fixture->ends[RELAY_TARGET].written, "hello world");
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_string_equal(fixture->ends[RELAY_CLIENT].written, "who");
    assert_int_equal(fixture->looks, 4);
    assert_int_equal(fixture->passed, 1);
}

static void test_a_gate_may_pass_early_bytes_at_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->answer = RELAY_GATE_PASS;
    start_gated(fixture, hello);
    assert_int_equal(fixture->passed, 1);
    assert_string_equal(fixture->ends[RELAY_TARGET].written, "hello ");
}

static void test_ends_wait_for_the_gate(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){0});
    arrive(fixture, RELAY_CLIENT, "hello");
    end(fixture, RELAY_CLIENT);
    assert_false(fixture->ends[RELAY_TARGET].is_shut);
    fixture->answer = RELAY_GATE_PASS;
    arrive(fixture, RELAY_TARGET, "who");
    assert_string_equal(fixture->ends[RELAY_TARGET].written, "hello");
    assert_true(fixture->ends[RELAY_TARGET].is_shut);
}

static void test_what_a_gate_denies_never_passes(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){0});
    arrive(fixture, RELAY_TARGET, "who");
    fixture->answer = RELAY_GATE_END;
    arrive(fixture, RELAY_CLIENT, "hello");
    expect_ended_by_gate(fixture);
}

static void test_a_full_gate_decides(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){0});
    arrive(fixture, RELAY_CLIENT, "hello");
    assert_false(fixture->was_last);
    arrive(fixture, RELAY_CLIENT, " world");
    assert_true(fixture->was_last);
    assert_string_equal(fixture->shown[RELAY_CLIENT], "hello wo");
    expect_ended_by_gate(fixture);
}

/* Early bytes were taken before there was a gate. */
static void test_many_early_bytes_fill_a_gate(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){.bytes = "hello world", .length = 11});
    assert_true(fixture->was_last);
    assert_string_equal(fixture->shown[RELAY_CLIENT], "hello world");
    expect_ended_by_gate(fixture);
}

static void test_a_gate_decides_when_both_ends_have_ended(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){0});
    end(fixture, RELAY_TARGET);
    assert_false(fixture->was_last);
    end(fixture, RELAY_CLIENT);
    assert_true(fixture->was_last);
    expect_ended_by_gate(fixture);
}

/* From the first byte on. */
static void test_a_gate_has_its_time(void **state)
{
    struct fixture *fixture = *state;
    uint64_t end_ms = loop_now_ms(fixture->loop) + PATIENCE_MS;

    fixture->gate_ops.wait_ms = 5;
    start_gated(fixture, (struct relay_early){0});
    arrive(fixture, RELAY_CLIENT, "he");
    assert_false(fixture->was_last);
    deadline_set(fixture->loop, &fixture->patience, end_ms);
    while (!fixture->is_ended && loop_now_ms(fixture->loop) < end_ms)
        assert_int_equal(loop_turn(fixture->loop), 0);
    deadline_cancel(fixture->loop, &fixture->patience);
    assert_true(fixture->was_last);
    expect_ended_by_gate(fixture);
}

static void test_a_reset_before_the_gate_has_decided(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, (struct relay_early){0});
    arrive(fixture, RELAY_CLIENT, "hello");
    fixture->ends[RELAY_CLIENT].is_broken = true;
    arrive(fixture, RELAY_CLIENT, "");
    assert_true(fixture->is_ended);
    assert_int_equal(fixture->closed_by, CLOSED_BY_CLIENT_RESET);
    assert_int_equal(written_in_all(fixture), 0);
    assert_true(fixture->ends[RELAY_TARGET].is_reset);
    assert_int_equal(fixture->looks, 1);
}

/* `adit kill`, drain. */
static void test_stopped_before_the_gate_has_decided(void **state)
{
    struct fixture *fixture = *state;

    start_gated(fixture, hello);
    relay_stop(&fixture->relay, true);
    fixture->is_ended = true;
    assert_int_equal(written_in_all(fixture), 0);
    assert_int_equal(fixture->passed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_early_bytes_of_either_end_go_first),
        TEST(test_the_client_gets_nothing_in_the_turn_of_the_success),
        TEST(test_ends_are_passed_on),
        TEST(test_a_gate_is_asked_only_when_something_came),
        TEST(test_what_a_gate_has_seen_goes_on),
        TEST(test_a_gate_may_pass_early_bytes_at_once),
        TEST(test_ends_wait_for_the_gate),
        TEST(test_what_a_gate_denies_never_passes),
        TEST(test_a_full_gate_decides),
        TEST(test_many_early_bytes_fill_a_gate),
        TEST(test_a_gate_decides_when_both_ends_have_ended),
        TEST(test_a_gate_has_its_time),
        TEST(test_a_reset_before_the_gate_has_decided),
        TEST(test_stopped_before_the_gate_has_decided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
