/* READING the head -> CHECKING who it is -> WAITING for the tunnel -> answered: either the stream
 * goes to the tunnel and this connection is gone, or the refusal is written, the write side shut,
 * and what still comes is read and dropped for a bounded time (LINGERING), for closing over unread
 * bytes would send a reset, which can destroy the answer (RFC 9112 9.6).
 *
 * The surprises: most heads come whole with the first read, so nothing is allocated for them; and
 * one answer ends the connection whatever came behind the head: nothing there is ever parsed as a
 * request (RFC 9931).
 *
 * A head may hold a password, also one that is cut, malformed or too long. So whatever is read is
 * wiped when it was looked at, wherever it stands: `head_wipe` and `scratch_wipe`.
 */
#include "front/h1_conn.h"

#include "base/ip_address.h"
#include "front/front_private.h"
#include "loop/loop.h"
#include "loop/slab.h"
#include "net/room.h"
#include "net/stream.h"
#include "observe/counters.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_env.h"
#include "wire/basic_auth.h"
#include "wire/http1_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for the usual head that did not come whole; a longer one grows it to HTTP1_HEAD_MAX. */
enum { HEAD_FIRST_SIZE = 2048 };

static const size_t linger_bytes = 1024 * 1024;
static const uint64_t linger_silence_ms = 2000;
static const uint64_t linger_ms = 5000;

enum h1_state {
    H1_READING,
    H1_CHECKING, /* the password */
    H1_WAITING,
    H1_ESTABLISHED,
    H1_REFUSING,
    H1_LINGERING,
    H1_STATE_COUNT
};

struct h1_conn {
    struct list link;
    struct front *front;
    struct stream *stream; /* NULL once the tunnel has it */
    struct tunnel *tunnel;
    struct deadline deadline; /* of the head, of writing the answer, of lingering */
    struct garbage garbage;
    struct room_guest guest; /* while it waits for its client, or is not known to be one */
    struct ip_endpoint client;
    struct http1_scan scan;
    char *head; /* bytes so far, when they did not come at once */
    size_t head_size, head_length;
    char *reply; /* what of the answer could not be written yet */
    size_t reply_offset, reply_length;
    uint64_t linger_until_ms;
    size_t dropped;
    uint16_t listener;
    uint8_t state;
    bool has_room;
    bool is_closed;
    bool is_body_omitted; /* the answer to HEAD */
};

/* Nothing of the head is needed any more. */
static void head_wipe(struct h1_conn *conn)
{
    if (conn->head == NULL)
        return;
    explicit_bzero(conn->head, conn->head_size);
    free(conn->head);
    conn->head = NULL;
    conn->head_size = 0;
}

/* `count` as stream_read returned it. */
static void scratch_wipe(struct front *front, ssize_t count)
{
    if (count > 0)
        explicit_bzero(front->scratch, (size_t)count);
}

static void conn_free(struct garbage *garbage)
{
    struct h1_conn *conn = container_of(garbage, struct h1_conn, garbage);

    head_wipe(conn);
    free(conn->reply);
    slab_give(conn);
}

static void leave_front(struct h1_conn *conn)
{
    struct front *front = conn->front;

    conn->is_closed = true;
    list_remove(&conn->link);
    front->connection_count--;
    if (!conn->has_room)
        front->surplus_count--;
    deadline_cancel(front->env->loop, &conn->deadline);
    loop_free_later(front->env->loop, &conn->garbage, conn_free);
}

/* Its unit went to a newcomer. */
static void lose_room(struct h1_conn *conn)
{
    struct front *front = conn->front;

    conn->has_room = false;
    front_make_room_for_surplus(front);
    list_remove(&conn->link);
    list_append(&front->surplus, &conn->link);
    front->surplus_count++;
}

/* From now on it is not displaced. False when it has no unit (any more). */
static bool keep_room(struct h1_conn *conn)
{
    if (conn->has_room && !room_unregister(&conn->guest))
        lose_room(conn);
    return conn->has_room;
}

void h1_conn_close(struct h1_conn *conn)
{
    if (conn->is_closed)
        return;
    if (conn->tunnel != NULL)
        tunnel_cancel(conn->tunnel);
    conn->tunnel = NULL;
    stream_close(conn->stream, false);
    if (conn->has_room && room_unregister(&conn->guest))
        room_give_back(conn->front->env->room);
    counter_subtract(conn->front->env->counters, COUNTER_CONNECTIONS_OPEN, 1);
    leave_front(conn);
}

struct h1_conn *h1_conn_of(struct list *link)
{
    return container_of(link, struct h1_conn, link);
}

