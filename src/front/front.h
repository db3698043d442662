/* Front-ends. Each speaks one client protocol: it parses a request, asks for a tunnel, and writes
 * one reply. front.def lists them; this header is all that the thread's owner sees of them.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct front; /* a thread's front-ends and their connections */
struct tunnel_env;

struct front_timeouts {
    uint64_t head_ms; /* absolute, from accept */
};

int front_create(struct tunnel_env *env, const struct front_timeouts *timeouts,
                 struct front **ret_front) MUST_CHECK;
/* Sets the timeouts for connections that are accepted from now on. */
void front_set_timeouts(struct front *front, const struct front_timeouts *timeouts);
/* Closes the connections that are left, and frees the front. */
void front_destroy(struct front *front);
/* Takes an accepted, non-blocking descriptor. Reads from it at once, or as soon as other
 * connections have made room. When there is no room, or while draining (env->is_draining), the
 * connection gets its 503. */
void front_accept(struct front *front, int fd, const struct ip_endpoint *client,
                  unsigned listener_slot);
/* Like front_accept, but the connection is refused within the call, because there is no other
 * descriptor left and this one can't be kept. Takes the descriptor. */
void front_refuse_at_once(struct front *front, int fd, const struct ip_endpoint *client,
                          unsigned listener_slot);
/* Called when the process is about to end. Connections whose client has sent nothing yet get their
 * 503 now, as those in the accept queue do. A request that has come in part is awaited, and refused
 * when it is complete. */
void front_drain(struct front *front);
/* Returns false while a connection waits for others to make room; then the next one should not be
 * accepted yet. */
bool front_is_ready(const struct front *front);
/* Returns how many connections are not yet, or never became, tunnels (waiting and lingering ones
 * included). */
size_t front_connection_count(const struct front *front);

#endif
