/* What the relays of one thread share. The deadline `tick` passes once per second, but only while
 * more than one pipe is idle: it closes the pipes that were not used for a second, except one. A
 * thread whose tunnels are quiet therefore has no timer that wakes it.
 */
#include "tunnel/relay_env.h"

#include "tunnel/pump.h"

#include <errno.h>
#include <stdlib.h>

static const uint64_t tick_ms = 1000;

static void tick(struct deadline *deadline)
{
    struct relay_env *env = container_of(deadline, struct relay_env, tick);
    uint64_t now_ms = loop_now_ms(env->loop);

    pipe_pool_shrink(&env->pool, now_ms - tick_ms);
    if (pipe_pool_is_rich(&env->pool))
        deadline_set(env->loop, &env->tick, now_ms + tick_ms);
}

void relay_env_return_pipe(struct relay_env *env, struct pipe *pipe)
{
    uint64_t now_ms = loop_now_ms(env->loop);

    pipe_pool_give_back(&env->pool, pipe, now_ms);
    if (pipe_pool_is_rich(&env->pool) && !deadline_is_set(&env->tick))
        deadline_set(env->loop, &env->tick, now_ms + tick_ms);
}

int relay_env_create(struct loop *loop, const struct relay_limits *limits,
                     struct counters *counters, struct log_ring *log, struct relay_env **ret_env)
{
    struct relay_env *env = calloc(1, sizeof(*env));

    if (env == NULL)
        return -ENOMEM;
    env->buffer = malloc(COPY_BULK_BYTES);
    if (env->buffer == NULL) {
        free(env);
        return -ENOMEM;
    }
    env->loop = loop;
    env->limits = *limits;
    env->counters = counters;
    env->log = log;
    pipe_pool_init(&env->pool, limits->pipes);
    deadline_init(&env->tick, tick);
    *ret_env = env;
    return 0;
}

void relay_env_destroy(struct relay_env *env)
{
    deadline_cancel(env->loop, &env->tick);
    pipe_pool_finish(&env->pool);
    free(env->buffer);
    free(env);
}
