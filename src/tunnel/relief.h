/* Relief when the kernel's memory for TCP runs short (net/tcp_memory.h).
 *
 * A tunnel whose reader takes nothing holds up to some megabytes of it, and thousands of them hold
 * all there is: then every connection of the machine crawls. So while it is short, tunnels of the
 * client (base/client_key.h) that holds most of it are ended, those that have been still for
 * longest first. A client that holds less than a sixteenth of what is used on the machine is never
 * touched.
 *
 * One for each thread, which looks at its own tunnels. It looks five times a second while bytes
 * move, and not at all when none has moved for three seconds.
 */
#ifndef TUNNEL_RELIEF_H
#define TUNNEL_RELIEF_H

#include "base/client_key.h"
#include "base/contract.h"

#include <stddef.h>
#include <stdint.h>

struct relief;
struct tunnel;
struct tunnel_env;

/* `memory_fd` stays the caller's (tcp_memory_open, or negative: nothing is ever done);
 * `thread_count` threads share what a client is spared. 0 or -errno. */
int relief_create(struct tunnel_env *env, int memory_fd, unsigned thread_count,
                  struct relief **ret_relief) MUST_CHECK;
void relief_destroy(struct relief *relief);
/* A tunnel was opened or is stuck: memory may be running short. NULL: nobody looks. */
void relief_watch(struct relief *relief);

/* A tunnel that holds memory. */
struct relief_holder {
    struct client_key client;
    uint64_t active_ms; /* when a byte last moved */
    uint64_t bytes;     /* in the kernel's send queues */
    struct tunnel *tunnel;
};

/* Sorts, and finds the client with most bytes: returns its first holder, the one that has been
 * still for longest; the others follow. */
struct relief_holder *relief_most(struct relief_holder *holders, size_t count, size_t *ret_count,
                                  uint64_t *ret_bytes);

#endif
