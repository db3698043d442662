/* A whole adit thread around one client and its target, in the simulated kernel; its scenarios. */
#ifndef SIM_SIM_TUNNEL_H
#define SIM_SIM_TUNNEL_H

#include "sim_actor.h"
#include "sim_gate.h"
#include "sim_kernel.h"
#include "sim_resolver.h"

#include "access/limits.h"
#include "tunnel/relay_env.h"

#define SIM_ROUTES_MAX 8

enum sim_ending {
    ENDS_ANYHOW,
    ENDS_WITH_EOF,
    ENDS_WITH_RESET,
    ENDS_WITH_EOF_AND_RESET, /* in this order */
};

struct sim_scenario {
    const char *name;
    const struct sim_act *client, *target;
    bool is_echo; /* the target sends back what comes */
    enum relay_mode mode;
    struct sim_lookup lookups[2]; /* AAAA, A */
    struct sim_route routes[SIM_ROUTES_MAX];
    struct sim_tcp_sizes client_sizes, product_sizes, target_sizes; /* 0: 64 KiB */
    const char *client_address;                                     /* NULL: 127.0.0.1 */
    bool has_network_rule; /* --from 10.0.0.0/8 beside the built-in rule */
    unsigned pipes;        /* 0: 4 */
    size_t stash_bytes;    /* 0: 64 MiB */
    struct limit_values limits;
    bool is_limit_used;     /* the client's address has a tunnel already */
    bool has_users;         /* alice, whose password is "right" */
    uint64_t auth_delay_ms; /* 0: known at once */
    bool is_full;           /* no unit of room is left */
    bool has_little_room;   /* none for a second attempt beside the first */
    bool is_tcp_memory_short;
    struct sim_gate_script gate;
    uint64_t drain_at_ms;  /* 0: never; since the start */
    uint64_t reload_at_ms; /* new rules take over; 0: never; since the start */

    /* What must come of it, in a clean run and under faults that nobody may notice. */
    unsigned status;     /* 0: no answer */
    size_t up, down;     /* bytes that reach the other end */
    bool has_no_story;   /* anything may come of it */
    bool has_dial_story; /* it would be another if connect succeeded at once */
    bool may_lack;       /* a reset on the way may cost bytes at its sender's peer */
    enum sim_ending client_ending, target_ending;
    const char *closed_by; /* in the log's close line */
    const char *logged;    /* a part of some line */
    /* Clean runs only. */
    uint64_t not_before_ms, not_after_ms; /* when the last connection is gone; 0: any time */
    size_t memory_peak;                   /* bytes of the tunnel at any time; 0: 1 MiB */
    unsigned pipes_made;                  /* at least */
    bool has_no_pipe;
    uint64_t look_at_ms; /* since the start: the tunnel is idle then; 0: never */
    unsigned pipes_when_idle;
};

/* Three tables of scenarios, each run as it stands and with every fault at every step. */
const struct sim_scenario *sim_scenarios(size_t *ret_count); /* tunnels that open */
const struct sim_scenario *sim_openings(size_t *ret_count);  /* the way there, refusals */
const struct sim_scenario *sim_gates(size_t *ret_count);     /* relays with a gate */

struct sim_verdict {
    unsigned steps;
    unsigned injected;
    bool was_set_up;
    char problem[512]; /* empty: all is well */
};

/* One run from an empty kernel back to an empty kernel. */
void sim_tunnel_run(const struct sim_scenario *scenario, const struct sim_plan *plan,
                    struct sim_verdict *ret_verdict);
/* Prints what the run logged and the actors saw. */
void sim_tunnel_print(void);

/* A scenario drawn by seed; valid until the next call. */
const struct sim_scenario *sim_draw_scenario(uint64_t seed);

#endif
