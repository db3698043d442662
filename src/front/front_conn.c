/* One connection of a client, from the accept to its end: AWAITING a request -> CHECKING who it is
 * -> OPENING the tunnel -> ANSWERING. Then either the stream goes to the tunnel and this connection
 * is gone, or the refusal is written, the write side is shut, and what still comes is read and
 * dropped for a bounded time (LINGERING, net/linger.h).
 *
 * The first bytes tell which front-end (kind) the client speaks to. They are kept only when the
 * first read did not tell; where there is only one front-end nothing is ever kept.
 *
 * The surprise: one answer ends the connection, whatever came behind the request. Nothing there is
 * ever parsed as another request (RFC 9931).
 *
 * What is read may hold a password. So all of it is wiped as soon as it was looked at, in every
 * buffer that it went through.
 */
#include "front/front_conn.h"

#include "base/state.h"
#include "base/text.h"
#include "front/front_private.h"
#include "front/front_request.h"
#include "loop/slab.h"
#include "net/stream.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct state_row front_state_rows[] = {
    [FRONT_AWAITING] = {"awaiting", STATE_BIT(FRONT_CHECKING) | STATE_BIT(FRONT_ANSWERING) |
                                        STATE_BIT(FRONT_CLOSED)},
    [FRONT_CHECKING] = {"checking", STATE_BIT(FRONT_OPENING) | STATE_BIT(FRONT_ANSWERING) |
                                        STATE_BIT(FRONT_CLOSED)},
    [FRONT_OPENING] = {"opening", STATE_BIT(FRONT_ANSWERING) | STATE_BIT(FRONT_CLOSED)},
    [FRONT_ANSWERING] = {"answering", STATE_BIT(FRONT_LINGERING) | STATE_BIT(FRONT_CLOSED)},
    [FRONT_LINGERING] = {"lingering", STATE_BIT(FRONT_CLOSED)},
    [FRONT_CLOSED] = {"closed", 0},
};
static_assert(ARRAY_LENGTH(front_state_rows) == FRONT_STATE_COUNT, "a row for every state");

static const struct state_table front_states = {"connection", front_state_rows, FRONT_STATE_COUNT};

static void front_conn_move_to(struct front_conn *conn, enum front_state state)
{
    state_move(&front_states, &conn->state, state, 0);
}

static bool front_conn_awaits(const struct front_conn *conn)
{
    return conn->state == FRONT_AWAITING;
}

/* ---- the seat ---- */

/* The connection's unit of room went to a newcomer: it becomes a surplus connection. */
static void front_conn_lose_room(struct front_conn *conn)
{
    struct front *front = conn->front;

    conn->has_room = false;
    front_make_room_for_surplus(front);
    list_remove(&conn->link);
    list_append(&front->surplus, &conn->link);
    front->surplus_count++;
}

bool front_conn_keep_seat(struct front_conn *conn)
{
    if (conn->has_room && !room_unregister(&conn->guest))
        front_conn_lose_room(conn);
    return conn->has_room;
}

static void front_conn_reject_unheard(struct front_conn *conn, enum tunnel_error error);

/* A newcomer takes the seat. A client that still waits for its answer is told so; a client in a
 * later state has had its time to take the answer. */
static void front_conn_displaced(struct room_guest *guest)
{
    struct front_conn *conn = container_of(guest, struct front_conn, guest);

    if (conn->state == FRONT_AWAITING) {
        front_conn_lose_room(conn);
        front_conn_reject_unheard(conn, TUNNEL_ERROR_DISPLACED);
    } else if (conn->state == FRONT_CHECKING) {
        front_conn_lose_room(conn);
        front_request_displace(conn);
    } else {
        front_conn_close(conn);
    }
}

/* From now on the connection makes room for a newcomer when there is no other room.
 * front_conn_keep_seat ends that. */