/* ---- lingering ---- */

static void linger(struct h1_conn *conn)
{
    struct front *front = conn->front;
    struct loop *loop = front->env->loop;
    bool is_heard = false;

    while (conn->stream->ready & STREAM_READABLE) {
        ssize_t count = stream_read(conn->stream, front->scratch, sizeof(front->scratch));

        scratch_wipe(front, count);
        if (count == -EAGAIN)
            break;
        if (count > 0)
            conn->dropped += (size_t)count;
        if (count <= 0 || conn->dropped >= linger_bytes) {
            h1_conn_close(conn);
            return;
        }
        is_heard = true;
    }
    /* The client is done and all of it was read: closing can't destroy the answer. */
    if (conn->stream->ready & STREAM_PEER_CLOSED) {
        h1_conn_close(conn);
        return;
    }
    if (is_heard || !deadline_is_set(&conn->deadline)) {
        uint64_t at_ms = loop_now_ms(loop) + linger_silence_ms;

        deadline_set(loop, &conn->deadline,
                     at_ms < conn->linger_until_ms ? at_ms : conn->linger_until_ms);
    }
}

static void begin_lingering(struct h1_conn *conn)
{
    struct loop *loop = conn->front->env->loop;

    conn->state = H1_LINGERING;
    if (stream_shutdown_write(conn->stream) < 0) {
        h1_conn_close(conn);
        return;
    }
    conn->linger_until_ms = loop_now_ms(loop) + linger_ms;
    deadline_cancel(loop, &conn->deadline);
    stream_want(conn->stream, STREAM_READABLE);
    linger(conn);
}

/* ---- answering ---- */

static void hand_over(struct h1_conn *conn)
{
    struct tunnel *tunnel = conn->tunnel;

    conn->tunnel = NULL;
    leave_front(conn);
    tunnel_relay(tunnel, conn->stream);
}

static void answered(struct h1_conn *conn)
{
    if (conn->state == H1_ESTABLISHED)
        hand_over(conn);
    else
        begin_lingering(conn);
}

/* The kernel did not take all of a small answer: rare, so only then it costs memory. */
static int keep_reply(struct h1_conn *conn, const char *bytes, size_t length)
{
    struct loop *loop = conn->front->env->loop;

    conn->reply = malloc(length);
    if (conn->reply == NULL)
        return -ENOMEM;
    memcpy(conn->reply, bytes, length);
    conn->reply_length = length;
    stream_want(conn->stream, STREAM_WRITABLE);
    deadline_set(loop, &conn->deadline, loop_now_ms(loop) + linger_ms);
    return 0;
}

static void write_reply(struct h1_conn *conn, const char *bytes, size_t length)
{
    ssize_t count = stream_write(conn->stream, bytes, length);
    size_t written = count > 0 ? (size_t)count : 0;
    bool is_broken = count < 0 && count != -EAGAIN;

    if (written == length)
        answered(conn);
    else if (is_broken || keep_reply(conn, bytes + written, length - written) < 0)
        h1_conn_close(conn);
}

static void continue_reply(struct h1_conn *conn)
{
    if (!(conn->stream->ready & STREAM_WRITABLE))
        return;
    ssize_t count = stream_write(conn->stream, conn->reply + conn->reply_offset,
                                 conn->reply_length - conn->reply_offset);

    if (count < 0 && count != -EAGAIN) {
        h1_conn_close(conn);
        return;
    }
    if (count > 0)
        conn->reply_offset += (size_t)count;
    if (conn->reply_offset == conn->reply_length)
        answered(conn);
}

static void wait_for_client(struct h1_conn *conn);

static void refuse(struct h1_conn *conn, enum tunnel_error error, const char *rcode,
                   const char *details, const char *phrase)
{
    const struct tunnel_error_row *row = tunnel_error_row(error);
    char buffer[HTTP1_REPLY_SIZE];
    struct text reply;
    struct http1_refusal refusal = {
        .status = row->status,
        .proxy_error = row->token,
        .rcode = rcode,
        .details = details,
        .phrase = phrase,
        .retry_after_s = row->retry_after_s,
        .is_body_omitted = conn->is_body_omitted,
    };

    conn->state = H1_REFUSING;
    text_init(&reply, buffer, sizeof(buffer));
    http1_reply_refusal(&reply, &refusal);
    write_reply(conn, reply.start, reply.length);
    wait_for_client(conn);
}

/* Without what follows the colon, unless it is a port: where a password has a slash in it, it is a
 * piece of that. */
