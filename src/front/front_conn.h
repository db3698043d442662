/* A client's connection, whatever protocol it speaks: its stream, its seat, its deadlines and its
 * one answer. The front-end's own part follows it in memory (front_kind.h).
 *
 * The *seat* is what a connection takes up: a place in the count of connections and, unless it is
 * surplus, a unit of room (net/room.h). front.c takes it. Only front_seat_give_back gives it back:
 * when the connection is closed or, if it became a tunnel, when the tunnel is over.
 */
#ifndef FRONT_FRONT_CONN_H
#define FRONT_FRONT_CONN_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/list.h"
#include "front/front_kind.h"
#include "loop/loop.h"
#include "net/linger.h"
#include "net/room.h"
#include "tunnel/tunnel_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct front;
struct front_ask;
struct stream;
struct tunnel;
struct tunnel_refusal;
struct tunnel_rejection;

enum front_state {
    FRONT_AWAITING,  /* its request, until `deadline`. Nothing that follows is set */
    FRONT_CHECKING,  /* who asks; `ask` is set when that takes time */
    FRONT_OPENING,   /* `tunnel` is set once that takes time */
    FRONT_ANSWERING, /* `reply` holds what could not be written yet; `tunnel` is set when it is good
                        news */
    FRONT_LINGERING, /* the refusal is written */
    FRONT_CLOSED,    /* until the end of the turn */
    FRONT_STATE_COUNT,
};

struct front_conn {
    struct list link; /* in front->connections, or without a unit of room in front->surplus */
    struct front *front;
    const struct front_kind *kind; /* NULL: not known yet */
    struct stream *stream;
    struct front_ask *ask;
    struct tunnel *tunnel;
    struct deadline deadline; /* of the request, of writing the answer */
    struct lingering lingering;
    struct garbage garbage;
    struct room_guest guest; /* while it waits for its client, or is not known to be one */
    struct ip_endpoint client;
    char *reply;
    size_t reply_offset, reply_length;
    uint16_t listener_slot;
    uint8_t state; /* enum front_state */
    bool has_room;
    uint8_t first_length;
    char first[FRONT_FIRST_MAX]; /* bytes that do not tell yet which kind it is */
};

/* Takes `stream` on success and reads at once. The seat stays the caller's on failure. When
 * `refuse_with` is not NONE, the seat has no unit of room, and the connection gets that answer
 * whatever it asks for. Returns 0 or -ENOMEM. */
int front_conn_open(struct front *front, struct stream *stream, const struct ip_endpoint *client,
                    unsigned listener_slot, enum tunnel_error refuse_with) MUST_CHECK;
/* Ends the connection now, whatever it is doing. Harmless on a closed one. */
void front_conn_close(struct front_conn *conn);
/* Refuses the connection if its client has not begun to ask, because the process is about to end.
 */
void front_conn_drain(struct front_conn *conn);

/* Logs and refuses a request that never becomes a tunnel. The client and listener of `rejection`
 * need not be set. When `way` is NULL the kind's is used, and when `details` is NULL the error's
 * text. */
void front_conn_reject(struct front_conn *conn, const struct tunnel_rejection *rejection);
/* Writes the answer to a request that was logged already; then the connection lingers. */
void front_conn_refuse(struct front_conn *conn, const struct tunnel_refusal *refusal);
/* Called when the tunnel is established. Writes the success, then the tunnel takes stream and seat.
 */
void front_conn_succeed(struct front_conn *conn);

/* Called when the request is complete. Nothing more is read, and the credentials may be checked. */
void front_conn_request_came(struct front_conn *conn);
/* Called when it is known who asks and the tunnel is about to be opened. */
void front_conn_admit(struct front_conn *conn);
/* Lets the connection be displaced to make room for others from now on, until front_conn_keep_seat.
 */
void front_conn_offer_seat(struct front_conn *conn);
/* Makes sure that the connection is not displaced any more. Returns false when its unit of room is
 * gone already. */
bool front_conn_keep_seat(struct front_conn *conn) MUST_CHECK;

/* Gives back a seat. `has_room` says whether it had a unit of room. */
void front_seat_give_back(struct front *front, bool has_room);

#endif
