/* Front-ends: each speaks one client protocol, parses a request, calls tunnel_open, writes one
 * reply. front.def lists them; this header is what the thread's owner sees of them all.
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
/* For connections that are accepted from now on. */
void front_set_timeouts(struct front *front, const struct front_timeouts *timeouts);
/* Closes whatever connections are left. */
void front_destroy(struct front *front);
/* Takes an accepted, non-blocking descriptor. Reads at once, or when others have made room. Without
 * room or while draining (env->is_draining) the connection gets its 503. */
void front_accept(struct front *front, int fd, const struct ip_endpoint *client,
                  unsigned listener_slot);
/* As front_accept, but answered within the call, for want of a descriptor that could wait. Takes
 * the descriptor. */
void front_refuse_at_once(struct front *front, int fd, const struct ip_endpoint *client,
                          unsigned listener_slot);
/* The process ends: connections whose client has said nothing yet get their 503 now, as those in
 * the accept queue do. A request of which a part is there is awaited on, and refused then. */
void front_drain(struct front *front);
/* False while one waits for others to make room: the next one should not be accepted yet. */
bool front_is_ready(const struct front *front);
/* Connections that are not yet, or never became, tunnels (waiting and lingering ones included). */
size_t front_connection_count(const struct front *front);

#endif