static size_t loggable_length(const char *text, size_t length)
{
    const char *bracket = length > 0 && text[0] == '[' ? memchr(text, ']', length) : NULL;
    const char *from = bracket != NULL ? bracket : text;
    const char *colon = memchr(from, ':', length - (size_t)(from - text));
    struct ip_address ignored;

    if (colon == NULL || ip_address_parse_v6(text, length, &ignored) == 0)
        return length;
    for (const char *at = colon + 1; at < text + length; at++) {
        if (*at < '0' || *at > '9')
            return (size_t)(colon - text);
    }
    return length;
}

/* Of a target that is no authority only the host is logged: userinfo, path and query may hold
 * secrets. */
static struct view loggable_target(struct view target)
{
    const char *end = target.start + target.length;
    const char *start = memmem(target.start, target.length, "://", 3);

    start = start != NULL ? start + 3 : target.start;
    for (const char *at = start; at < end; at++) {
        if (*at == '/' || *at == '?' || *at == '#')
            end = at;
    }
    const char *userinfo_end = memrchr(start, '@', (size_t)(end - start));
    if (userinfo_end != NULL)
        start = userinfo_end + 1;
    return (struct view){.start = start, .length = loggable_length(start, (size_t)(end - start))};
}

/* A request that never becomes a tunnel. */
static void reject(struct h1_conn *conn, enum tunnel_error error, const char *details,
                   const struct view *target)
{
    struct view logged =
        target != NULL && target->length > 0 ? loggable_target(*target) : (struct view){0};
    struct tunnel_rejection rejection = {
        .client = conn->client,
        .listener = conn->listener,
        .target = logged.start,
        .target_length = logged.length,
        .error = error,
        .details = details != NULL ? details : tunnel_error_row(error)->text,
    };

    tunnel_reject(conn->front->env, &rejection);
    refuse(conn, error, NULL, rejection.details, NULL);
}

/* ---- making room ---- */

static void displaced(struct room_guest *guest)
{
    struct h1_conn *conn = container_of(guest, struct h1_conn, guest);

    if (conn->state == H1_READING) {
        lose_room(conn);
        reject(conn, TUNNEL_ERROR_DISPLACED, NULL, NULL);
        head_wipe(conn);
    } else if (conn->state == H1_CHECKING) {
        lose_room(conn);
        tunnel_displace(conn->tunnel);
    } else { /* its client has had its time to take the answer */
        h1_conn_close(conn);
    }
}

/* Until its request is there and its password was right, or until its refusal is taken, it makes
 * room for others. */
static void wait_for_client(struct h1_conn *conn)
{
    struct tunnel_env *env = conn->front->env;

    if (!conn->is_closed && conn->has_room && !room_guest_is_registered(&conn->guest))
        room_register(env->room, &conn->guest, env->loop, &conn->client.address, displaced);
}

/* ---- the tunnel's answers ---- */

static bool on_admitted(void *self)
{
    struct h1_conn *conn = self;

    conn->state = H1_WAITING;
    return keep_room(conn);
}

static void on_established(void *self)
{
    static const char success[] = HTTP1_ESTABLISHED;
    struct h1_conn *conn = self;

    conn->state = H1_ESTABLISHED;
    write_reply(conn, success, sizeof(success) - 1);
}

static void on_refused(void *self, const struct tunnel_refusal *refusal)
{
    struct h1_conn *conn = self;

    conn->tunnel = NULL;
    refuse(conn, refusal->error, refusal->rcode, refusal->details, refusal->phrase);
}

static const struct tunnel_ops tunnel_ops = {
    .admitted = on_admitted,
    .established = on_established,
    .refused = on_refused,
};

/* ---- reading ---- */

static enum tunnel_error error_from_result(enum http1_result result)
{
    static const enum tunnel_error errors[] = {
        [HTTP1_OK] = TUNNEL_ERROR_NONE,
        [HTTP1_MORE] = TUNNEL_ERROR_NONE,
        [HTTP1_BAD] = TUNNEL_ERROR_BAD_REQUEST,
        [HTTP1_METHOD_NOT_ALLOWED] = TUNNEL_ERROR_METHOD_NOT_ALLOWED,
        [HTTP1_TUNNEL_WANTED] = TUNNEL_ERROR_TUNNEL_WANTED,
        [HTTP1_METHOD_UNKNOWN] = TUNNEL_ERROR_METHOD_UNKNOWN,
        [HTTP1_TARGET_TOO_LONG] = TUNNEL_ERROR_TARGET_TOO_LONG,
        [HTTP1_HEAD_TOO_LARGE] = TUNNEL_ERROR_HEAD_TOO_LARGE,
        [HTTP1_VERSION] = TUNNEL_ERROR_VERSION,
    };
    static_assert(ARRAY_LENGTH(errors) == HTTP1_RESULT_COUNT, "an error a result");

