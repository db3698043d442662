/* What the front-ends of one thread share. Private to front/. */
#ifndef FRONT_FRONT_PRIVATE_H
#define FRONT_FRONT_PRIVATE_H

#include "base/list.h"
#include "front/front.h"
#include "loop/loop.h"
#include "wire/http1_head.h"

#include <stddef.h>
#include <stdint.h>

struct stream;

/* Accepted, without a unit of room yet. */
struct newcomer {
    int fd;
    unsigned listener;
    struct ip_endpoint client;
    uint64_t until_ms;
};

/* One that was accepted, and a box full that another thread handed over. Their descriptors come out
 * of the reserve. */
enum { NEWCOMERS_MAX = 17 };

struct front {
    struct tunnel_env *env;
    struct front_timeouts timeouts;
    struct list connections;
    size_t connection_count;
    struct list surplus; /* connections without a unit of room, oldest first */
    size_t surplus_count;
    struct newcomer newcomers[NEWCOMERS_MAX]; /* the first one waits the longest */
    size_t newcomer_count;
    struct deadline ask_again;
    char scratch[HTTP1_HEAD_MAX]; /* what is in it never outlives a call */
};

/* Another one is about to join the surplus: the oldest may have to go. */
void front_make_room_for_surplus(struct front *front);

#endif
