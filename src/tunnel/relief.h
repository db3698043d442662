/* Relief when the kernel's memory for TCP runs short (net/tcp_memory.h).
 *
 * A tunnel whose reader takes nothing can hold some megabytes of it, and thousands of such tunnels
 * hold all of it: then every connection of the machine is slow. So while memory is short, tunnels
 * that have not moved a byte for a second ("still" ones) are ended. The client (base/client_key.h)
 * whose still tunnels hold most comes first, and of those the one that has been still for longest.
 * A client whose still tunnels hold less than a sixteenth of what is used on the machine is spared,
 * unless those of all clients together hold a quarter. A tunnel that moves bytes is never ended:
 * where memory is small, it may be short for long without harm.
 *
 * Each thread has its own relief, which looks at the thread's tunnels. It looks five times a second
 * while bytes move, and not at all when none has moved for three seconds.
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

/* `memory_fd` (of tcp_memory_open) stays the caller's; when it is negative, nothing is ever done.
 * `thread_count` threads share what a client is spared. Returns 0 or -errno. */
int relief_create(struct tunnel_env *env, int memory_fd, unsigned thread_count,
                  struct relief **ret_relief) MUST_CHECK;
void relief_destroy(struct relief *relief);
/* Called when a tunnel was opened or is stuck, so that memory may be running short. Harmless with
 * NULL. */
void relief_watch(struct relief *relief);

/* ---- what it decides, pure ---- */

/* A tunnel that holds memory. */
struct relief_holder {
    struct client_key client;
    uint64_t active_ms; /* when a byte last moved */
    uint64_t bytes;     /* in the kernel's send queues */
    struct tunnel *tunnel;
};

struct relief_choice {
    const struct relief_holder *first; /* the client's tunnel that has been still for longest */
    size_t count;                      /* of its still ones, which follow; 0: nobody's are */
    uint64_t bytes;                    /* that they hold */
    uint64_t all_bytes;                /* that everybody's still ones hold */
};

/* Returns the client whose still tunnels hold most. Sorts `holders`. */
struct relief_choice relief_choose(struct relief_holder *holders, size_t count, uint64_t now_ms);
/* Returns how much of `used_bytes` a client may hold in one of so many threads without being
 * touched. */
uint64_t relief_spared(uint64_t used_bytes, uint64_t all_bytes, unsigned thread_count);

#endif
