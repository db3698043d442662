/* One client connection as a state machine: the real front/ (h1_conn.c, front_conn.c) and wire/
 * between a stream, a tunnel and a clock that the input drives.
 *
 * The input is a program for the world around the connection (see `step`): bytes, ends, resets and
 * room arrive, time passes, the tunnel answers. The world checks what the connection owes whatever
 * happens: one answer, whole and well-formed; at most one tunnel, for a head that is one, with
 * exactly the bytes behind it; nothing behind a refused head is looked at; a deadline in every
 * state; nothing used after its end; nothing left over.
 */
#include "access/auth.h"
#include "front/front_conn.h"
#include "front/front_private.h"
#include "net/room.h"
#include "net/stream.h"
#include "observe/counters.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_env.h"
#include "virtual_loop.h"
#include "wire/http1_head.h"
#include "wire/http1_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

enum { ARRIVED_MAX = 65536, WRITTEN_MAX = 8192, PLENTY = 1 << 20, HEAD_MS = 10000 };

/* What a tunnel does when it is asked for. */
enum answer { ANSWERS_LATER, REFUSES_AT_ONCE };

struct tunnel {
    const struct tunnel_way *way;
    void *self;
    bool is_established;
};

static struct {
    /* the stream */
    struct stream stream;
    size_t arrived_length, consumed;
    size_t written_length;
    size_t room;
    bool has_fin, is_reset, is_shut, is_open;

    /* the tunnel */
    enum answer answer;
    struct tunnel *tunnel; /* asked for, and neither refused, cancelled nor relaying */
    unsigned opened, rejected, refused;
    bool is_relaying;
    struct tunnel relaying;

    /* who asks */
    bool is_known_at_once;
    struct auth_check *check; /* under way */

    struct front front;
    struct tunnel_env env;
    struct room *seats;
    bool has_newcomer; /* who took the connection's unit */
    struct counters counters;
} world;

/* Nobody looks inside: there is one loop, virtual_loop.c's. Nor at the users. */
static char the_loop;

/* Not in there, for it is cleared before each run. */
static char arrived[ARRIVED_MAX];
static char written[WRITTEN_MAX];

/* ---- net/stream.h ---- */

static ssize_t fake_read(struct stream *stream, void *buffer, size_t size)
{
    size_t left = world.arrived_length - world.consumed;
    size_t count = left < size ? left : size;

    CHECK(world.is_open && size > 0);
    if (count < size && !world.has_fin && !world.is_reset)
        stream->ready &= (uint8_t)~STREAM_READABLE;
    if (count > 0) {
        memcpy(buffer, arrived + world.consumed, count);
        world.consumed += count;
        return (ssize_t)count;
    }
    stream->ready &= (uint8_t)~STREAM_READABLE;
    if (world.has_fin)
        return 0;
    return world.is_reset ? -ECONNRESET : -EAGAIN;
}

static ssize_t fake_write(struct stream *stream, const void *bytes, size_t length)
{
    size_t count = length < world.room ? length : world.room;

    CHECK(world.is_open && !world.is_shut && length > 0);
    CHECK(world.written_length + length <= WRITTEN_MAX);
    if (world.is_reset)
        return -EPIPE;
    if (count < length)
        stream->ready &= (uint8_t)~STREAM_WRITABLE;
    if (count == 0)
        return -EAGAIN;
    memcpy(written + world.written_length, bytes, count);
    world.written_length += count;
    world.room -= count;
    return (ssize_t)count;
}

static int fake_shutdown_write(struct stream *stream)
{
    CHECK(world.is_open && !world.is_shut);
    if (world.is_reset)
        return -ENOTCONN;
    world.is_shut = true;
    return 0;
}

static void fake_close(struct stream *stream, bool is_reset)
{
    CHECK(world.is_open);
    world.is_open = false;
}

static void fake_want(struct stream *stream, unsigned wanted)
{
    CHECK(world.is_open);
    stream->wanted = (uint8_t)wanted;
}

static int fake_kernel_fd(const struct stream *stream)
{
    return -1;
}

static size_t fake_unacknowledged(const struct stream *stream)
{
    return 0;
}

