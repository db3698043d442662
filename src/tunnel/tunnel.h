/* A tunnel: judged, resolved, dialled, answered once, relayed, accounted. The core of adit.
 *
 * A front-end that parsed a request calls tunnel_open. ops->admitted says that the password was the
 * right one; until then the connection should make room for others. Then comes one of two calls:
 *   ops->established: write the success, then call tunnel_relay (or tunnel_cancel if that failed);
 *   ops->refused: write the refusal; the tunnel is gone and was logged.
 * The client stream stays the front-end's until tunnel_relay takes it. The front-end knows nothing
 * of policy, DNS, dialling, metrics or logs.
 */
#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H

#include "base/contract.h"
#include "tunnel/tunnel_error.h"
#include "wire/authority.h"

#include <stdbool.h>
#include <stddef.h>

struct basic_credentials;
struct access_record;
struct stream;
struct tunnel;
struct tunnel_env;
struct tunnel_filter;

/* Views need to live only during the call. */
struct tunnel_request {
    struct ip_endpoint client;
    unsigned listener; /* index into env->listeners */
    const char *http;  /* static text: "1.0", "1.1" */
    const struct authority *authority;
    const struct basic_credentials *credentials; /* NULL: none came */
    enum tunnel_error auth_error; /* why they can't be checked; then at most the name is set */
    const void *early_bytes;      /* what came behind the request head: sent to the target first */
    size_t early_length;
};

struct tunnel_refusal {
    enum tunnel_error error;
    const char *rcode;   /* for dns_error, else NULL; static */
    const char *details; /* one line for a person; lives during the call */
    const char *phrase;  /* the same in ASCII; NULL: it is */
};

struct tunnel_ops {
    /* Who it is is known, or nobody asks. False: its unit of room is gone, so it is refused. */
    bool (*admitted)(void *self);
    void (*established)(void *self);
    void (*refused)(void *self, const struct tunnel_refusal *refusal);
};

/* `admitted` and `refused` may come from within; after `refused` *ret_tunnel is NULL. `established`
 * comes in a later turn. */
void tunnel_open(struct tunnel_env *env, const struct tunnel_request *request,
                 const struct tunnel_ops *ops, void *self, struct tunnel **ret_tunnel);
/* The client left before the answer was written. No op is called any more. */
void tunnel_cancel(struct tunnel *tunnel);
/* Its connection lost its unit of room before it was admitted: refused, as ops->refused tells. */
void tunnel_displace(struct tunnel *tunnel);
/* After ops->established, when the success was written: takes the stream and the connection's unit
 * of room. Bytes of the target follow in a later turn. The tunnel may be gone when this
 * returns. */
void tunnel_relay(struct tunnel *tunnel, struct stream *client);

/* For a request that never became a tunnel (malformed, wrong method, too slow): counts and logs it.
 */
struct tunnel_rejection {
    struct ip_endpoint client;
    unsigned listener;
    const char *http;   /* NULL: not known */
    const char *target; /* outside bytes; NULL: not known */
    size_t target_length;
    enum tunnel_error error;
    const char *details; /* NULL: the row's text */
};
void tunnel_reject(struct tunnel_env *env, const struct tunnel_rejection *rejection);

/* Every relaying tunnel that matches, the oldest first: the fields of its `open`, bytes and age so
 * far. */
void tunnel_visit_open(struct tunnel_env *env, const struct tunnel_filter *filter,
                       void (*visit)(void *self, const struct access_record *record), void *self);
/* Tells env->talkers what relaying tunnels have moved since the last time. */
void tunnel_tell_talkers(struct tunnel_env *env);
/* Ends relaying tunnels that match, both ends with a reset: nobody shall take what was cut off for
 * complete. At most `max`; returns how many. */
size_t tunnel_kill(struct tunnel_env *env, const struct tunnel_filter *filter, size_t max);
/* Ends every relaying tunnel of the thread (drain timeout). */
void tunnel_close_all(struct tunnel_env *env);

#endif
