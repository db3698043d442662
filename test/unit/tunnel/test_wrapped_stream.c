/* net/stream's contract as to handshakes and wrapping: an XOR stream around TCP, by itself and as
 * the target's end of a relay that would splice from the first byte.
 */
#include "net/stream.h" /* first: cmocka makes a macro of `skip` */
#include "tunnel/pump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "net/tcp_stream.h"
#include "observe/counters.h"
#include "observe/trace.h"
#include "tunnel/relay.h"
#include "tunnel/relay_env.h"
#include "tunnel/tunnel_env.h"
#include "xor_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEY = 0x5a, PATIENCE_MS = 60000, LOOK_MS = 5, LARGE_BYTES = 3 * 1024 * 1024 };

/* The two ends of the relay, and who is at the other side of each. */
static struct trace nobodys_trace; /* off */

struct fixture {
    struct loop *loop;
    struct deadline tick;
    struct counters counters;
    struct tunnel_env env;
    struct relay relay;
    struct stream *ends[RELAY_ENDS];
    int peers[RELAY_ENDS];
    enum closed_by closed_by; /* CLOSED_BY_COUNT: it goes on */
    unsigned times_told;
};

static int connect_pair(int *ret_peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *ret_peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*ret_peer, (struct sockaddr *)&address, size), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(listener);
    return fd;
}

static void ticked(struct deadline *deadline)
{
    (void)deadline;
}

static int set_up(void **state)
{
    static const struct relay_limits limits = {
        .mode = RELAY_SPLICE, .pipes = 4, .stash_bytes = 1024 * 1024};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct stream *inner;

    assert_non_null(fixture);
    assert_int_equal(loop_create(&fixture->loop), 0);
    deadline_init(&fixture->tick, ticked);
    for (unsigned end = 0; end < RELAY_ENDS; end++) {
        int fd = connect_pair(&fixture->peers[end]);

        assert_int_equal(tcp_stream_create(fixture->loop, fd, STREAM_READABLE | STREAM_WRITABLE,
                                           &fixture->ends[end]),
                         0);
    }
    inner = fixture->ends[RELAY_TARGET];
    assert_int_equal(xor_stream_create(fixture->loop, inner, KEY, &fixture->ends[RELAY_TARGET]), 0);
    fixture->env.loop = fixture->loop;
    fixture->env.trace = &nobodys_trace;
    fixture->env.counters = &fixture->counters;
    fixture->env.timeouts = (struct tunnel_timeouts){
        .idle_ms = PATIENCE_MS, .half_closed_ms = PATIENCE_MS, .stuck_ms = PATIENCE_MS};
    assert_int_equal(
        relay_env_create(fixture->loop, &limits, &fixture->counters, NULL, &fixture->env.relays),
        0);
    fixture->closed_by = CLOSED_BY_COUNT;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned end = 0; end < RELAY_ENDS; end++)
        if (fixture->peers[end] >= 0)
            close(fixture->peers[end]);
    relay_env_destroy(fixture->env.relays);
    deadline_cancel(fixture->loop, &fixture->tick);
    loop_destroy(fixture->loop);
    free(fixture);
    return 0;
}

static void turn(struct fixture *fixture)
{
    deadline_set(fixture->loop, &fixture->tick, loop_now_ms(fixture->loop) + LOOK_MS);
    assert_int_equal(loop_turn(fixture->loop), 0);
}

static void relay_ended(struct relay *relay, enum closed_by closed_by)
{
    container_of(relay, struct fixture, relay)->closed_by = closed_by;
}

static void start(struct fixture *fixture, const char *early)
{
    const struct relay_plan plan = {
        .ends = {fixture->ends[RELAY_CLIENT], fixture->ends[RELAY_TARGET]},
        .early = {{.bytes = early, .length = strlen(early)}},
        .on_ended = relay_ended,
    };

    assert_int_equal(relay_start(&fixture->relay, &fixture->env, &plan), 0);
}

/* What comes to `end` next, up to its end: the count, 0 or -errno. */
static ssize_t receive(struct fixture *fixture, unsigned end, void *buffer, size_t size)
{
    uint64_t until_ms = loop_now_ms(fixture->loop) + PATIENCE_MS;

    while (loop_now_ms(fixture->loop) < until_ms) {
        ssize_t count = recv(fixture->peers[end], buffer, size, MSG_DONTWAIT);

        if (count >= 0)
            return count;
        if (errno != EAGAIN)
            return -errno;
        turn(fixture);
    }
    return -ETIMEDOUT;
}

static void expect(struct fixture *fixture, unsigned end, const char *bytes, uint8_t key)
{
    for (const char *at = bytes; *at != '\0'; at++) {
        char byte = 0;

        assert_int_equal(receive(fixture, end, &byte, 1), 1);
        assert_int_equal((char)(byte ^ key), *at);
    }
}

