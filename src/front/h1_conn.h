/* One client connection that speaks HTTP/1: a request head, one answer, then a tunnel or the end.
 */
#ifndef FRONT_H1_CONN_H
#define FRONT_H1_CONN_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "tunnel/tunnel_error.h"

#include <stdbool.h>

struct front;
struct h1_conn;
struct list;
struct stream;

/* Takes `stream` on success and reads at once. With `refuse_with` other than NONE the connection
 * holds no unit of room (net/room.h) and gets that answer whatever it asks for. 0 or -ENOMEM. */
int h1_conn_open(struct front *front, struct stream *stream, const struct ip_endpoint *client,
                 unsigned listener, enum tunnel_error refuse_with) MUST_CHECK;
/* Ends the connection now, whatever it is doing. */
void h1_conn_close(struct h1_conn *conn);
/* The connection that is linked by `link` in front->connections or front->surplus. */
struct h1_conn *h1_conn_of(struct list *link);

#endif
