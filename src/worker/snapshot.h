/* Everything that a configuration decides, as one value that never changes: the settings, the
 * compiled policy and the users.
 *
 * Threads share it and count their references. A reload makes a new one; the old one is freed when
 * the last tunnel that began under it has ended. `adit explain` judges by a snapshot, too.
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

/* Returns what the command line changes in the configuration. It points into `command_line`. */
struct config_overrides snapshot_overrides(const struct command_line *command_line);

/* Creates a snapshot with one reference, which is the caller's. It takes over `config`, and
 * destroys it on failure. `listeners` are copied; their descriptors stay the caller's to close. The
 * policy refuses tunnels to the addresses that they are bound to. Returns 0 or -errno. */
int snapshot_create(struct config *config, const struct listener_set *listeners,
                    struct snapshot **ret_snapshot) MUST_CHECK;
struct snapshot *snapshot_hold(struct snapshot *snapshot);
/* Gives up one reference; the last one frees the snapshot. Harmless on NULL. */
void snapshot_release(struct snapshot *snapshot);

/* Tells the resolver which name servers to ask: those that the configuration names, or else those
 * of `resolv_conf`. NULL says that there was no memory for that file; the resolver then keeps the
 * servers that it has. */
void snapshot_use_servers(const struct snapshot *snapshot, struct resolver *resolver,
                          const struct file_text *resolv_conf);

#endif
