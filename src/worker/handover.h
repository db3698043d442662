/* Connections that one thread accepted and another is to carry, because it carries less.
 *
 * Each thread has a box. Whoever accepted puts a connection in; the box's thread takes it out on
 * its own loop. Bounded: who finds the box full keeps the connection.
 */
#ifndef WORKER_HANDOVER_H
#define WORKER_HANDOVER_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>

/* Connections in a box, at most. */
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
    /* On the loop's thread; takes the descriptor. */
    void (*take)(void *self, const struct handed *handed);
    void *self;
};

/* 0 or -ENOMEM. */
int handover_create(const struct handover_owner *owner, struct handover **ret_handover) MUST_CHECK;
/* When no other thread runs any more; closes what was not taken. Harmless on NULL. */
void handover_destroy(struct handover *handover);

/* From any thread. False: the box is full or closed, or its thread goes by another one
 * than `snapshot` (an address that is compared, no more); then the descriptor stays the caller's.
 */
bool handover_give(struct handover *handover, const void *snapshot,
                   const struct handed *handed) MUST_CHECK;
/* Given, and not taken yet. From any thread. */
unsigned handover_waiting(const struct handover *handover);

/* The box's thread: what it goes by from now on. */
void handover_use_snapshot(struct handover *handover, const void *snapshot);
/* The box's thread: takes what is there; from now on nobody can give. */
void handover_close(struct handover *handover);

#endif
