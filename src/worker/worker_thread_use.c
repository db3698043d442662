/* What a thread serves by, and how it changes to something newer: the snapshot, /etc/hosts and
 * /etc/resolv.conf. A change happens as a whole within one turn of the thread's loop, so a tunnel
 * sees either the old state or the new one, never a mixture.
 */
#include "net/acceptor.h"
#include "process/file_text.h"
#include "worker/snapshot.h"
#include "worker/worker_thread_private.h"

#include <errno.h>
#include <stdlib.h>

/* -- the machine's files */

static void thread_use_name_servers(struct worker_thread *thread)
{
    snapshot_use_servers(thread->use->snapshot, thread->resolver,
                         thread->files[WATCHED_RESOLV_CONF]);
}

void thread_use_file(struct worker_thread *thread, enum watched_file file, struct file_text *text)
{
    struct file_text *before = thread->files[file];

    thread->files[file] = file_text_hold(text);
    if (file == WATCHED_RESOLV_CONF)
        thread_use_name_servers(thread);
    else
        resolver_use_hosts(thread->resolver, text->hosts);
    file_text_release(before);
}

/* -- the snapshot that the thread serves by */

/* Called when neither the thread nor one of its tunnels holds the policy any more. */
static void thread_use_destroy(struct tunnel_policy *policy)
{
    struct thread_use *mine = container_of(policy, struct thread_use, policy);

    snapshot_release(mine->snapshot);
    free(mine);
}

static void thread_use_values(struct worker_thread *thread, const struct config_values *values)
{
    const struct front_timeouts front = {.head_ms = values->head_timeout_ms};
    struct tunnel_env *env = &thread->env;

    env->timeouts = (struct tunnel_timeouts){.dial_ms = values->dial_timeout_ms,
                                             .idle_ms = values->idle_timeout_ms,
                                             .half_closed_ms = values->half_closed_timeout_ms,
                                             .stuck_ms = values->stuck_timeout_ms};
    env->limit_values = (struct limit_values){.tunnels_max = values->tunnels_max,
                                              .user_tunnels_max = values->user_tunnels_max,
                                              .client_tunnels_max = values->client_tunnels_max,
                                              .user_rate_per_s = values->user_rate_per_s,
                                              .client_rate_per_s = values->client_rate_per_s,
                                              .tunnel_bytes_per_s = values->tunnel_bytes_per_s,
                                              .user_bytes_per_s = values->user_bytes_per_s,
                                              .client_bytes_per_s = values->client_bytes_per_s};
    front_set_timeouts(thread->front, &front);
    resolver_set_timeout(thread->resolver, values->dns_timeout_ms);
}

int thread_use_create(struct snapshot *snapshot, struct thread_use **ret_use)
{
    struct thread_use *use = calloc(1, sizeof(*use));

    if (use == NULL)
        return -ENOMEM;
    use->policy = (struct tunnel_policy){
        .holders = 1, .destroy = thread_use_destroy, .compiled = snapshot->policy};
    use->snapshot = snapshot_hold(snapshot);
    *ret_use = use;
    return 0;
}

/* The listeners of the snapshot before are watched on until thread_retire, so that no connection
 * that waits in one of their queues is lost. */
int thread_use_begin(struct worker_thread *thread, struct thread_use *use)
{
    const struct snapshot *snapshot = use->snapshot;
    struct thread_use *before = thread->use;
    int error = 0;

    thread->use = use;
    handover_use_snapshot(thread->handover, snapshot);
    thread->env.policy = &use->policy;
    thread->env.users = snapshot->users;
    if (before != NULL)
        tunnel_policy_release(&before->policy);
    thread_use_values(thread, &snapshot->config->values);
    thread_use_name_servers(thread);
    size_t listener_count = listener_set_count(&snapshot->listeners, LISTENER_TUNNELS);
    for (size_t i = 0; i < listener_count && error == 0; i++) {
        const struct listener *listener = &snapshot->listeners.all[i];

        if (thread->env.listener_count <= listener->slot)
            thread->env.listener_count = listener->slot + 1;
        if (!acceptor_has(thread->acceptor, listener->slot))
            error = acceptor_add(thread->acceptor, listener);
    }
    return error;
}

void thread_retire(struct worker_thread *thread)
{
    const struct listener_set *listeners = &thread->use->snapshot->listeners;

    for (unsigned slot = 0; slot < thread->env.listener_count; slot++) {
        bool is_wanted = false;

        for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++)
            is_wanted |= listeners->all[i].slot == slot;
        if (!is_wanted)
            acceptor_remove(thread->acceptor, slot, LISTENER_BACKLOG);
    }
}