static void fake_grew_old(struct stream *stream)
{
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
    .grew_old = fake_grew_old,
};

static void tell(unsigned bits)
{
    struct stream *stream = &world.stream;

    stream->ready |= (uint8_t)bits;
    if (world.is_open && !world.is_relaying && (bits & (stream->wanted | STREAM_BROKEN)))
        stream->on_ready(stream, stream->self);
    virtual_loop_end_turn();
}

/* ---- tunnel/tunnel.h ---- */

/* The request is the head that arrived, and all that was read behind it. */
static void check_request(const struct tunnel_request *request)
{
    struct http1_scan scan = {0};
    struct http1_head head;
    size_t head_length = world.consumed - request->early_length;
    size_t scanned;

    CHECK(request->early_length <= world.consumed);
    CHECK(memcmp(request->early_bytes, arrived + head_length, request->early_length) == 0);
    CHECK(http1_scan(&scan, arrived, world.consumed, &scanned) == HTTP1_OK);
    CHECK(scanned == head_length);
    CHECK(http1_head_parse(arrived, head_length, &head) == HTTP1_OK);
    CHECK(strcmp(head.authority.host, request->authority->host) == 0);
    CHECK(head.authority.port == request->authority->port);
}

static void refuse(const struct tunnel *tunnel, enum tunnel_error error)
{
    struct tunnel_refusal refusal = {
        .error = error,
        .details = tunnel_error_row(error)->text,
    };

    tunnel->way->refused(tunnel->self, &refusal);
}

void tunnel_open(struct tunnel_env *env, const struct tunnel_request *request, void *self,
                 struct tunnel **ret_tunnel)
{
    struct tunnel tunnel = {.way = request->way, .self = self};

    CHECK(world.opened + world.rejected + world.refused == 0 && world.written_length == 0);
    CHECK(world.check == NULL);
    world.opened++;
    check_request(request);
    *ret_tunnel = NULL;
    if (world.answer == REFUSES_AT_ONCE) {
        refuse(&tunnel, TUNNEL_ERROR_REFUSED);
        return;
    }
    world.tunnel = calloc(1, sizeof(*world.tunnel));
    CHECK(world.tunnel != NULL);
    *world.tunnel = tunnel;
    *ret_tunnel = world.tunnel;
}

void tunnel_refuse(struct tunnel_env *env, const struct tunnel_request *request,
                   enum tunnel_error error, const char *details)
{
    CHECK(world.opened + world.rejected + world.refused == 0 && world.written_length == 0);
    check_request(request);
    world.refused++;
}

void tunnel_abandon(struct tunnel_env *env, const struct tunnel_request *request)
{
    CHECK(world.opened + world.rejected + world.refused == 0 && world.written_length == 0);
    check_request(request);
}

static struct tunnel *take_tunnel(void)
{
    struct tunnel *tunnel = world.tunnel;

    world.tunnel = NULL;
    return tunnel;
}

void tunnel_cancel(struct tunnel *tunnel)
{
    CHECK(tunnel != NULL && tunnel == world.tunnel);
    free(take_tunnel());
}

static void refuse_later(enum tunnel_error error)
{
    struct tunnel *tunnel = take_tunnel();

    refuse(tunnel, error);
    free(tunnel);
}

void tunnel_relay(struct tunnel *tunnel, struct stream *client, void *self)
{
    CHECK(tunnel != NULL && tunnel == world.tunnel && client == &world.stream);
    CHECK(tunnel->is_established && world.is_open);
    CHECK(world.written_length == strlen(HTTP1_ESTABLISHED));
    world.is_relaying = true;
    world.relaying = (struct tunnel){.way = tunnel->way, .self = self};
    free(take_tunnel());
}

void tunnel_reject(struct tunnel_env *env, const struct tunnel_rejection *rejection)
{
    CHECK(world.opened + world.rejected + world.refused == 0 && world.written_length == 0);
    CHECK(rejection->way != NULL && rejection->details != NULL);
    world.rejected++;
}

/* ---- access/auth.h ---- */

