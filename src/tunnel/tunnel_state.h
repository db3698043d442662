/* A tunnel's states and memory. Private to tunnel/. */
#ifndef TUNNEL_TUNNEL_STATE_H
#define TUNNEL_TUNNEL_STATE_H

#include "access/limits.h"
#include "base/list.h"
#include "base/state.h"
#include "loop/loop.h"
#include "loop/slab.h"
#include "tunnel/relay.h"
#include "tunnel/tunnel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Until it relays there is `opening`, which says more on who holds what. */
enum tunnel_state {
    TUNNEL_JUDGING,     /* the name phase; nothing has left this machine. */
    TUNNEL_RESOLVING,   /* until one address passed, or none can. Counted by the limits */
    TUNNEL_QUEUED,      /* waiting for room to dial; `rule` is set, and dns_ms if it was asked */
    TUNNEL_DIALLING,    /* more addresses may still be added; then `address` and dial_ms are set */
    TUNNEL_ESTABLISHED, /* the front-end writes the success */
    TUNNEL_RELAYING,    /* `relay`, `link` and opening_ms are set; `opening` is gone when no gate
                           of the relay has to decide any more */
    TUNNEL_CLOSED,      /* only `garbage` is; whoever looks at it looks at the state first */
    TUNNEL_STATE_COUNT,
};

/* What few tunnels have. */
struct extras {
    struct limit_pass limit_pass; /* of a user, of a client, or with a throttle */
    char *user;                   /* NULL: nobody's password was asked for */
    char *reports;                /* names of report rules that are true, with commas; NULL: none */
};

/* What stays of it while it idles. */
struct tunnel {
    union {
        struct list link;       /* in env->openings, or in env->tunnels while it relays */
        struct garbage garbage; /* once it is closed */
    };
    struct tunnel_env *env;
    const struct tunnel_way *way;
    void *self;                   /* for what `way` calls */
    struct tunnel_policy *policy; /* held */
    struct opening *opening;      /* see above; NULL once it is gone */
    struct extras *extras;        /* NULL: none */
    struct relay relay;           /* once it relays */
    const char *rule;             /* of policy->compiled; the one that counts so far, or NULL */
    uint64_t id;
    struct ip_endpoint client;
    struct ip_endpoint address; /* dialled; family IP_NONE before */
    int32_t dns_ms, dial_ms;    /* -1: did not happen */
    uint32_t opening_ms;        /* from the request to the relay */
    uint32_t told_kib;          /* that env->talkers knows of; modulo 2^32 */
    uint16_t listener_slot;
    uint16_t target_length;
    uint8_t state;   /* enum tunnel_state */
    bool is_driving; /* a step of the opening runs */
    bool is_counted; /* by the limits */
    char target[];   /* as normalised, for the log */
};
static_assert(sizeof(struct tunnel) < 360, "an idle tunnel and its log facts are small");
static_assert(sizeof(struct tunnel) + AUTHORITY_TEXT_SIZE <= SLAB_LARGEST, "the longest target");

/* Ends the process when the state may not follow the present one. */
void tunnel_move_to(struct tunnel *tunnel, enum tunnel_state state);
/* Counts it among its user's and client's from here on. */
enum limit tunnel_enter_limits(struct tunnel *tunnel) MUST_CHECK;
/* What happens until state_concern_leave is about this one. */
void tunnel_concern_enter(struct state_concern *concern, const struct tunnel *tunnel);
const char *tunnel_state_name(const struct tunnel *tunnel);
/* Gives back what it holds. Its memory is freed at the end of the turn. */
void tunnel_close(struct tunnel *tunnel);
/* Ends a tunnel that relays, now. Both ends get a reset, so that neither takes what was cut off for
 * complete. */
void tunnel_end(struct tunnel *tunnel, enum closed_by closed_by);
/* Made when they are first needed. NULL: there is no memory. */
struct extras *tunnel_extras(struct tunnel *tunnel);

static inline const char *tunnel_user(const struct tunnel *tunnel)
{
    return tunnel->extras != NULL ? tunnel->extras->user : NULL;
}

static inline const char *tunnel_reports(const struct tunnel *tunnel)
{
    return tunnel->extras != NULL ? tunnel->extras->reports : NULL;
}

#endif
