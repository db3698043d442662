/* What the front-ends of one thread share. Private to front/. */
#ifndef FRONT_FRONT_PRIVATE_H
#define FRONT_FRONT_PRIVATE_H

#include "base/list.h"
#include "front/front.h"
#include "wire/http1_head.h"

#include <stddef.h>

struct stream;

struct front {
    struct tunnel_env *env;
    struct front_timeouts timeouts;
    struct list connections;
    size_t connection_count;
    struct list surplus; /* connections without a unit of room, oldest first */
    size_t surplus_count;
    char scratch[HTTP1_HEAD_MAX]; /* what is in it never outlives a call */
};

/* Another one is about to join the surplus: the oldest may have to go. */
void front_make_room_for_surplus(struct front *front);

#endif
