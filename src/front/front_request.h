/* A request for one tunnel, from when it is read to when it is answered: who asks is checked, the
 * tunnel is asked for, and then the whole connection is the tunnel's.
 */
#ifndef FRONT_FRONT_REQUEST_H
#define FRONT_FRONT_REQUEST_H

#include "tunnel/tunnel.h"

struct front_conn;
struct front_offer;

/* The request is there: its way, authority and early bytes are set (and user, where the front-end
 * had who asks checked before). `offer`: the credentials that came with it; NULL: none. It is
 * answered by conn->kind's `success` or `refuse`, maybe before this returns; the connection may be
 * gone then. Nothing of it needs to live longer than the call. */
void front_request_open(struct front_conn *conn, const struct tunnel_request *request,
                        const struct front_offer *offer);
/* The same, but nobody is asked for a tunnel: who asks is not whom it says, or its front-end has
 * another reason. The request may have no authority yet. */
void front_request_refuse(struct front_conn *conn, const struct tunnel_request *request,
                          enum tunnel_error error, const char *details);
/* The connection lost its unit of room while it was asked who it is: refused. */
void front_request_displace(struct front_conn *conn);
/* The client left. Harmless when nothing was asked. */
void front_request_cancel(struct front_conn *conn);

/* The way of such a request: what a front-end's struct tunnel_way names. */
void front_request_established(void *self);
void front_request_refused(void *self, const struct tunnel_refusal *refusal);
void front_request_ended(void *self);

#endif
