/* Limits on how many tunnels are open, how many begin per second, and how fast they are: in all,
 * per user, and per client (base/client_key.h). The threads of a process share them.
 *
 * The values come with each question (a reload changes them), the counts stay here. Where no limit
 * for users or clients is set, nothing is counted for them. A user or client is remembered while it
 * has tunnels and a second longer, when its buckets are full again anyway.
 */
#ifndef ACCESS_LIMITS_H
#define ACCESS_LIMITS_H

#include "access/limits_bandwidth.h"
#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits;
struct limit_holder;

/* 0: no limit. */
struct limit_values {
    uint64_t tunnels_max;
    uint64_t user_tunnels_max;
    uint64_t client_tunnels_max;
    uint64_t user_rate_per_s; /* new tunnels */
    uint64_t client_rate_per_s;
    uint64_t tunnel_bytes_per_s; /* each direction for itself */
    uint64_t user_bytes_per_s;
    uint64_t client_bytes_per_s;
};

enum limit {
    LIMIT_NONE,
    LIMIT_TUNNELS,
    LIMIT_TUNNELS_PER_USER,
    LIMIT_TUNNELS_PER_CLIENT,
    LIMIT_RATE_PER_USER,
    LIMIT_RATE_PER_CLIENT,
    LIMIT_MEMORY, /* no memory to count */
    LIMIT_COUNT,
};

/* One tunnel's place in the counts. Embedded in its owner; only `throttle` is for the owner to
 * read. When all is zero, the tunnel is not counted. */
struct limit_pass {
    struct limits *limits;
    struct limit_holder *user;
    struct limit_holder *client;
    struct throttle *throttle; /* NULL: as fast as it can */
};

/* Returns whether the pass is counted in the total only. All such passes of the same limits are
 * alike, so the owner need not keep which one it has. */
static inline bool limit_pass_is_plain(const struct limit_pass *pass)
{
    return pass->user == NULL && pass->client == NULL && pass->throttle == NULL;
}

/* Returns 0 or -errno. */
int limits_create(struct limits **ret_limits) MUST_CHECK;
/* Contract: no tunnel is counted any more. */
void limits_destroy(struct limits *limits);

/* Counts a tunnel and returns LIMIT_NONE; or returns the first limit that is reached, and then
 * nothing was counted. `user` is NULL when there is none. `now_ms` is loop_now_ms. */
enum limit limits_enter(struct limits *limits, const struct limit_values *values,
                        const struct ip_address *client, const char *user, uint64_t now_ms,
                        struct limit_pass *pass) MUST_CHECK;
/* Gives the place back. Harmless when the pass is not counted. */
void limits_leave(struct limit_pass *pass, uint64_t now_ms);

/* Returns how many users and clients are remembered. */
size_t limits_holder_count(struct limits *limits);
const char *limit_name(enum limit limit); /* as in the configuration: "limit tunnels per user" */

#endif