static void send_to(struct fixture *fixture, unsigned end, const char *bytes, uint8_t key)
{
    for (const char *at = bytes; *at != '\0'; at++) {
        char byte = (char)(*at ^ key);

        assert_int_equal(send(fixture->peers[end], &byte, 1, MSG_NOSIGNAL), 1);
    }
}

static void greet(struct fixture *fixture, const char *greeting)
{
    expect(fixture, RELAY_TARGET, "H", 0);
    send_to(fixture, RELAY_TARGET, greeting, 0);
}

static void expect_closed_by(struct fixture *fixture, enum closed_by closed_by)
{
    uint64_t until_ms = loop_now_ms(fixture->loop) + PATIENCE_MS;

    while (fixture->closed_by == CLOSED_BY_COUNT && loop_now_ms(fixture->loop) < until_ms)
        turn(fixture);
    assert_int_equal(fixture->closed_by, closed_by);
}

static void reset(struct fixture *fixture, unsigned end)
{
    const struct linger linger = {.l_onoff = 1};

    assert_int_equal(
        setsockopt(fixture->peers[end], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fixture->peers[end]);
    fixture->peers[end] = -1;
}

/* ---- through a relay ---- */

static void test_bytes_pass_both_ways_and_none_bypasses(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, "early ");
    greet(fixture, "H");
    send_to(fixture, RELAY_CLIENT, "question", 0);
    expect(fixture, RELAY_TARGET, "early question", KEY);
    send_to(fixture, RELAY_TARGET, "answer", KEY);
    expect(fixture, RELAY_CLIENT, "answer", 0);
    assert_int_equal(fixture->env.relays->pool.count, 0);
    relay_stop(&fixture->relay, false);
}

