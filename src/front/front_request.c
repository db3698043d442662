/* A connection's request and what the tunnel says to it. Until its password was right, the
 * connection makes room for others.
 */
#include "front/front_request.h"

#include "front/front_conn.h"
#include "front/front_private.h"
#include "tunnel/tunnel.h"

static bool front_request_admitted(void *self)
{
    struct front_conn *conn = self;

    front_conn_admit(conn);
    return front_conn_keep_seat(conn);
}

static void front_request_established(void *self)
{
    front_conn_succeed(self);
}

static void front_request_refused(void *self, const struct tunnel_refusal *refusal)
{
    struct front_conn *conn = self;

    conn->tunnel = NULL;
    front_conn_refuse(conn, refusal);
}

static const struct tunnel_ops tunnel_ops = {
    .admitted = front_request_admitted,
    .established = front_request_established,
    .refused = front_request_refused,
};

void front_request_open(struct front_conn *conn, const struct tunnel_request *request)
{
    struct tunnel *tunnel;

    front_conn_request_came(conn);
    tunnel_open(conn->front->env, request, &tunnel_ops, conn, &tunnel);
    if (tunnel == NULL)
        return; /* it is refused already, and the connection may be gone */
    conn->tunnel = tunnel;
    if (conn->state == FRONT_CHECKING)
        front_conn_offer_seat(conn);
}

void front_request_displace(struct front_conn *conn)
{
    tunnel_displace(conn->tunnel);
}

void front_request_cancel(struct front_conn *conn)
{
    if (conn->tunnel != NULL)
        tunnel_cancel(conn->tunnel);
    conn->tunnel = NULL;
}
