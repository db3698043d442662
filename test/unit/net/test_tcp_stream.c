/* net/tcp_stream on real sockets: how much room a stream says that it has. */
#include "net/stream.h" /* first: cmocka makes a macro of `skip` */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "net/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the peer's small buffer and segments acknowledge at once is little beside the stream's. */
enum {
    SEND_BYTES = 1024 * 1024,
    RECEIVE_BYTES = 64 * 1024,
    SEGMENT_BYTES = 1400,
    PIECE_BYTES = 16 * 1024,
    PATIENCE_MS = 60000,
};

struct fixture {
    struct loop *loop;
    struct stream *stream;
    int peer_fd;
    bool is_told; /* that the stream can be written */
    struct deadline tick;
    char bytes[PIECE_BYTES];
};

static void set_option(int fd, int level, int name, int value)
{
    assert_int_equal(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

/* Two ends of a TCP connection with buffers that stay as they are. */
static void connect_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    set_option(listener, SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES);
    set_option(listener, IPPROTO_TCP, TCP_MAXSEG, SEGMENT_BYTES);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_option(fds[0], SOL_SOCKET, SO_SNDBUF, SEND_BYTES);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, size), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(listener);
}

static void on_ready(struct stream *stream, void *self)
{
    struct fixture *fixture = self;

    fixture->is_told = (stream->ready & STREAM_WRITABLE) != 0;
}

static void ticked(struct deadline *deadline)
{
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int fds[2];

    assert_non_null(fixture);
    connect_pair(fds);
    assert_int_equal(loop_create(&fixture->loop), 0);
    deadline_init(&fixture->tick, ticked);
    assert_int_equal(tcp_stream_create(fixture->loop, fds[0], STREAM_WRITABLE, &fixture->stream),
                     0);
    fixture->peer_fd = fds[1];
    stream_observe(fixture->stream, on_ready, fixture);
    stream_want(fixture->stream, STREAM_WRITABLE);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    stream_close(fixture->stream, true);
    if (fixture->peer_fd >= 0)
        close(fixture->peer_fd);
    deadline_cancel(fixture->loop, &fixture->tick);
    loop_destroy(fixture->loop);
    free(fixture);
    return 0;
}

/* Until the stream has no more room; what it promised, it takes. */
static void fill(struct fixture *fixture)
{
    for (size_t room = stream_room(fixture->stream); room > 0;
         room = stream_room(fixture->stream)) {
        size_t size = room < PIECE_BYTES ? room : PIECE_BYTES;
        assert_int_equal(stream_write(fixture->stream, fixture->bytes, size), size);
    }
    assert_false(fixture->stream->ready & STREAM_WRITABLE);
}

static void wait_until_told(struct fixture *fixture)
{
    uint64_t end = loop_now_ms(fixture->loop) + PATIENCE_MS;

    while (!fixture->is_told && loop_now_ms(fixture->loop) < end) {
        deadline_set(fixture->loop, &fixture->tick, end);
        assert_int_equal(loop_turn(fixture->loop), 0);
    }
    assert_true(fixture->is_told);
}

/* Someone who reads slowly frees a few bytes at a time. They are left to gather. */
static void test_little_room_is_none(void **state)
{
    struct fixture *fixture = *state;
    int limit = 0;
    socklen_t size = sizeof(limit);
    size_t room = 0;

    fill(fixture);
    fixture->is_told = false;
    assert_int_equal(
        getsockopt(stream_kernel_write_fd(fixture->stream), SOL_SOCKET, SO_SNDBUF, &limit, &size),
        0);
    for (size_t taken = 0; room == 0; room = stream_room(fixture->stream)) {
        ssize_t count = recv(fixture->peer_fd, fixture->bytes, PIECE_BYTES, 0);
        assert_true(count > 0);
        taken += (size_t)count;
        assert_true(taken < (size_t)8 * SEND_BYTES);
    }
    assert_true(room >= (size_t)limit / 4);
    wait_until_told(fixture);
}

/* A write would say what happened: who is told of no room would wait for ever. */
static void test_a_broken_stream_has_room(void **state)
{
    struct fixture *fixture = *state;
    const struct linger linger = {.l_onoff = 1};

    fill(fixture);
    assert_int_equal(setsockopt(fixture->peer_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)),
                     0);
    close(fixture->peer_fd);
    wait_until_told(fixture);
    assert_true(stream_room(fixture->stream) > 0);
    assert_true(stream_write(fixture->stream, fixture->bytes, 1) < 0);
    fixture->peer_fd = -1;
}

/* A reader who takes nothing finds little waiting for him. */
static void test_a_bounded_queue_holds_little(void **state)
{
    struct fixture *fixture = *state;

    stream_bound_queue(fixture->stream, PIECE_BYTES);
    fill(fixture);
    assert_true(stream_unacknowledged(fixture->stream) < SEND_BYTES / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_little_room_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bounded_queue_holds_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_broken_stream_has_room, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