/* More than the sockets hold: both ends meet full and empty queues. */
static void test_a_large_transfer_is_whole(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *piece = malloc(LARGE_BYTES);
    size_t sent = 0;
    size_t received = 0;

    assert_non_null(piece);
    start(fixture, "");
    greet(fixture, "H");
    for (size_t i = 0; i < LARGE_BYTES; i++)
        piece[i] = (uint8_t)(i * 31 + i / 251);
    while (received < LARGE_BYTES) {
        uint8_t got[4096];
        ssize_t count = sent == LARGE_BYTES ? 0
                                            : send(fixture->peers[RELAY_CLIENT], piece + sent,
                                                   LARGE_BYTES - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += count > 0 ? (size_t)count : 0;
        turn(fixture);
        while ((count = recv(fixture->peers[RELAY_TARGET], got, sizeof(got), MSG_DONTWAIT)) > 0) {
            for (ssize_t i = 0; i < count; i++)
                assert_int_equal(got[i] ^ KEY, piece[received++]);
        }
        assert_true(errno == EAGAIN && count < 0);
    }
    assert_int_equal(fixture->env.relays->pool.count, 0);
    relay_stop(&fixture->relay, false);
    free(piece);
}

static void test_a_half_close_is_passed_on(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    start(fixture, "");
    greet(fixture, "H");
    send_to(fixture, RELAY_CLIENT, "last", 0);
    assert_int_equal(shutdown(fixture->peers[RELAY_CLIENT], SHUT_WR), 0);
    expect(fixture, RELAY_TARGET, "last", KEY);
    assert_int_equal(receive(fixture, RELAY_TARGET, &byte, 1), 0);
    send_to(fixture, RELAY_TARGET, "still", KEY);
    expect(fixture, RELAY_CLIENT, "still", 0);
    assert_int_equal(shutdown(fixture->peers[RELAY_TARGET], SHUT_WR), 0);
    assert_int_equal(receive(fixture, RELAY_CLIENT, &byte, 1), 0);
    expect_closed_by(fixture, CLOSED_BY_CLIENT_EOF);
}

static void test_a_reset_passes_outwards(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    start(fixture, "");
    greet(fixture, "H");
    send_to(fixture, RELAY_TARGET, "x", KEY);
    expect(fixture, RELAY_CLIENT, "x", 0);
    reset(fixture, RELAY_TARGET);
    expect_closed_by(fixture, CLOSED_BY_TARGET_RESET);
    assert_int_equal(receive(fixture, RELAY_CLIENT, &byte, 1), -ECONNRESET);
}

static void test_a_reset_passes_inwards(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    start(fixture, "");
    greet(fixture, "H");
    send_to(fixture, RELAY_CLIENT, "x", 0);
    expect(fixture, RELAY_TARGET, "x", KEY);
    reset(fixture, RELAY_CLIENT);
    expect_closed_by(fixture, CLOSED_BY_CLIENT_RESET);
    assert_int_equal(receive(fixture, RELAY_TARGET, &byte, 1), -ECONNRESET);
}

/* What the client sends meanwhile waits, and so does its end. */
static void test_bytes_and_end_wait_for_the_handshake(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    start(fixture, "early");
    expect(fixture, RELAY_TARGET, "H", 0);
    assert_int_equal(shutdown(fixture->peers[RELAY_CLIENT], SHUT_WR), 0);
    for (int i = 0; i < 3; i++)
        turn(fixture);
    assert_int_equal(recv(fixture->peers[RELAY_TARGET], &byte, 1, MSG_DONTWAIT), -1);
    send_to(fixture, RELAY_TARGET, "H", 0);
    expect(fixture, RELAY_TARGET, "early", KEY);
    assert_int_equal(receive(fixture, RELAY_TARGET, &byte, 1), 0);
    relay_stop(&fixture->relay, false);
}

static void test_a_handshake_that_fails_resets_the_client(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    start(fixture, "");
    greet(fixture, "X");
    expect_closed_by(fixture, CLOSED_BY_TARGET_RESET);
    assert_int_equal(receive(fixture, RELAY_CLIENT, &byte, 1), -ECONNRESET);
}

/* ---- by itself ---- */

static void told(struct stream *stream, void *self)
{
    struct fixture *fixture = self;

    (void)stream;
    fixture->times_told++;
}

static void wait_for_handshake(struct fixture *fixture)
{
    struct stream *stream = fixture->ends[RELAY_TARGET];
    uint64_t until_ms = loop_now_ms(fixture->loop) + PATIENCE_MS;

    stream_observe(stream, told, fixture);
    stream_want(stream, STREAM_WRITABLE);
    assert_false(stream->ready & (STREAM_READABLE | STREAM_WRITABLE | STREAM_BROKEN));
    while (fixture->times_told == 0 && loop_now_ms(fixture->loop) < until_ms)
        turn(fixture);
    assert_int_equal(fixture->times_told, 1);
}

static void close_ends(struct fixture *fixture)
{
    for (unsigned end = 0; end < RELAY_ENDS; end++)
        stream_close(fixture->ends[end], false);
}

static void test_an_owner_waits_for_the_handshake(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = fixture->ends[RELAY_TARGET];
    char byte;

    assert_int_equal(stream_write(stream, "x", 1), -EAGAIN);
    assert_int_equal(stream_read(stream, &byte, 1), -EAGAIN);
    greet(fixture, "H");
    wait_for_handshake(fixture);
    assert_true(stream->ready & STREAM_WRITABLE);
    assert_int_equal(stream_write(stream, "x", 1), 1);
    expect(fixture, RELAY_TARGET, "x", KEY);
    close_ends(fixture);
}

static void test_an_end_that_is_asked_for_waits_for_the_handshake(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    stream_observe(fixture->ends[RELAY_TARGET], told, fixture);
    expect(fixture, RELAY_TARGET, "H", 0);
    assert_int_equal(stream_shutdown_write(fixture->ends[RELAY_TARGET]), 0);
    assert_int_equal(recv(fixture->peers[RELAY_TARGET], &byte, 1, MSG_DONTWAIT), -1);
    send_to(fixture, RELAY_TARGET, "H", 0);
    assert_int_equal(receive(fixture, RELAY_TARGET, &byte, 1), 0);
    close_ends(fixture);
}

static void test_an_owner_hears_why_the_handshake_failed(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = fixture->ends[RELAY_TARGET];

    greet(fixture, "X");
    wait_for_handshake(fixture);
    assert_true(stream->ready & STREAM_BROKEN);
    assert_int_equal(stream_error(stream), -EPROTO);
    assert_int_equal(stream_write(stream, "x", 1), -EPROTO);
    close_ends(fixture);
}

/* Also of one within another, and also after the kernel has told it. */
static void test_a_broken_stream_says_why_each_time(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = fixture->ends[RELAY_TARGET];

    greet(fixture, "H");
    wait_for_handshake(fixture);
    reset(fixture, RELAY_TARGET);
    while (!(stream->ready & STREAM_BROKEN))
        turn(fixture);
    assert_int_equal(stream_error(stream), -ECONNRESET);
    assert_int_equal(stream_error(stream), -ECONNRESET);
    close_ends(fixture);
}

static void test_why_outlives_the_read_that_met_it(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = fixture->ends[RELAY_CLIENT];
    char byte;

    stream_observe(stream, told, fixture);
    reset(fixture, RELAY_CLIENT);
    while (!(stream->ready & STREAM_BROKEN))
        turn(fixture);
    assert_int_equal(stream_read(stream, &byte, 1), -ECONNRESET);
    assert_int_equal(stream_error(stream), -ECONNRESET);
    close_ends(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_pass_both_ways_and_none_bypasses),
        TEST(test_a_large_transfer_is_whole),
        TEST(test_a_half_close_is_passed_on),
        TEST(test_a_reset_passes_outwards),
        TEST(test_a_reset_passes_inwards),
        TEST(test_bytes_and_end_wait_for_the_handshake),
        TEST(test_a_handshake_that_fails_resets_the_client),
        TEST(test_an_owner_waits_for_the_handshake),
        TEST(test_an_end_that_is_asked_for_waits_for_the_handshake),
        TEST(test_an_owner_hears_why_the_handshake_failed),
        TEST(test_a_broken_stream_says_why_each_time),
        TEST(test_why_outlives_the_read_that_met_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
