/* A request for one tunnel, from when it is read to when it is answered: the whole connection is
 * then the tunnel's.
 */
#ifndef FRONT_FRONT_REQUEST_H
#define FRONT_FRONT_REQUEST_H

struct front_conn;
struct tunnel_request;

/* The request is there, and is answered by conn->kind's `success` or `refuse`, maybe before this
 * returns; the connection may be gone then. Nothing of it needs to live longer than the call. */
void front_request_open(struct front_conn *conn, const struct tunnel_request *request);
/* The connection lost its unit of room while it was asked who it is: refused. */
void front_request_displace(struct front_conn *conn);
/* The client left. Harmless when nothing was asked. */
void front_request_cancel(struct front_conn *conn);

#endif