void front_conn_offer_seat(struct front_conn *conn)
{
    struct tunnel_env *env = conn->front->env;

    if (conn->state != FRONT_CLOSED && conn->has_room && !room_guest_is_registered(&conn->guest))
        room_register(env->room, &conn->guest, env->loop, &conn->client.address,
                      front_conn_displaced);
}

/* ---- the end ---- */

/* The request was looked at: wipes what this connection and its kind hold of it. */
static void front_conn_forget(struct front_conn *conn)
{
    if (conn->first_length > 0)
        explicit_bzero(conn->first, sizeof(conn->first));
    if (conn->kind != NULL)
        conn->kind->close(conn);
}

static void front_conn_free(struct garbage *garbage)
{
    struct front_conn *conn = container_of(garbage, struct front_conn, garbage);

    free(conn->reply);
    slab_give(conn);
}

/* Contract: stream and seat now belong to somebody else, or are given back. */
static void front_conn_leave(struct front_conn *conn)
{
    struct front *front = conn->front;

    front_conn_move_to(conn, FRONT_CLOSED);
    list_remove(&conn->link);
    front->connection_count--;
    if (!conn->has_room)
        front->surplus_count--;
    deadline_cancel(front->env->loop, &conn->deadline);
    linger_cancel(&conn->lingering);
    front_conn_forget(conn);
    loop_free_later(front->env->loop, &conn->garbage, front_conn_free);
}

void front_conn_close(struct front_conn *conn)
{
    if (conn->state == FRONT_CLOSED)
        return;
    front_request_cancel(conn);
    stream_close(conn->stream, false);
    front_seat_give_back(conn->front, conn->has_room && room_unregister(&conn->guest));
    front_conn_leave(conn);
}

static void front_conn_lingered(struct lingering *lingering)
{
    front_conn_close(container_of(lingering, struct front_conn, lingering));
}

/* ---- answering ---- */

/* The tunnel takes the stream and the seat. */
static void front_conn_hand_over(struct front_conn *conn)
{
    struct tunnel *tunnel = conn->tunnel;

    conn->tunnel = NULL;
    front_conn_leave(conn);
    tunnel_relay(tunnel, conn->stream, conn->front);
}

static void front_conn_answered(struct front_conn *conn)
{
    struct loop *loop = conn->front->env->loop;

    if (conn->tunnel != NULL) {
        front_conn_hand_over(conn);
        return;
    }
    deadline_cancel(loop, &conn->deadline);
    front_conn_move_to(conn, FRONT_LINGERING);
    linger_begin(&conn->lingering, loop, conn->stream, front_conn_lingered);
}

/* The kernel did not take all of a small answer. That is rare, so memory for the rest is allocated
 * only then. */
static int front_conn_keep_reply(struct front_conn *conn, const char *bytes, size_t length)
{
    struct loop *loop = conn->front->env->loop;

    conn->reply = malloc(length);
    if (conn->reply == NULL)
        return -ENOMEM;
    memcpy(conn->reply, bytes, length);
    conn->reply_length = length;
    stream_want(conn->stream, STREAM_WRITABLE);
    deadline_set(loop, &conn->deadline, loop_now_ms(loop) + LINGER_MOST_MS);
    return 0;
}

/* The connection may be closed, or be the tunnel's, when this returns. */
static void front_conn_answer(struct front_conn *conn, const char *bytes, size_t length)
{
    front_conn_move_to(conn, FRONT_ANSWERING);
    ssize_t count = stream_write(conn->stream, bytes, length);
    size_t written = count > 0 ? (size_t)count : 0;
    bool is_broken = count < 0 && count != -EAGAIN;

    if (written == length)
        front_conn_answered(conn);
    else if (is_broken || front_conn_keep_reply(conn, bytes + written, length - written) < 0)
        front_conn_close(conn);
}

