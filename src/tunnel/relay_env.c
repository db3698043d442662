/* The tick looks once a second, only while pipes are out: a lent pipe that was quiet for a second
 * and is empty goes back (whether its tunnel idles or its reader is stuck), and idle pipes but one
 * are closed.
 */
#include "tunnel/relay_env.h"

#include "tunnel/pump.h"

#include <errno.h>
#include <stdlib.h>

static const uint64_t tick_ms = 1000;

static void collect_quiet_pipes(struct relay_env *env, uint64_t since_ms)
{
    struct list *link = env->pool.lent.next;

    while (link != &env->pool.lent) {
        struct pipe *pipe = container_of(link, struct pipe, link);

        link = link->next;
        if (pipe->length == 0 && pipe->last_used_ms <= since_ms)
            half_demote(env, pipe->borrower);
    }
}

static void tick(struct deadline *deadline)
{
    struct relay_env *env = container_of(deadline, struct relay_env, tick);
    uint64_t now_ms = loop_now_ms(env->loop);

    pipe_pool_shrink(&env->pool, now_ms - tick_ms);
    collect_quiet_pipes(env, now_ms - tick_ms);
    if (env->pool.count > 1 || !list_is_empty(&env->pool.lent))
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
