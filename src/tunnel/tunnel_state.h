/* A tunnel's states and memory. Private to tunnel/. */
#ifndef TUNNEL_TUNNEL_STATE_H
#define TUNNEL_TUNNEL_STATE_H

#include "base/list.h"
#include "dns/resolver.h"
#include "loop/loop.h"
#include "net/dialer.h"
#include "policy/policy.h"
#include "tunnel/auth.h"
#include "tunnel/dial_gate.h"
#include "tunnel/limits.h"
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
    struct authority authority;
    struct auth_check auth_check;
    enum auth_result auth_result; /* AUTH_GRANTED also when there was nothing to check */
    struct resolver_query query;
    struct deadline queue_deadline;
    struct dial_pass pass;
    struct dial *dial;
    struct stream *target; /* dialled */
    struct verdict verdict;
    int64_t dns_began_ms, dial_began_ms; /* -1: not yet */
    uint64_t dial_deadline_ms;
    enum resolver_status statuses[2]; /* by family, AAAA first; valid when answered */
    unsigned answered_count;          /* families */
    unsigned allowed_count;           /* addresses that passed */
    bool is_denied;                   /* an address did not pass; `verdict` says why */
    bool is_asked;
    bool is_entered;
    bool is_queue_over; /* the deadline passed in line: for a hash, or to dial */
    bool is_dialled;
    int dial_error;
    size_t early_length;
    char early[];
};

struct tunnel {
    struct list link; /* in env->tunnels while relaying */
    struct tunnel_env *env;
    struct tunnel_rules *rules; /* held */
    const struct tunnel_ops *ops;
    void *self;
    struct opening *opening; /* NULL once relaying */
    struct garbage garbage;
    struct relay relay;
    struct limit_pass limit_pass;
    char *user;       /* as offered while authenticating; NULL: none */
    const char *rule; /* of rules->policy */
    char *reports;    /* names of report rules that are true, with commas; NULL: none */
    const char *http;
    char *target; /* as normalised, for the log */
    uint64_t id;
    uint64_t began_ms;
    struct ip_endpoint client;
    struct ip_endpoint address; /* dialled; family IP_NONE before */
    int32_t dns_ms, dial_ms;    /* -1: did not happen */
    uint16_t listener;
    uint16_t target_length;
    uint8_t state; /* enum tunnel_state */
    bool is_driving;
};

#endif
