/* All that a configuration decides, as one immutable value: settings, compiled policy, users.
 *
 * Shared by threads, counted references: a reload makes a new one, and the old one goes with the
 * last tunnel that began under it. `explain` judges by the same thing.
 */
#ifndef WORKER_SNAPSHOT_H
#define WORKER_SNAPSHOT_H

#include "base/contract.h"
#include "config/config.h"
#include "config/settings.h"

#include <stdatomic.h>

struct auth_users;
struct policy;

#define SNAPSHOT_LISTENERS_MAX (CONFIG_LISTENERS_MAX + 1) /* and the admin page's, the last */

struct snapshot_listener {
    struct ip_endpoint written; /* as in `listen` */
    struct ip_endpoint bound;
    uint64_t id;   /* of the socket: the same in two snapshots, the same socket */
    int fd;        /* the worker's; -1: none */
    unsigned slot; /* its index in every thread, for good */
    bool takes_v4; /* on [::], IPv4 as well */
    bool is_admin; /* not for tunnels */
};

struct snapshot {
    _Atomic unsigned holders;
    struct config *config;
    struct policy *policy;
    struct auth_users *users; /* NULL: nobody is asked for a password */
    struct snapshot_listener listeners[SNAPSHOT_LISTENERS_MAX];
    size_t listener_count;
};

/* What the command line changes. Points into `settings`. */
struct config_overrides snapshot_overrides(const struct settings *settings);

/* Takes `config`, also on failure. `listeners` are copied; the policy refuses to tunnel to those
 * bound. 0 or -errno. */
int snapshot_create(struct config *config, const struct snapshot_listener *listeners, size_t count,
                    struct snapshot **ret_snapshot) MUST_CHECK;
struct snapshot *snapshot_hold(struct snapshot *snapshot);
/* Harmless on NULL. */
void snapshot_release(struct snapshot *snapshot);

#endif