static void front_conn_continue_reply(struct front_conn *conn)
{
    if (!(conn->stream->ready & STREAM_WRITABLE))
        return;
    ssize_t count = stream_write(conn->stream, conn->reply + conn->reply_offset,
                                 conn->reply_length - conn->reply_offset);

    if (count < 0 && count != -EAGAIN) {
        front_conn_close(conn);
        return;
    }
    if (count > 0)
        conn->reply_offset += (size_t)count;
    if (conn->reply_offset == conn->reply_length)
        front_conn_answered(conn);
}

void front_conn_succeed(struct front_conn *conn)
{
    front_conn_answer(conn, conn->kind->success, strlen(conn->kind->success));
}

void front_conn_refuse(struct front_conn *conn, const struct tunnel_refusal *refusal)
{
    char buffer[FRONT_REFUSAL_SIZE];
    struct text reply;

    text_init(&reply, buffer, sizeof(buffer));
    conn->kind->refuse(&reply, refusal, conn);
    front_conn_answer(conn, reply.start, reply.length);
    /* A refused connection makes room for others until its client has taken the refusal. */
    front_conn_offer_seat(conn);
}

/* Refuses what is not a request: the log gets a line, but the connection has no tunnel and knows no
 * user. A connection whose first bytes did not tell its kind is answered in the first one's
 * language. */
void front_conn_reject(struct front_conn *conn, const struct tunnel_rejection *rejection)
{
    struct tunnel_rejection mine = *rejection;

    if (conn->kind == NULL)
        conn->kind = conn->front->kinds[0];
    mine.client = conn->client;
    mine.listener_slot = conn->listener_slot;
    if (mine.way == NULL)
        mine.way = conn->kind->way;
    if (mine.details == NULL)
        mine.details = tunnel_error_row(mine.error)->text;
    tunnel_reject(conn->front->env, &mine);
    front_conn_refuse(conn, &(struct tunnel_refusal){.error = mine.error, .details = mine.details});
    front_conn_forget(conn);
}

static void front_conn_reject_unheard(struct front_conn *conn, enum tunnel_error error)
{
    front_conn_reject(conn, &(struct tunnel_rejection){.error = error});
}

/* ---- the first bytes ---- */

static void front_conn_keep_first(struct front_conn *conn, const char *bytes, size_t length)
{
    REQUIRE(length <= sizeof(conn->first));
    memcpy(conn->first, bytes, length);
    conn->first_length = (uint8_t)length;
}

/* All that came so far is bytes[0..length). */
static void front_conn_look(struct front_conn *conn, const char *bytes, size_t length)
{
    conn->kind = front_kind_of(conn->front, bytes, length);
    if (conn->kind == NULL)
        front_conn_keep_first(conn, bytes, length);
    else
        conn->kind->open(conn, bytes, length);
}

/* Reads behind the bytes that were kept. Returns false when there is nothing more to read now. */
static bool front_conn_read_first(struct front_conn *conn)
{
    struct front *front = conn->front;
    size_t kept = conn->first_length;

    memcpy(front->scratch, conn->first, kept);
    ssize_t count = stream_read(conn->stream, front->scratch + kept, sizeof(front->scratch) - kept);

    if (count > 0)
        front_conn_look(conn, front->scratch, kept + (size_t)count);
    else if (count == 0 && kept > 0)
        front_conn_reject(conn, &(struct tunnel_rejection){
                                    .error = TUNNEL_ERROR_BAD_REQUEST,
                                    .details = "the connection ended before its first bytes told "
                                               "what it speaks",
                                });
    else if (count != -EAGAIN)
        front_conn_close(conn);
    front_scratch_wipe(front, (ssize_t)kept + (count > 0 ? count : 0));
    return count > 0;
}

static void front_conn_read(struct front_conn *conn)
{
    bool is_more = true;

    while (is_more && front_conn_awaits(conn) && conn->kind == NULL &&
           (conn->stream->ready & STREAM_READABLE))
        is_more = front_conn_read_first(conn);
    if (is_more && front_conn_awaits(conn) && conn->kind != NULL)
        conn->kind->read(conn);
}

