/* The core of adit: a tunnel is judged, resolved, dialled, answered once, relayed and accounted.
 *
 * A front-end that parsed a request, and knows who asks (front/front_login.h), calls tunnel_open.
 * Then comes one of two calls:
 *   way->established: write the success, then call tunnel_relay (or tunnel_cancel if that failed);
 *   way->refused: write the refusal; the tunnel is gone and was logged.
 * The client stream stays the front-end's until tunnel_relay takes it; way->ended says that this is
 * over. The front-end knows nothing of policy, DNS, dialling, metrics or logs, and the tunnel
 * nothing of the connection that it rides on.
 */
#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H

#include "base/contract.h"
#include "tunnel/tunnel_error.h"
#include "wire/authority.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access_record;
struct stream;
struct tunnel;
struct tunnel_env;
struct tunnel_filter;

struct tunnel_refusal {
    enum tunnel_error error;
    const char *rcode;   /* for dns_error, else NULL; static */
    const char *details; /* one line for a person; lives during the call */
    const char *phrase;  /* the same in ASCII; NULL: it is */
};

/* How a front-end asks for tunnels, and the functions that tell it what became of one. Static. */
struct tunnel_way {
    unsigned front;   /* the front-end's row, for counters */
    const char *name; /* of the front-end, for the log; NULL: `http` tells enough */
    const char *http; /* version, "1.0", "1.1"; NULL: it is not known, or none */
    void (*established)(void *self);
    void (*refused)(void *self, const struct tunnel_refusal *refusal);
    void (*ended)(void *self); /* once for each tunnel_relay; `self` is what came with that */
};

/* Views need to live only during the call. */
struct tunnel_request {
    const struct tunnel_way *way;
    struct ip_endpoint client;
    unsigned listener_slot;            /* struct listener */
    const struct authority *authority; /* NULL: not known yet (tunnel_refuse, tunnel_abandon) */
    const char *user;                  /* whose password was right; NULL: nobody's, or none came */
    uint64_t began_ms;                 /* when the request was there, by the loop's clock */
    const void *early_bytes;           /* what came behind the request: sent to the target first */
    size_t early_length;
};

/* Opens a tunnel. way->refused may be called from within, and then *ret_tunnel is NULL.
 * way->established is called in a later turn. */
void tunnel_open(struct tunnel_env *env, const struct tunnel_request *request, void *self,
                 struct tunnel **ret_tunnel);
/* Ends the tunnel because the client left before the answer was written. No function of the way is
 * called any more. */
void tunnel_cancel(struct tunnel *tunnel);
/* Called after way->established, when the success was written. Takes the stream. Bytes of the
 * target follow in a later turn. The tunnel may be gone, and way->ended called, when this returns.
 */
void tunnel_relay(struct tunnel *tunnel, struct stream *client, void *self);

/* Counts and logs a request as a tunnel that was refused, although none was opened because it is
 * not known who asks. request->user is who the client said it was. When `details` is NULL, the
 * error's text is used. */
void tunnel_refuse(struct tunnel_env *env, const struct tunnel_request *request,
                   enum tunnel_error error, const char *details);
/* Counts and logs the same kind of request when its client left before an answer. */
void tunnel_abandon(struct tunnel_env *env, const struct tunnel_request *request);

/* A request that never became a tunnel (malformed, wrong method, too slow), to be counted and
 * logged.
 */
struct tunnel_rejection {
    const struct tunnel_way *way;
    struct ip_endpoint client;
    unsigned listener_slot;
    const char *target; /* outside bytes; NULL: not known */
    size_t target_length;
    enum tunnel_error error;
    const char *details; /* NULL: the row's text */
};
void tunnel_reject(struct tunnel_env *env, const struct tunnel_rejection *rejection);

/* Visits every tunnel that matches: first those that relay, then those that are being opened, each
 * with the oldest first. A record has the state, the fields of the `open` line as far as they are
 * known, and bytes and age so far. */
void tunnel_visit(struct tunnel_env *env, const struct tunnel_filter *filter,
                  void (*visit)(void *self, const struct access_record *record), void *self);
/* Tells env->talkers what relaying tunnels have moved since the last call. */
void tunnel_tell_talkers(struct tunnel_env *env);
/* Ends at most `max` tunnels that match, and returns how many. A tunnel that relays ends with a
 * reset at both ends, so that neither takes a cut-off stream for complete. A tunnel that is being
 * opened is refused.
 */
size_t tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max);
/* Ends every relaying tunnel of the thread, after the drain timeout. */
void tunnel_close_all(struct tunnel_env *env);

#endif
