/* Tells the steps of tunnels in words, for `adit trace`. Private to tunnel/.
 *
 * A caller asks tunnel_is_traced first, so that nothing of this is called while tracing is off.
 */
#ifndef TUNNEL_TUNNEL_TRACE_H
#define TUNNEL_TUNNEL_TRACE_H

#include "observe/access_log.h"
#include "observe/trace.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_error.h"
#include "tunnel/tunnel_state.h"

#include <stdbool.h>

struct resolver_answer;
struct verdict;

static inline bool tunnel_is_traced(const struct tunnel *tunnel)
{
    return trace_is_wanted(tunnel->env->trace);
}

COLD void tunnel_trace_state(const struct tunnel *tunnel);
/* The verdict on `address`, or on the target's name when `address` is NULL. */
COLD void tunnel_trace_verdict(const struct tunnel *tunnel, const struct ip_address *address,
                               const struct verdict *verdict);
COLD void tunnel_trace_answer(const struct tunnel *tunnel, const struct resolver_answer *answer);
/* An attempt to connect to one address. `error` is -EINPROGRESS when the attempt begins, 0 when it
 * is connected, and another negative errno when it failed. `self` is the tunnel. */
COLD void tunnel_trace_attempt(void *self, const struct ip_address *address, int error);
COLD void tunnel_trace_refused(const struct tunnel *tunnel, enum tunnel_error error);
COLD void tunnel_trace_cancelled(const struct tunnel *tunnel);
COLD void tunnel_trace_ended(const struct tunnel *tunnel, enum closed_by closed_by);
/* What happened in the direction that comes from `from`. `relay` is embedded in a tunnel. */
COLD void tunnel_trace_relay(const struct relay *relay, unsigned from, const char *what);
COLD void tunnel_trace_source_ended(const struct relay *relay, unsigned from, bool is_reset);

#endif
