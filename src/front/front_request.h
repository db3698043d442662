/* A request for one tunnel, from when it is read until it is answered: the credentials are checked,
 * the tunnel is asked for, and then the whole connection becomes the tunnel's.
 */
#ifndef FRONT_FRONT_REQUEST_H
#define FRONT_FRONT_REQUEST_H

#include "tunnel/tunnel.h"

struct front_conn;
struct front_offer;

/* Called when the request is complete. Its way, authority and early bytes are set; so is its user,
 * if the front-end had the credentials checked before. `offer` holds the credentials that came with
 * it, or is NULL. The answer is conn->kind's `success` or `refuse`, maybe before this returns; the
 * connection may be gone then. Nothing of the request needs to live longer than the call. */
void front_request_open(struct front_conn *conn, const struct tunnel_request *request,
                        const struct front_offer *offer);
/* Refuses a request without asking for a tunnel, because the credentials were wrong or the
 * front-end has another reason. The request may have no authority yet. */
void front_request_refuse(struct front_conn *conn, const struct tunnel_request *request,
                          enum tunnel_error error, const char *details);
/* Refuses the request of a connection that lost its unit of room while its credentials were
 * checked. */
void front_request_displace(struct front_conn *conn);
/* Cancels the request because the client left. Harmless when nothing was asked. */
void front_request_cancel(struct front_conn *conn);

/* The functions of the way of such a request, for a front-end's struct tunnel_way. */
void front_request_established(void *self);
void front_request_refused(void *self, const struct tunnel_refusal *refusal);
void front_request_ended(void *self);

#endif
