/* A tunnel's states and memory. Private to tunnel/. */
#ifndef TUNNEL_TUNNEL_STATE_H
#define TUNNEL_TUNNEL_STATE_H

#include "access/auth.h"
#include "access/dial_gate.h"
#include "access/limits.h"
#include "base/list.h"
#include "dns/resolver.h"
#include "loop/loop.h"
#include "loop/slab.h"
#include "net/dialer.h"
#include "tunnel/judgement.h"
#include "tunnel/relay.h"
#include "tunnel/tunnel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tunnel_state {
    TUNNEL_AUTHENTICATING, /* credentials that came are checked before anything else */
    TUNNEL_JUDGING,        /* the name phase; nothing has left this machine */
    TUNNEL_RESOLVING,      /* until one address passed, or none can */
    TUNNEL_QUEUED,         /* waiting for room to dial */
    TUNNEL_DIALLING,       /* more addresses may still be added */
    TUNNEL_ESTABLISHED,    /* the front-end writes the success */
    TUNNEL_RELAYING,
    TUNNEL_CLOSED,
    TUNNEL_STATE_COUNT,
};

/* What only a tunnel on its way needs; freed when the relay starts. */
struct opening {
    struct tunnel *tunnel;
    const struct tunnel_ops *ops;
    void *self;
    uint64_t began_ms;
    struct authority authority;
    struct auth_check auth_check;
    enum auth_result auth_result; /* AUTH_GRANTED also when there was nothing to check */
    enum tunnel_error auth_error; /* what came could not be checked */
    bool is_password_long;        /* for bcrypt */
    struct resolver_query query;
    struct deadline queue_deadline;
    struct dial_pass pass;
    struct dial *dial;
    struct stream *target; /* dialled */
    struct judgement judgement;
    int64_t dns_began_ms, dial_began_ms; /* -1: not yet */
    uint64_t dial_deadline_ms;
    bool is_asked;
    bool is_entered;
    bool is_queue_over; /* the deadline passed in line: for a hash, or to dial */
    bool is_dialled;
    int dial_error;
    size_t early_length;
    char *early; /* NULL: none */
};
static_assert(sizeof(struct opening) <= SLAB_LARGEST, "a slab takes it");

/* What few tunnels have. */
struct extras {
    struct limit_pass limit_pass; /* of a user, of a client, or with a throttle */
    char *user;                   /* as offered while authenticating; NULL: none */
    char *reports;                /* names of report rules that are true, with commas; NULL: none */
};

/* What stays of it while it idles. */
struct tunnel {
    union {
        struct list link;       /* in env->tunnels while relaying */
        struct garbage garbage; /* once it is closed */
    };
    struct tunnel_env *env;
    struct tunnel_rules *rules; /* held */
    struct opening *opening;    /* NULL once relaying */
    struct extras *extras;      /* NULL: none */
    struct relay relay;
    const char *rule; /* of rules->policy */
    uint64_t id;
    struct ip_endpoint client;
    struct ip_endpoint address; /* dialled; family IP_NONE before */
    int32_t dns_ms, dial_ms;    /* -1: did not happen */
    uint32_t opening_ms;        /* from the request to the relay */
    uint32_t told_kib;          /* that env->talkers knows of; modulo 2^32 */
    uint16_t listener;
    uint16_t target_length;
    char http[4];  /* "1.1" */
    uint8_t state; /* enum tunnel_state */
    bool is_driving;
    bool is_counted; /* by the limits */
    char target[];   /* as normalised, for the log */
};
static_assert(sizeof(struct tunnel) < 360, "an idle tunnel and its log facts are small");
static_assert(sizeof(struct tunnel) + AUTHORITY_TEXT_SIZE <= SLAB_LARGEST, "the longest target");

/* The driver: goes on as far as can be. Callbacks end with it. */
void tunnel_drive(struct tunnel *tunnel);
/* Ends one that relays, now, both ends with a reset: nobody shall take what was cut off for
 * complete. */
void tunnel_end(struct tunnel *tunnel, enum closed_by closed_by);
/* Made when first needed. NULL for want of memory. */
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