enum auth_result auth_check_start(struct auth_check *check, struct auth *auth,
                                  struct auth_users *users, struct loop *loop,
                                  const struct ip_address *client,
                                  const struct basic_credentials *credentials,
                                  void (*on_checked)(struct auth_check *))
{
    CHECK(world.check == NULL && users == world.env.users);
    if (world.is_known_at_once)
        return AUTH_GRANTED;
    check->on_checked = on_checked;
    world.check = check;
    return AUTH_PENDING;
}

void auth_check_cancel(struct auth_check *check)
{
    if (world.check == check)
        world.check = NULL;
}

static void answer_check(enum auth_result result)
{
    struct auth_check *check = world.check;

    world.check = NULL;
    check->result = (uint8_t)result;
    check->on_checked(check);
}

/* ---- what comes of it ---- */

/* The password was right, or the dial came through. */
static void tunnel_succeeds(void)
{
    if (world.check != NULL) {
        answer_check(AUTH_GRANTED);
    } else if (world.tunnel != NULL && !world.tunnel->is_established) {
        world.tunnel->is_established = true;
        world.tunnel->way->established(world.tunnel->self);
    }
    virtual_loop_end_turn();
}

static void tunnel_fails(void)
{
    if (world.check != NULL)
        answer_check(AUTH_WRONG);
    else if (world.tunnel != NULL && !world.tunnel->is_established)
        refuse_later(TUNNEL_ERROR_REFUSED);
    virtual_loop_end_turn();
}

/* ---- the program ---- */

struct program {
    const uint8_t *at, *end;
};

static unsigned next(struct program *program)
{
    return program->at < program->end ? *program->at++ : 0;
}

static void bytes_arrive(struct program *program, size_t length)
{
    size_t left = (size_t)(program->end - program->at);

    if (length > left)
        length = left;
    if (world.has_fin || world.is_reset || world.arrived_length + length > ARRIVED_MAX)
        length = 0;
    memcpy(arrived + world.arrived_length, program->at, length);
    world.arrived_length += length;
    program->at += length;
    if (length > 0)
        tell(STREAM_READABLE);
}

/* A long run of one byte, so that bounds are near. */
static void bytes_repeat(char byte, size_t length)
{
    if (world.has_fin || world.is_reset || world.arrived_length + length > ARRIVED_MAX)
        return;
    memset(arrived + world.arrived_length, byte, length);
    world.arrived_length += length;
    tell(STREAM_READABLE);
}

static void step(struct program *program)
{
    unsigned operation = next(program);
    unsigned amount = next(program);

    switch (operation % 10) {
    case 0:
        bytes_arrive(program, amount);
        break;
    case 1:
        bytes_arrive(program, 256 + amount * 16);
        break;
    case 2:
        bytes_repeat((char)amount, 4000);
        break;
    case 3:
        if (!world.is_reset) {
            world.has_fin = true;
            tell(STREAM_PEER_CLOSED | STREAM_READABLE);
        }
        break;
    case 4:
        world.is_reset = true;
        tell(STREAM_BROKEN | STREAM_PEER_CLOSED | STREAM_READABLE | STREAM_WRITABLE);
        break;
    case 5:
        world.room += amount;
        if (world.room > 0)
            tell(STREAM_WRITABLE);
        break;
    case 6:
        virtual_loop_pass_time(amount * 50);
        break;
    case 7:
        tunnel_succeeds();
        break;
    case 8:
        tunnel_fails();
        break;
    case 9:
        if (amount % 4 == 3 && room_take(world.seats, world.env.loop) == 0)
            world.has_newcomer = true;
        if (amount == 0 && !list_is_empty(&world.front.connections))
            front_conn_close(container_of(world.front.connections.next, struct front_conn, link));
        if (amount == 1 && !list_is_empty(&world.front.connections))
            front_drain(&world.front);
        virtual_loop_end_turn();
        break;
    }
}

/* While the connection lives and nobody else works for it, a deadline runs. */
static void check_deadline(void)
{
    bool is_waiting = world.tunnel != NULL && !world.tunnel->is_established;

    if (world.front.connection_count > 0 && !is_waiting)
        CHECK(virtual_loop_has_deadline());
}

/* ---- what must have come of it ---- */