/* Reads and drops what has come first, so that the answer survives the close. */
static void front_conn_refuse_at_once(struct front_conn *conn, enum tunnel_error error)
{
    struct front *front = conn->front;
    ssize_t count = stream_read(conn->stream, front->scratch, sizeof(front->scratch));

    if (count > 0)
        conn->kind = front_kind_of(front, front->scratch, (size_t)count);
    front_scratch_wipe(front, count);
    front_conn_reject_unheard(conn, error);
}

/* ---- events ---- */

static void front_conn_happened(struct front_conn *conn)
{
    switch ((enum front_state)conn->state) {
    case FRONT_AWAITING:
        front_conn_read(conn);
        break;
    case FRONT_CHECKING:
    case FRONT_OPENING:
        /* A client that sends its FIN behind a complete request still wants the answer. */
        if (conn->stream->ready & STREAM_BROKEN)
            front_conn_close(conn);
        break;
    case FRONT_ANSWERING:
        front_conn_continue_reply(conn);
        break;
    default: /* it has another observer, or is closed */
        break;
    }
}

static void front_conn_ready(struct stream *stream, void *self)
{
    struct front_conn *conn = self;
    struct state_concern concern;

    (void)stream;
    state_concern_enter(&concern, &front_states, &conn->state, 0);
    front_conn_happened(conn);
    state_concern_leave(&concern);
}

/* The deadline is that of the request head while AWAITING, and that of a kept reply while
 * ANSWERING. */
static void front_conn_passed(struct deadline *deadline)
{
    struct front_conn *conn = container_of(deadline, struct front_conn, deadline);

    if (front_conn_awaits(conn))
        front_conn_reject_unheard(conn, TUNNEL_ERROR_HEAD_TIMEOUT);
    else
        front_conn_close(conn);
}

void front_conn_request_came(struct front_conn *conn)
{
    front_conn_move_to(conn, FRONT_CHECKING);
    deadline_cancel(conn->front->env->loop, &conn->deadline);
    stream_want(conn->stream, 0);
}

void front_conn_admit(struct front_conn *conn)
{
    front_conn_move_to(conn, FRONT_OPENING);
}

void front_conn_drain(struct front_conn *conn)
{
    if (!front_conn_awaits(conn))
        return;
    if (conn->kind == NULL && conn->first_length == 0)
        front_conn_reject_unheard(conn, TUNNEL_ERROR_DRAINING);
    else if (conn->kind != NULL && conn->kind->drain != NULL)
        conn->kind->drain(conn);
}

int front_conn_open(struct front *front, struct stream *stream, const struct ip_endpoint *client,
                    unsigned listener_slot, enum tunnel_error refuse_with)
{
    struct loop *loop = front->env->loop;
    struct front_conn *conn = slab_take(loop_slab(loop), front->conn_size);

    if (conn == NULL)
        return -ENOMEM;
    conn->front = front;
    conn->stream = stream;
    conn->client = *client;
    conn->listener_slot = (uint16_t)listener_slot;
    conn->has_room = refuse_with == TUNNEL_ERROR_NONE;
    conn->state = FRONT_AWAITING;
    deadline_init(&conn->deadline, front_conn_passed);
    list_append(conn->has_room ? &front->connections : &front->surplus, &conn->link);
    front->connection_count++;
    front->surplus_count += !conn->has_room;
    stream_observe(stream, front_conn_ready, conn);
    stream_want(stream, STREAM_READABLE);
    if (!conn->has_room) {
        front_conn_refuse_at_once(conn, refuse_with);
        return 0;
    }
    front_conn_read(conn);
    if (front_conn_awaits(conn)) {
        deadline_set(loop, &conn->deadline, loop_now_ms(loop) + front->timeouts.head_ms);
        front_conn_offer_seat(conn);
    }
    return 0;
}
