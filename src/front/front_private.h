/* What the front-ends of one thread share. Private to front/. */
#ifndef FRONT_FRONT_PRIVATE_H
#define FRONT_FRONT_PRIVATE_H

#include "base/list.h"
#include "front/front.h"
#include "front/front_kind.h"
#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An accepted connection that has no seat yet: its descriptor is neither read nor watched. */
struct newcomer {
    int fd;
    unsigned listener_slot;
    struct ip_endpoint client;
    uint64_t until_ms; /* then it is refused */
};

/* One connection that this thread accepted, and as many as another thread hands over at once. Their
 * descriptors come out of the process's reserve. */
enum { NEWCOMERS_MAX = 17 };

struct front {
    struct tunnel_env *env;
    struct front_timeouts timeouts;
    const struct front_kind *kinds[FRONT_ROWS_MAX];
    size_t kind_count;
    size_t conn_size; /* of the largest kind */
    struct list connections;
    size_t connection_count;
    struct list surplus; /* connections without a unit of room, oldest first */
    size_t surplus_count;
    struct newcomer newcomers[NEWCOMERS_MAX]; /* the first one waits the longest */
    size_t newcomer_count;
    struct deadline ask_again;
    char scratch[FRONT_READ_MAX]; /* what is in it never outlives a call */
};

/* Fills in `kinds` from the rows of front.def. */
void front_use_rows(struct front *front);
/* Called before another connection joins the surplus. May close the oldest one there. */
void front_make_room_for_surplus(struct front *front);
/* Wipes what was read, which may hold a password. `count` is what stream_read returned. */
void front_scratch_wipe(struct front *front, ssize_t count);
/* Returns the kind that a client with these first bytes speaks, or NULL when more bytes are needed
 * to tell. */
const struct front_kind *front_kind_of(const struct front *front, const char *bytes, size_t length);

#endif