static void check_refusal(const char *answer, size_t length)
{
    const char *body = memmem(answer, length, "\r\n\r\n", 4);
    const char *promised = memmem(answer, length, "\r\nContent-Length: ", 18);

    CHECK(body != NULL && promised != NULL && promised < body);
    CHECK(memmem(answer, length, "\r\nConnection: close\r\n", 21) != NULL);
    CHECK(memmem(answer, length, "\r\nProxy-Status: adit; error=", 28) != NULL);
    size_t body_length = length - (size_t)(body + 4 - answer);
    /* The answer to HEAD has none. */
    CHECK(strtoul(promised + 18, NULL, 10) == body_length || body_length == 0);
}

static void check_answer(void)
{
    bool is_whole = world.is_shut || world.is_relaying;

    if (world.written_length == 0)
        return;
    CHECK(world.opened + world.rejected + world.refused == 1);
    if (!is_whole)
        return;
    if (world.is_relaying) {
        CHECK(memcmp(written, HTTP1_ESTABLISHED, world.written_length) == 0);
        return;
    }
    CHECK(world.written_length > 12 && memcmp(written, "HTTP/1.1 ", 9) == 0);
    CHECK(written[9] == '4' || written[9] == '5');
    check_refusal(written, world.written_length);
}

static void begin(unsigned choices)
{
    memset(&world, 0, sizeof(world));
    virtual_loop_reset();
    world.stream = (struct stream){.kind = &fake_kind, .ready = STREAM_READABLE | STREAM_WRITABLE};
    world.is_open = true;
    world.room = choices & 1 ? choices >> 2 : PLENTY;
    world.answer = choices & 2 ? REFUSES_AT_ONCE : ANSWERS_LATER;
    CHECK(room_create(1, &world.seats) == 0);
    world.env.loop = (struct loop *)&the_loop;
    world.env.room = world.seats;
    world.env.counters = &world.counters;
    world.front.env = &world.env;
    front_use_rows(&world.front);
    world.front.timeouts.head_ms = HEAD_MS;
    list_init(&world.front.connections);
    list_init(&world.front.surplus);
}

/* The world helps no more than it must: room for the answer, an answer of the tunnel, time. */
static void let_end(void)
{
    world.room = PLENTY;
    tell(STREAM_WRITABLE);
    tunnel_fails();
    virtual_loop_pass_time(HEAD_MS);
    tell(STREAM_WRITABLE);
    virtual_loop_pass_time(2000);
    virtual_loop_pass_time(5000);
    CHECK(world.front.connection_count == 0 && world.front.surplus_count == 0);
    CHECK(world.tunnel == NULL);
    CHECK(world.is_open == world.is_relaying);
    CHECK(!virtual_loop_has_deadline());
    CHECK(world.check == NULL);
    CHECK(counter_read(&world.counters, COUNTER_CONNECTIONS_OPEN) == world.is_relaying);
    if (world.is_relaying)
        world.relaying.way->ended(world.relaying.self);
    CHECK(room_taken(world.seats) == world.has_newcomer);
    if (world.has_newcomer)
        room_give_back(world.seats);
    room_destroy(world.seats);
    CHECK(counter_read(&world.counters, COUNTER_CONNECTIONS_OPEN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ip_endpoint client = {.address = {.family = IP_V4, .bytes = {127, 0, 0, 1}},
                                              .port = 5000};
    struct program program = {.at = data, .end = data + size};
    enum tunnel_error refuse_with = TUNNEL_ERROR_NONE;

    begin(next(&program));
    unsigned kind = next(&program) % 16;
    bool is_full = kind == 15;
    world.env.users = kind >= 8 ? (struct auth_users *)&the_loop : NULL;
    world.is_known_at_once = kind >= 12;
    if (is_full)
        refuse_with = TUNNEL_ERROR_FULL;
    else
        CHECK(room_take(world.seats, world.env.loop) == 0);
    bytes_arrive(&program, is_full ? 0 : next(&program) * 2);
    counter_add(&world.counters, COUNTER_CONNECTIONS_OPEN, 1);
    CHECK(front_conn_open(&world.front, &world.stream, &client, 0, refuse_with) == 0);
    virtual_loop_end_turn();
    check_deadline();
    while (program.at < program.end) {
        step(&program);
        check_deadline();
    }
    let_end();
    check_answer();
    return 0;
}
