/* Room for connections, shared by the threads of a process: how many its descriptors are good for.
 *
 * A unit is two descriptors: a client's connection and the tunnel's dial. A connection takes one
 * when it is accepted; if it becomes a tunnel, it is given back when that is over. Further attempts
 * of a dial take one each, but only while half of all is free.
 *
 * When no unit is left, a newcomer gets that of a guest: a connection that still waits for its
 * client (for the request, or for the client to take its refusal), or whose password is still being
 * checked. The client (base/client_key.h) with most guests loses its oldest, so that silent
 * connections lock nobody out but each other.
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

/* A connection that would make room. Embedded; private. All zero: not registered. */
struct room_guest {
    struct letter letter; /* posted to `loop` when a thread took its unit */
    struct list link;     /* in its client's line */
    struct room *room;
    struct loop *loop;
    struct room_client *client; /* NULL: not registered, or displaced */
    bool is_displaced;
    void (*on_displaced)(struct room_guest *guest);
};

/* `limit` is in units. 0 or -errno. */
int room_create(uint32_t limit, struct room **ret_room) MUST_CHECK;
/* All was given back. */
void room_destroy(struct room *room);
uint32_t room_limit(const struct room *room);
uint32_t room_taken(const struct room *room);

/* A unit for a connection: 0. A guest of this thread's `loop` whose unit it is hears of it
 * (on_displaced) before this returns, others by letter. -EAGAIN: a guest would make room, but as
 * many letters as may be are on their way: ask again when some have come. -ENOSPC: there is no
 * guest. */
int room_take(struct room *room, struct loop *loop) MUST_CHECK;
/* A unit for what can be done without, while half of all is free. */
bool room_take_spare(struct room *room) MUST_CHECK;
void room_give_back(struct room *room);

static inline bool room_guest_is_registered(const struct room_guest *guest)
{
    return guest->room != NULL;
}

/* The guest holds a unit and may lose it from now on; on_displaced: it has none any more. Without
 * memory it keeps what it has. */
void room_register(struct room *room, struct room_guest *guest, struct loop *loop,
                   const struct ip_address *address, void (*on_displaced)(struct room_guest *));
/* On its own thread: it keeps its unit from now on, and on_displaced is not called any more. False:
 * too late, the unit is gone. True also when it was not registered. */
bool room_unregister(struct room_guest *guest) MUST_CHECK;

#endif
