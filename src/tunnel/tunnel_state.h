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

/* Until the tunnel relays, `opening` is set; struct opening says what is valid in which of these
 * states. */
enum tunnel_state {
    TUNNEL_JUDGING,     /* the name is judged; nothing has left this machine */
    TUNNEL_RESOLVING,   /* until an address is allowed, or none can be; counted by the limits from
                           here on */
    TUNNEL_QUEUED,      /* waiting for room to dial; `rule` is set, and dns_ms if it was asked */
    TUNNEL_DIALLING,    /* more addresses may still be added; then `address` and dial_ms are set */
    TUNNEL_ESTABLISHED, /* the front-end writes the success */
    TUNNEL_RELAYING,    /* `relay`, `link` and opening_ms are set; `opening` is gone when no gate
                           of the relay has to decide any more */
    TUNNEL_CLOSED,      /* only `garbage` is set, so read the state before anything else */
    TUNNEL_STATE_COUNT,
};

/* What only few tunnels have, kept apart so that the others stay small. */
struct extras {
    struct limit_pass limit_pass; /* of a user, of a client, or with a throttle */
    char *user;                   /* NULL: nobody's password was asked for */
    char *reports;                /* names of report rules that are true, with commas; NULL: none */
};

/* What a tunnel keeps in memory while it is idle. */
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
/* Counts the tunnel in the limits from here on: in all, and for its user and client. Returns
 * LIMIT_NONE, or the limit that is reached. */
enum limit tunnel_enter_limits(struct tunnel *tunnel) MUST_CHECK;
/* Says that what happens until state_concern_leave concerns this tunnel, for the message of a
 * broken contract. */
void tunnel_concern_enter(struct state_concern *concern, const struct tunnel *tunnel);
const char *tunnel_state_name(const struct tunnel *tunnel);
/* Gives back what the tunnel holds. Its memory is freed at the end of the turn. */
void tunnel_close(struct tunnel *tunnel);
/* Ends a tunnel that relays, now. Both ends get a reset, so that neither takes a cut-off stream for
 * complete. */
void tunnel_end(struct tunnel *tunnel, enum closed_by closed_by);
/* Returns the tunnel's extras, and makes them when they are first needed. Returns NULL when there
 * is no memory. */
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
