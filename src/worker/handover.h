/* Hands a connection that one thread accepted to another thread, which carries fewer connections.
 *
 * Each thread has a box. The thread that accepted a connection puts it into the other one's box,
 * whose thread takes it out on its own loop. The box is bounded: a thread that finds it full keeps
 * the connection.
 */
#ifndef WORKER_HANDOVER_H
#define WORKER_HANDOVER_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>

/* The most connections that a box holds. */
#define HANDOVER_MAX 16

struct handover;
struct loop;

struct handed {
    int fd;
    unsigned listener_slot;
    struct ip_endpoint client;
};

struct handover_owner {
    struct loop *loop;
    /* Is called on the loop's thread, and owns the descriptor from then on. */
    void (*take)(void *self, const struct handed *handed);
    void *self;
};

/* Creates an empty box. Returns 0 or -ENOMEM. */
int handover_create(const struct handover_owner *owner, struct handover **ret_handover) MUST_CHECK;
/* Closes the connections that were not taken. Contract: no other thread runs any more. Harmless on
 * NULL. */
void handover_destroy(struct handover *handover);

/* Puts a connection into the box; any thread may call it. Returns false when the box is full or
 * closed, or its thread serves by another snapshot than `snapshot` (only the addresses are
 * compared); then the descriptor stays the caller's.
 */
bool handover_give(struct handover *handover, const void *snapshot,
                   const struct handed *handed) MUST_CHECK;
/* Returns how many connections are in the box; any thread may call it. */
unsigned handover_waiting(const struct handover *handover);

/* For the box's thread only: sets the snapshot by which it serves from now on. */
void handover_use_snapshot(struct handover *handover, const void *snapshot);
/* For the box's thread only: takes what is in the box; afterwards nothing can be put into it. */
void handover_close(struct handover *handover);

#endif
