/* From a parsed request to a tunnel. Most requests come without credentials, or with credentials
 * that are remembered as good; for them the tunnel is opened at once, and nothing of the request is
 * kept here. Only while a password is being hashed the request is copied (struct front_ask).
 *
 * Until it is known who asks, the connection offers its seat to newcomers. A client that loses its
 * unit of room in that time is refused.
 */
#include "front/front_request.h"

#include "front/front_conn.h"
#include "front/front_login.h"
#include "front/front_private.h"
#include "loop/slab.h"
#include "tunnel/tunnel_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A request whose client is being checked. */
struct front_ask {
    struct front_login login;
    struct front_conn *conn;
    struct tunnel_request request; /* refers to what follows, and to `login` */
    struct authority authority;
    char *early; /* NULL: none */
};
static_assert(sizeof(struct front_ask) <= SLAB_LARGEST, "a slab takes it");

/* ---- the tunnel ---- */

void front_request_established(void *self)
{
    front_conn_succeed(self);
}

void front_request_refused(void *self, const struct tunnel_refusal *refusal)
{
    struct front_conn *conn = self;

    conn->tunnel = NULL;
    front_conn_refuse(conn, refusal);
}

/* The connection was freed long ago; `self` is the front, which gets the seat back. */
void front_request_ended(void *self)
{
    front_seat_give_back(self, true);
}

/* The kind fills in what the request says; what the connection knows is filled in here. */
static struct tunnel_request front_request_of(const struct front_conn *conn,
                                              const struct tunnel_request *request)
{
    struct tunnel_request mine = *request;

    mine.client = conn->client;
    mine.listener_slot = conn->listener_slot;
    mine.began_ms = loop_now_ms(conn->front->env->loop);
    return mine;
}

void front_request_refuse(struct front_conn *conn, const struct tunnel_request *request,
                          enum tunnel_error error, const char *details)
{
    const struct tunnel_request mine = front_request_of(conn, request);
    const struct tunnel_refusal refusal = {
        .error = error,
        .details = details != NULL ? details : tunnel_error_row(error)->text,
    };

    tunnel_refuse(conn->front->env, &mine, error, details);
    front_conn_refuse(conn, &refusal);
}

/* Goes on when it is known who asks, or when there are no users to check against. */
static void front_request_admit(struct front_conn *conn, const struct tunnel_request *request)
{
    struct tunnel *tunnel;

    front_conn_admit(conn);
    if (!front_conn_keep_seat(conn)) {
        front_request_refuse(conn, request, TUNNEL_ERROR_FULL, NULL);
        return;
    }
    tunnel_open(conn->front->env, request, conn, &tunnel);
    if (tunnel != NULL) /* otherwise it was refused, and the connection may be gone */
        conn->tunnel = tunnel;
}

/* ---- while it is checked who asks ---- */

static void front_ask_free(struct front_ask *ask)
{
    front_login_cancel(&ask->login);
    if (ask->early != NULL)
        explicit_bzero(ask->early, ask->request.early_length); /* it may hold a password */
    free(ask->early);
    slab_give(ask);
}

/* The check has its result, or the connection was displaced before there was one. Frees `ask`. */
static void front_ask_end(struct front_ask *ask, enum tunnel_error error, const char *details)
{
    struct front_conn *conn = ask->conn;

    conn->ask = NULL;
    ask->request.user = front_login_user(&ask->login);
    if (error == TUNNEL_ERROR_NONE)
        front_request_admit(conn, &ask->request);
    else
        front_request_refuse(conn, &ask->request, error, details);
    front_ask_free(ask);
}

static void front_ask_known(struct front_login *login)
{
    struct front_ask *ask = container_of(login, struct front_ask, login);

    front_ask_end(ask, login->error, login->details);
}

/* Copies what the request refers to, since the caller's bytes live only as long as the call. */
static int front_ask_keep(struct front_ask *ask)
{
    struct tunnel_request *request = &ask->request;

    ask->authority = *request->authority;
    request->authority = &ask->authority;
    if (request->early_length == 0)
        return 0;
    ask->early = malloc(request->early_length);
    if (ask->early == NULL)
        return -ENOMEM;
    memcpy(ask->early, request->early_bytes, request->early_length);
    request->early_bytes = ask->early;
    return 0;
}

static void front_request_ask(struct front_conn *conn, const struct tunnel_request *request,
                              const struct front_offer *offer)
{
    struct tunnel_env *env = conn->front->env;
    struct front_ask *ask = slab_take(loop_slab(env->loop), sizeof(*ask));

    if (ask == NULL) {
        front_request_refuse(conn, request, TUNNEL_ERROR_AUTH_BUSY, NULL);
        return;
    }
    ask->conn = conn;
    ask->request = *request;
    if (front_login_start(&ask->login, env, &conn->client.address, offer, front_ask_known)) {
        front_ask_known(&ask->login);
    } else if (front_ask_keep(ask) < 0) {
        front_ask_end(ask, TUNNEL_ERROR_NO_RESOURCES, NULL);
    } else {
        conn->ask = ask;
        front_conn_offer_seat(conn);
    }
}

/* ---- the request ---- */

void front_request_open(struct front_conn *conn, const struct tunnel_request *request,
                        const struct front_offer *offer)
{
    const struct tunnel_env *env = conn->front->env;

    if (env->is_draining) {
        front_conn_reject(conn, &(struct tunnel_rejection){
                                    .way = request->way,
                                    .target = request->authority->host,
                                    .target_length = request->authority->host_length,
                                    .error = TUNNEL_ERROR_DRAINING,
                                });
        return;
    }
    const struct tunnel_request mine = front_request_of(conn, request);
    front_conn_request_came(conn);
    if (offer != NULL && front_login_is_needed(env))
        front_request_ask(conn, &mine, offer);
    else
        front_request_admit(conn, &mine);
}

void front_request_displace(struct front_conn *conn)
{
    front_ask_end(conn->ask, TUNNEL_ERROR_FULL, NULL);
}

void front_request_cancel(struct front_conn *conn)
{
    struct front_ask *ask = conn->ask;

    if (conn->tunnel != NULL)
        tunnel_cancel(conn->tunnel);
    conn->tunnel = NULL;
    if (ask == NULL)
        return;
    conn->ask = NULL;
    ask->request.user = front_login_user(&ask->login);
    tunnel_abandon(conn->front->env, &ask->request);
    front_ask_free(ask);
}