    return errors[result];
}

/* Only a 400 and a 501 need words of their own; the others' stand in the table. */
static const char *details_of(enum http1_result result, const char *problem)
{
    return result == HTTP1_BAD || result == HTTP1_METHOD_UNKNOWN ? problem : NULL;
}

/* Why what was offered can't even be checked. */
static enum tunnel_error error_from_basic(enum basic_auth_result result)
{
    static const enum tunnel_error errors[] = {
        [BASIC_AUTH_OK] = TUNNEL_ERROR_NONE,
        [BASIC_AUTH_MALFORMED] = TUNNEL_ERROR_AUTH_WRONG,
        [BASIC_AUTH_OTHER_SCHEME] = TUNNEL_ERROR_AUTH_SCHEME,
        [BASIC_AUTH_LONG_PASSWORD] = TUNNEL_ERROR_AUTH_LONG_PASSWORD,
    };
    static_assert(ARRAY_LENGTH(errors) == BASIC_AUTH_RESULT_COUNT, "an error a result");

    return errors[result];
}

static void head_complete(struct h1_conn *conn, const char *bytes, size_t head_length,
                          size_t length)
{
    struct front *front = conn->front;
    struct http1_head head;
    enum http1_result result = http1_head_parse(bytes, head_length, &head);

    if (result != HTTP1_OK) {
        conn->is_body_omitted = head.is_head_method;
        reject(conn, error_from_result(result), details_of(result, head.problem), &head.target);
        return;
    }
    struct basic_credentials credentials; /* few requests have them */
    struct view field = head.proxy_authorization;
    struct tunnel_request request = {
        .client = conn->client,
        .listener = conn->listener,
        .http = head.minor_version == 0 ? "1.0" : "1.1",
        .authority = &head.authority,
        .early_bytes = bytes + head_length,
        .early_length = length - head_length,
    };
    if (field.length > 0) {
        request.credentials = &credentials;
        request.auth_error =
            error_from_basic(basic_auth_parse(field.start, field.length, &credentials));
    }
    conn->state = H1_CHECKING;
    deadline_cancel(front->env->loop, &conn->deadline);
    stream_want(conn->stream, 0);

    struct tunnel *tunnel;
    tunnel_open(front->env, &request, &tunnel_ops, conn, &tunnel);
    if (request.credentials != NULL)
        explicit_bzero(&credentials, sizeof(credentials));
    if (tunnel == NULL)
        return; /* it is refused already, and the connection may be gone */
    conn->tunnel = tunnel;
    if (conn->state == H1_CHECKING)
        wait_for_client(conn);
}

/* New bytes are at hand: all of the head so far is bytes[0..length). True when more must come. */
static bool look_at_head(struct h1_conn *conn, const char *bytes, size_t length)
{
    size_t head_length = 0;
    enum http1_result result = http1_scan(&conn->scan, bytes, length, &head_length);

    if (result == HTTP1_MORE)
        return true;
    if (result == HTTP1_OK)
        head_complete(conn, bytes, head_length, length);
    else
        reject(conn, error_from_result(result), details_of(result, conn->scan.problem), NULL);
    return false;
}

/* Room for at least one more byte behind the head so far. */
static int grow_head(struct h1_conn *conn, size_t wanted)
{
    size_t size = conn->head_size != 0 ? conn->head_size : HEAD_FIRST_SIZE;

    while (size < wanted)
        size *= 2;
    if (size > HTTP1_HEAD_MAX)
        size = HTTP1_HEAD_MAX;
    if (size == conn->head_size)
        return 0;
    char *head = malloc(size); /* realloc would leave a copy behind */
    if (head == NULL)
        return -ENOMEM;
    if (conn->head != NULL)
        memcpy(head, conn->head, conn->head_length);
    head_wipe(conn);
    conn->head = head;
    conn->head_size = size;
    return 0;
}

static int keep_head(struct h1_conn *conn, const char *bytes, size_t length)
{
    if (grow_head(conn, length + 1) < 0)
        return -ENOMEM;
    ENSURE(conn->head != NULL);
    memcpy(conn->head, bytes, length);
    conn->head_length = length;
    return 0;
}

