/* The texts of a policy belong to the config that it was compiled from, so a snapshot owns both and
 * frees them together. It counts its holders; the count is atomic, since threads hold and release
 * it on their own.
 */
#include "worker/snapshot.h"

#include "access/auth_users.h"
#include "config/users_file.h"
#include "dns/resolver.h"
#include "policy/policy.h"
#include "process/file_text.h"

#include <errno.h>
#include <stdlib.h>

struct config_overrides snapshot_overrides(const struct command_line *command_line)
{
    return (struct config_overrides){
        .listeners = &command_line->listeners,
        .from = command_line->from,
        .from_count = command_line->from_count,
        .is_admin_off = command_line->is_admin_off,
        .workers = command_line->workers,
        .control_path = command_line->control_path,
    };
}

/* The policy is told every endpoint that adit listens at, so that it can refuse tunnels that lead
 * back into adit. An IPv6 listener for all addresses may take IPv4, too, and then counts twice. */
static int snapshot_compile(struct snapshot *snapshot)
{
    struct ip_endpoint bound[2 * LISTENER_SET_MAX];
    size_t count = 0;

    for (size_t i = 0; i < snapshot->listeners.count; i++) {
        const struct listener *listener = &snapshot->listeners.all[i];

        bound[count++] = listener->bound;
        if (listener->takes_v4)
            bound[count++] =
                (struct ip_endpoint){.address = {.family = IP_V4}, .port = listener->bound.port};
    }
    return policy_compile(&snapshot->config->policy, bound, count, &snapshot->policy);
}

/* Makes the table that passwords are checked with. For a name that it does not have, the costliest
 * hash is computed all the same, so that the time of an answer does not tell which names exist. */
static int make_users(struct snapshot *snapshot)
{
    const struct users_file *file = snapshot->config->users;
    size_t count = file != NULL ? users_file_count(file) : 0;
    struct auth_user *users = calloc(count + 1, sizeof(*users));
    size_t costliest = 0;

    if (users == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct user *user = users_file_at(file, i);

        users[i] = (struct auth_user){.name = user->name, .hash = user->hash};
        if (user == users_file_costliest(file))
            costliest = i;
    }
    int error = auth_users_create(users, count, costliest,
                                  file != NULL && users_file_is_mixed(file), &snapshot->users);
    free(users);
    return error;
}

int snapshot_create(struct config *config, const struct listener_set *listeners,
                    struct snapshot **ret_snapshot)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (snapshot == NULL) {
        config_destroy(config);
        return -ENOMEM;
    }
    snapshot->holders = 1;
    snapshot->config = config;
    snapshot->listeners = *listeners;
    int error = snapshot_compile(snapshot);
    if (error == 0 && config->users_path != NULL)
        error = make_users(snapshot);
    if (error < 0) {
        snapshot_release(snapshot);
        return error;
    }
    *ret_snapshot = snapshot;
    return 0;
}

struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    atomic_fetch_add(&snapshot->holders, 1);
    return snapshot;
}

void snapshot_release(struct snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub(&snapshot->holders, 1) > 1)
        return;
    auth_users_release(snapshot->users);
    policy_destroy(snapshot->policy);
    config_destroy(snapshot->config);
    free(snapshot);
}

void snapshot_use_servers(const struct snapshot *snapshot, struct resolver *resolver,
                          const struct file_text *resolv_conf)
{
    if (snapshot->config->has_resolver)
        resolver_use_servers(resolver, &snapshot->config->resolver);
    else if (resolv_conf != NULL)
        resolver_set_servers(resolver, resolv_conf->bytes, resolv_conf->length);
}
