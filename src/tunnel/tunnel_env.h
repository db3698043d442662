/* What all tunnels of one thread share. The thread's owner makes it and passes it to tunnel_open.
 */
#ifndef TUNNEL_TUNNEL_ENV_H
#define TUNNEL_TUNNEL_ENV_H

#include "access/limits.h"
#include "base/list.h"
#include "base/listener.h"
#include "observe/access_log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct auth;
struct auth_users;
struct counters;
struct dial_gate;
struct event_feed;
struct log_ring;
struct loop;
struct policy;
struct relay_env;
struct relief;
struct resolver;
struct room;
struct trace;

/* Times in milliseconds; the defaults are in config/settings.def. */
struct tunnel_timeouts {
    uint64_t dial_ms;        /* in all, from the moment an address is known */
    uint64_t idle_ms;        /* no byte either way */
    uint64_t half_closed_ms; /* one direction is closed, no byte in the other */
    uint64_t stuck_ms;       /* bytes wait and the reader does not take any */
};

/* A policy with a count of its holders. There is one per thread and configuration, and only that
 * thread counts. The env holds the present one; each tunnel holds the one that it began with, which
 * judges it to its end and whose rules its log lines name. */
struct tunnel_policy {
    uint32_t holders;
    void (*destroy)(struct tunnel_policy *policy); /* when nobody holds it any more */
    const struct policy *compiled;
};

static inline struct tunnel_policy *tunnel_policy_hold(struct tunnel_policy *policy)
{
    policy->holders++;
    return policy;
}

static inline void tunnel_policy_release(struct tunnel_policy *policy)
{
    if (--policy->holders == 0)
        policy->destroy(policy);
}

/* Contract: the env owns only its two lists; everything that it points to outlives the tunnels. */
struct tunnel_env {
    struct loop *loop;
    struct resolver *resolver;
    struct tunnel_policy *policy;
    struct dial_gate *dial_gate; /* shared by all threads */
    struct auth *auth;           /* shared by all threads; may be NULL without users */
    struct auth_users *users;    /* NULL: credentials are ignored */
    struct limits *limits;       /* shared by all threads; NULL: none */
    struct limit_values limit_values;
    struct relay_env *relays;
    struct relief *relief; /* NULL: none */
    struct room *room;     /* shared by all threads */
    struct counters *counters;
    struct log_ring *log;
    struct event_feed *events; /* NULL: none */
    struct trace *trace;
    struct talkers *talkers;          /* NULL: none */
    const struct listener *listeners; /* by their slots; only what they are called counts */
    size_t listener_count;
    struct tunnel_timeouts timeouts;
    struct access_ids ids;
    struct list openings; /* all that do not relay yet */
    struct list tunnels;  /* all that relay, for tunnel_close_all */
    bool is_draining;
};

/* Returns the listener in that slot, or NULL when the slot is not known. */
static inline const struct listener *tunnel_env_listener(const struct tunnel_env *env,
                                                         unsigned slot)
{
    return slot < env->listener_count ? &env->listeners[slot] : NULL;
}

#endif