/* The client's end or an error before the head was complete. */
static void head_cut_short(struct h1_conn *conn, ssize_t count)
{
    if (count == 0 && conn->head_length > 0)
        reject(conn, TUNNEL_ERROR_BAD_REQUEST,
               "the connection ended before the request head was complete", NULL);
    else
        h1_conn_close(conn);
}

/* Reads once into the scratch buffer (first read) or behind the head so far. */
static ssize_t read_some(struct h1_conn *conn, char **ret_start)
{
    struct front *front = conn->front;

    if (conn->head == NULL) {
        *ret_start = front->scratch;
        return stream_read(conn->stream, front->scratch, sizeof(front->scratch));
    }
    if (grow_head(conn, conn->head_length + 1) < 0)
        return -ENOMEM;
    *ret_start = conn->head;
    return stream_read(conn->stream, conn->head + conn->head_length,
                       conn->head_size - conn->head_length);
}

/* `count` bytes more are at `start`, which is the scratch buffer as long as there is no head. */
static void take_bytes(struct h1_conn *conn, const char *start, size_t count)
{
    size_t length = conn->head_length + count;

    if (!look_at_head(conn, start, length))
        return;
    conn->head_length = length;
    if (conn->head == NULL && keep_head(conn, start, length) < 0)
        reject(conn, TUNNEL_ERROR_NO_RESOURCES, NULL, NULL);
}

static bool is_reading(const struct h1_conn *conn)
{
    return conn->state == H1_READING && !conn->is_closed;
}

static void read_head(struct h1_conn *conn)
{
    while (is_reading(conn) && (conn->stream->ready & STREAM_READABLE)) {
        char *start = NULL;
        ssize_t count = read_some(conn, &start);

        if (count == -EAGAIN)
            return;
        if (count > 0)
            take_bytes(conn, start, (size_t)count);
        else
            head_cut_short(conn, count);
        if (start == conn->front->scratch)
            scratch_wipe(conn->front, count);
    }
    if (!is_reading(conn))
        head_wipe(conn);
}

/* ---- events ---- */

static void conn_ready(struct stream *stream, void *observer)
{
    struct h1_conn *conn = observer;

    switch ((enum h1_state)conn->state) {
    case H1_READING:
        read_head(conn);
        break;
    case H1_CHECKING:
    case H1_WAITING:
        /* A FIN behind a complete head is no departure: the answer still goes out. */
        if (stream->ready & STREAM_BROKEN)
            h1_conn_close(conn);
        break;
    case H1_ESTABLISHED:
    case H1_REFUSING:
        continue_reply(conn);
        break;
    default:
        linger(conn);
    }
}

static void deadline_passed(struct deadline *deadline)
{
    struct h1_conn *conn = container_of(deadline, struct h1_conn, deadline);

    if (conn->state == H1_READING)
        reject(conn, TUNNEL_ERROR_HEAD_TIMEOUT, NULL, NULL);
    else
        h1_conn_close(conn);
    head_wipe(conn);
}

/* Whatever has come is read and dropped first, so that the answer survives the close. */
static void refuse_at_once(struct h1_conn *conn, enum tunnel_error error)
{
    struct front *front = conn->front;

    scratch_wipe(front, stream_read(conn->stream, front->scratch, sizeof(front->scratch)));
    reject(conn, error, NULL, NULL);
}

int h1_conn_open(struct front *front, struct stream *stream, const struct ip_endpoint *client,
                 unsigned listener, enum tunnel_error refuse_with)
{
    struct loop *loop = front->env->loop;
    struct h1_conn *conn = slab_take(loop_slab(loop), sizeof(*conn));

    if (conn == NULL)
        return -ENOMEM;
    conn->front = front;
    conn->stream = stream;
    conn->client = *client;
    conn->listener = (uint16_t)listener;
    conn->has_room = refuse_with == TUNNEL_ERROR_NONE;
    conn->state = H1_READING;
    deadline_init(&conn->deadline, deadline_passed);
    list_append(conn->has_room ? &front->connections : &front->surplus, &conn->link);
    front->connection_count++;
    counter_add(front->env->counters, COUNTER_CONNECTIONS_OPEN, 1);
    stream_observe(stream, conn_ready, conn);
    stream_want(stream, STREAM_READABLE);
    if (!conn->has_room) {
        front->surplus_count++;
        refuse_at_once(conn, refuse_with);
        return 0;
    }
    read_head(conn);
    if (conn->state == H1_READING && !conn->is_closed) {
        deadline_set(loop, &conn->deadline, loop_now_ms(loop) + front->timeouts.head_ms);
        wait_for_client(conn);
    }
    return 0;
}
