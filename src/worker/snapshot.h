/* All that a configuration decides, as one immutable value: settings, compiled policy, users.
 *
 * Shared by threads, counted references: a reload makes a new one, and the old one goes with the
 * last tunnel that began under it. `explain` judges by the same thing.
 */
#ifndef WORKER_SNAPSHOT_H
#define WORKER_SNAPSHOT_H

#include "base/contract.h"
#include "base/listener.h"
#include "config/command_line.h"
#include "config/config.h"

#include <stdatomic.h>

struct auth_users;
struct file_text;
struct policy;
struct resolver;

struct snapshot {
    _Atomic unsigned holders;
    struct config *config;
    struct policy *policy;
    struct auth_users *users; /* NULL: nobody is asked for a password */
    struct listener_set listeners;
};

/* What the command line changes. Points into `command_line`. */
struct config_overrides snapshot_overrides(const struct command_line *command_line);

/* Takes `config`, also on failure. `listeners` are copied, and their descriptors stay the caller's
 * to close; the policy refuses to tunnel to where they are bound. 0 or -errno. */
int snapshot_create(struct config *config, const struct listener_set *listeners,
                    struct snapshot **ret_snapshot) MUST_CHECK;
struct snapshot *snapshot_hold(struct snapshot *snapshot);
/* Harmless on NULL. */
void snapshot_release(struct snapshot *snapshot);

/* The name servers that tunnels under it ask: those of its `resolver`, or else resolv.conf's (NULL:
 * there was no memory for it; the resolver keeps its own). */
void snapshot_use_servers(const struct snapshot *snapshot, struct resolver *resolver,
                          const struct file_text *resolv_conf);

#endif
