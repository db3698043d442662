/* What all relays of one thread share: the copy buffer, the pipe pool, the bounds. */
#ifndef TUNNEL_RELAY_ENV_H
#define TUNNEL_RELAY_ENV_H

#include "base/contract.h"

#include <stddef.h>

struct counters;
struct log_ring;
struct loop;
struct relay_env;

enum relay_mode {
    RELAY_AUTO,   /* copy first, splice what keeps the buffer full */
    RELAY_COPY,   /* never splice */
    RELAY_SPLICE, /* splice from the first byte: for tests */
};

struct relay_limits {
    enum relay_mode mode;
    unsigned pipes;     /* of 1 MiB, this thread's share */
    size_t stash_bytes; /* bytes held in user memory by all tunnels of the thread */
};

int relay_env_create(struct loop *loop, const struct relay_limits *limits,
                     struct counters *counters, struct log_ring *log,
                     struct relay_env **ret_env) MUST_CHECK;
/* Contract: no relay lives any more. */
void relay_env_destroy(struct relay_env *env);

#endif
