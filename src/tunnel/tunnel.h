/* A tunnel: judged, resolved, dialled, answered once, relayed, accounted. The core of adit.
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

/* How tunnels are asked for, and who is told what became of one. Static. */
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

/* `refused` may come from within; then *ret_tunnel is NULL. `established` comes in a later turn. */
void tunnel_open(struct tunnel_env *env, const struct tunnel_request *request, void *self,
                 struct tunnel **ret_tunnel);
/* The client left before the answer was written. Nothing of the way is called any more. */
void tunnel_cancel(struct tunnel *tunnel);
/* After way->established, when the success was written: takes the stream. Bytes of the target
 * follow in a later turn. The tunnel may be gone, and way->ended called, when this returns. */
void tunnel_relay(struct tunnel *tunnel, struct stream *client, void *self);

/* A request that ends before a tunnel is opened for it, for it is not known who asks: counts and
 * logs it as a tunnel that was refused. request->user is who the client said it was. `details`
 * NULL: the error's text. */
void tunnel_refuse(struct tunnel_env *env, const struct tunnel_request *request,
                   enum tunnel_error error, const char *details);
/* The same, but its client left. */
void tunnel_abandon(struct tunnel_env *env, const struct tunnel_request *request);

/* For a request that never became a tunnel (malformed, wrong method, too slow): counts and logs it.
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

/* Every tunnel that matches, those that relay first, of either the oldest first: its state, the
 * fields of its `open` as far as they are known, bytes and age so far. */
void tunnel_visit(struct tunnel_env *env, const struct tunnel_filter *filter,
                  void (*visit)(void *self, const struct access_record *record), void *self);
/* Tells env->talkers what relaying tunnels have moved since the last time. */
void tunnel_tell_talkers(struct tunnel_env *env);
/* Ends tunnels that match: of one that relays both ends with a reset, for nobody shall take what
 * was cut off for complete; one that is being opened is refused. At most `max`; returns how many.
 */
size_t tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max);
/* Ends every relaying tunnel of the thread (drain timeout). */
void tunnel_close_all(struct tunnel_env *env);

#endif
