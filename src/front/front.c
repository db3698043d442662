/* Accepted descriptors become connections. A connection takes a seat, which is a unit of the
 * process's room (net/room.h); the tunnel that it opens keeps the seat.
 *
 * A connection for which there is no unit, or which loses its unit to a newcomer, still gets its
 * answer. It is a surplus connection then. Their number is bounded, and when another one comes the
 * oldest is closed.
 *
 * It can happen that other threads are about to make room, by as many displaced connections as may
 * be on their way at once. Then a newcomer waits, unread, and asks again every 2 ms. Meanwhile this
 * thread accepts no other (front_is_ready), so few ever wait.
 */
#include "front/front.h"

#include "base/text.h"
#include "front/front_conn.h"
#include "front/front_private.h"
#include "loop/loop.h"
#include "loop/slab.h"
#include "net/room.h"
#include "net/stream.h"
#include "net/tcp_stream.h"
#include "observe/counters.h"
#include "tunnel/tunnel.h"
#include "tunnel/tunnel_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How many surplus connections a thread may have. Their descriptors come out of the process's
 * reserve, which is small when the descriptor limit is; hence fewer of them below that room. */
enum { SURPLUS_MOST = 16, SURPLUS_FEW = 2, FEW_BELOW_ROOM = 512 };

static const uint64_t ask_again_ms = 2;
static const uint64_t newcomer_ms =
    2000; /* another thread that makes no room for so long is stuck */

static void front_ask_again(struct deadline *deadline);

/* All connections have the size of the largest kind: which kind one will be is known only after its
 * first bytes. */
void front_use_rows(struct front *front)
{
    const struct front_row *rows = front_rows(&front->kind_count);

    REQUIRE(front->kind_count <= FRONT_ROWS_MAX);
    for (size_t i = 0; i < front->kind_count; i++) {
        front->kinds[i] = rows[i].kind();
        if (front->kinds[i]->size > front->conn_size)
            front->conn_size = front->kinds[i]->size;
    }
    REQUIRE(front->conn_size <= SLAB_LARGEST);
}

int front_create(struct tunnel_env *env, const struct front_timeouts *timeouts,
                 struct front **ret_front)
{
    struct front *front = calloc(1, sizeof(*front));

    if (front == NULL)
        return -ENOMEM;
    front->env = env;
    front->timeouts = *timeouts;
    front_use_rows(front);
    list_init(&front->connections);
    list_init(&front->surplus);
    deadline_init(&front->ask_again, front_ask_again);
    *ret_front = front;
    return 0;
}

static struct front_conn *front_conn_of(struct list *link)
{
    return container_of(link, struct front_conn, link);
}

static void front_close_all(struct list *connections)
{
    while (!list_is_empty(connections))
        front_conn_close(front_conn_of(connections->next));
}

void front_set_timeouts(struct front *front, const struct front_timeouts *timeouts)
{
    front->timeouts = *timeouts;
}

void front_destroy(struct front *front)
{
    front_close_all(&front->connections);
    front_close_all(&front->surplus);
    deadline_cancel(front->env->loop, &front->ask_again);
    for (size_t i = 0; i < front->newcomer_count; i++)
        close(front->newcomers[i].fd);
    free(front);
}

size_t front_connection_count(const struct front *front)
{
    return front->connection_count + front->newcomer_count;
}

bool front_is_ready(const struct front *front)
{
    return front->newcomer_count == 0;
}

void front_make_room_for_surplus(struct front *front)
{
    size_t most = room_limit(front->env->room) < FEW_BELOW_ROOM ? SURPLUS_FEW : SURPLUS_MOST;

    if (front->surplus_count >= most)
        front_conn_close(front_conn_of(front->surplus.next));
}

void front_drain(struct front *front)
{
    for (struct list *link = front->connections.next; link != &front->connections;) {
        struct front_conn *conn = front_conn_of(link);

        link = link->next; /* this connection may be closed now, but no other one is */
        front_conn_drain(conn);
    }
}

/* ---- first bytes ---- */

void front_scratch_wipe(struct front *front, ssize_t count)
{
    if (count > 0)
        explicit_bzero(front->scratch, (size_t)count);
}

/* The kind that has no match (row 0) is the one that remains when all others say no. */
const struct front_kind *front_kind_of(const struct front *front, const char *bytes, size_t length)
{
    for (size_t i = 1; i < front->kind_count; i++) {
        enum front_match match = front->kinds[i]->match(bytes, length);

        if (match == FRONT_MATCH_YES)
            return front->kinds[i];
        if (match == FRONT_MATCH_MORE)
            return NULL;
    }
    return front->kinds[0];
}

/* ---- seats ---- */

/* Takes the seat of a connection for which there may be room. Returns 0, or an error as room_take
 * does. */
static int front_seat_take(struct front *front)
{
    int error = room_take(front->env->room, front->env->loop);

    if (error == 0)
        counter_add(front->env->counters, COUNTER_CONNECTIONS_OPEN, 1);
    return error;
}

/* The seat of a connection that only gets its refusal. It takes no unit of room. */
static void front_seat_take_surplus(struct front *front)
{
    front_make_room_for_surplus(front);
    counter_add(front->env->counters, COUNTER_CONNECTIONS_OPEN, 1);
}

void front_seat_give_back(struct front *front, bool has_room)
{
    if (has_room)
        room_give_back(front->env->room);
    counter_subtract(front->env->counters, COUNTER_CONNECTIONS_OPEN, 1);
}

