/* Room for connections, shared by the threads of a process: as many as its limit of descriptors
 * allows.
 *
 * A unit is two descriptors: a client's connection and the tunnel's dial. A connection takes one
 * when it is accepted; if it becomes a tunnel, it is given back when that is over. Further attempts
 * of a dial take one each, but only while half of all is free.
 *
 * When no unit is left, a newcomer gets the unit of a guest: a connection that still waits for its
 * client (for the request, or for the client to take its refusal), or whose password is still being
 * checked. The client (base/client_key.h) with most guests loses its oldest one. So a client with
 * many silent connections displaces its own and not those of others.
 */
#ifndef NET_ROOM_H
#define NET_ROOM_H

#include "base/client_key.h"
#include "base/contract.h"
#include "base/list.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct room;
struct room_client;

/* A connection that may be displaced to make room. Embedded in its owner; the members are private.
 * When all is zero, it is not registered. */
struct room_guest {
    struct letter letter; /* posted to `loop` when a thread took its unit */
    struct list link;     /* in its client's line */
    struct room *room;
    struct loop *loop;
    struct room_client *client; /* NULL: not registered, or displaced */
    bool is_displaced;
    void (*on_displaced)(struct room_guest *guest);
};

/* `limit` is in units. Returns 0 or -errno. */
int room_create(uint32_t limit, struct room **ret_room) MUST_CHECK;
/* Contract: every unit was given back. */
void room_destroy(struct room *room);
uint32_t room_limit(const struct room *room);
uint32_t room_taken(const struct room *room);

/* Takes a unit for a connection. Returns 0 when it has one. If a guest lost its unit for that, it
 * is told (on_displaced): before this returns when it is on this thread's `loop`, by letter when it
 * is on another. Returns -EAGAIN when a guest could make room, but too many letters are on their
 * way already; the caller asks again later. Returns -ENOSPC when there is no guest. */
int room_take(struct room *room, struct loop *loop) MUST_CHECK;
/* Takes a unit for something optional, such as a further attempt of a dial. Returns false unless
 * half of all units are free. */
bool room_take_spare(struct room *room) MUST_CHECK;
void room_give_back(struct room *room);

static inline bool room_guest_is_registered(const struct room_guest *guest)
{
    return guest->room != NULL;
}

/* Registers a guest, which holds a unit and may lose it from now on; on_displaced says that it has
 * lost it. When there is no memory the guest is not registered and keeps its unit. */
void room_register(struct room *room, struct room_guest *guest, struct loop *loop,
                   const struct ip_address *address, void (*on_displaced)(struct room_guest *));
/* Called on the guest's own thread. Returns true when the guest keeps its unit from now on, also
 * when it was not registered. Returns false when the unit is gone already. Either way on_displaced
 * is not called any more. */
bool room_unregister(struct room_guest *guest) MUST_CHECK;

#endif