/* ---- newcomers ---- */

/* Takes the newcomer's descriptor, also when it fails. */
static int front_open_connection(struct front *front, const struct newcomer *newcomer,
                                 enum tunnel_error refuse_with)
{
    struct stream *stream;
    int error = tcp_stream_create(front->env->loop, newcomer->fd, STREAM_READABLE | STREAM_WRITABLE,
                                  &stream);

    if (error < 0) {
        close(newcomer->fd);
        return error;
    }
    error = front_conn_open(front, stream, &newcomer->client, newcomer->listener_slot, refuse_with);
    if (error < 0)
        stream_close(stream, true);
    return error;
}

/* With `refuse_with` NONE the newcomer has its seat already; otherwise it is a surplus connection
 * that is told why. */
static void front_admit(struct front *front, const struct newcomer *newcomer,
                        enum tunnel_error refuse_with)
{
    bool has_room = refuse_with == TUNNEL_ERROR_NONE;

    if (!has_room)
        front_seat_take_surplus(front);
    if (front_open_connection(front, newcomer, refuse_with) < 0)
        front_seat_give_back(front, has_room);
}

/* Returns false when the newcomer has to wait. Otherwise *ret_refuse_with is NONE, and the newcomer
 * has its seat, or why it gets none. */
static bool front_find_seat(struct front *front, const struct newcomer *newcomer,
                            enum tunnel_error *ret_refuse_with)
{
    struct tunnel_env *env = front->env;
    int error = env->is_draining ? -ESHUTDOWN : front_seat_take(front);

    if (error == -EAGAIN && loop_now_ms(env->loop) < newcomer->until_ms)
        return false;
    *ret_refuse_with = TUNNEL_ERROR_NONE;
    if (error < 0)
        *ret_refuse_with = env->is_draining ? TUNNEL_ERROR_DRAINING : TUNNEL_ERROR_FULL;
    return true;
}

static void front_wait_for_room(struct front *front, const struct newcomer *newcomer)
{
    struct loop *loop = front->env->loop;

    if (front->newcomer_count == NEWCOMERS_MAX) {
        front_admit(front, newcomer, TUNNEL_ERROR_FULL);
        return;
    }
    front->newcomers[front->newcomer_count++] = *newcomer;
    if (!deadline_is_set(&front->ask_again))
        deadline_set(loop, &front->ask_again, loop_now_ms(loop) + ask_again_ms);
}

static void front_ask_again(struct deadline *deadline)
{
    struct front *front = container_of(deadline, struct front, ask_again);
    struct loop *loop = front->env->loop;
    enum tunnel_error refuse_with;
    size_t done = 0;

    while (done < front->newcomer_count &&
           front_find_seat(front, &front->newcomers[done], &refuse_with))
        front_admit(front, &front->newcomers[done++], refuse_with);
    front->newcomer_count -= done;
    memmove(front->newcomers, front->newcomers + done,
            front->newcomer_count * sizeof(front->newcomers[0]));
    if (front->newcomer_count > 0)
        deadline_set(loop, deadline, loop_now_ms(loop) + ask_again_ms);
}

void front_accept(struct front *front, int fd, const struct ip_endpoint *client,
                  unsigned listener_slot)
{
    const struct newcomer newcomer = {.fd = fd,
                                      .listener_slot = listener_slot,
                                      .client = *client,
                                      .until_ms = loop_now_ms(front->env->loop) + newcomer_ms};
    enum tunnel_error refuse_with;

    if (front_is_ready(front) && front_find_seat(front, &newcomer, &refuse_with))
        front_admit(front, &newcomer, refuse_with);
    else
        front_wait_for_room(front, &newcomer);
}

/* ---- refused without a connection ---- */

/* Reads what the client has sent, up to the size of a request head, and drops it: closing a socket
 * with unread bytes would reset the connection and destroy the answer. Returns the kind that its
 * first bytes tell. */
static const struct front_kind *front_drop_input(struct front *front, int fd)
{
    const struct front_kind *kind = NULL;
    size_t dropped = 0;

    while (dropped < sizeof(front->scratch)) {
        ssize_t count = recv(fd, front->scratch, sizeof(front->scratch) - dropped, MSG_DONTWAIT);

        if (count <= 0)
            break;
        if (dropped == 0)
            kind = front_kind_of(front, front->scratch, (size_t)count);
        front_scratch_wipe(front, count);
        dropped += (size_t)count;
    }
    return kind != NULL ? kind : front->kinds[0];
}

void front_refuse_at_once(struct front *front, int fd, const struct ip_endpoint *client,
                          unsigned listener_slot)
{
    const struct tunnel_refusal refusal = {.error = TUNNEL_ERROR_FULL,
                                           .details = tunnel_error_row(TUNNEL_ERROR_FULL)->text};
    char bytes[FRONT_REFUSAL_SIZE];
    struct text reply;

    text_init(&reply, bytes, sizeof(bytes));
    const struct front_kind *kind = front_drop_input(front, fd);
    kind->refuse(&reply, &refusal, NULL);
    ssize_t ignored = send(fd, bytes, reply.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored;
    shutdown(fd, SHUT_WR);
    close(fd);
    tunnel_reject(front->env, &(struct tunnel_rejection){.way = kind->way,
                                                         .client = *client,
                                                         .listener_slot = listener_slot,
                                                         .error = refusal.error});
}
