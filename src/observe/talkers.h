/* Who moves how much on one thread that carries tunnels, for one that shows it: bytes by user and
 * by host since they were last taken, in bounded memory. A lock that is hardly ever waited for: it
 * is held while 128 names are added up.
 *
 * Nothing is noted while nobody wants it. What came before somebody did is not told either: the
 * first look at what is there only notes how far it is.
 */
#ifndef OBSERVE_TALKERS_H
#define OBSERVE_TALKERS_H

#include "base/contract.h"
#include "observe/top_list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALKERS_MAX 64 /* names of either kind, between two takings */

enum talkers_kind {
    TALKERS_USERS, /* by name, or by address who has none */
    TALKERS_HOSTS,
    TALKERS_KIND_COUNT,
};

enum talkers_state {
    TALKERS_OFF,
    TALKERS_NEW, /* wanted, but nobody has looked at what is there yet */
    TALKERS_ON,
};

/* Members are private. */
struct talkers {
    pthread_mutex_t lock;
    _Atomic int state;
    struct top_list lists[TALKERS_KIND_COUNT];
};

int talkers_init(struct talkers *talkers) MUST_CHECK; /* 0 or -errno */
void talkers_finish(struct talkers *talkers);         /* harmless on one that is all zero */

/* ---- the thread that carries tunnels */

/* `talkers` may be NULL: off. */
static inline enum talkers_state talkers_state(const struct talkers *talkers)
{
    return talkers != NULL
               ? (enum talkers_state)atomic_load_explicit(&talkers->state, memory_order_relaxed)
               : TALKERS_OFF;
}
/* NEW becomes ON. */
void talkers_begin(struct talkers *talkers);
void talkers_add(struct talkers *talkers, const char *user, size_t user_length, const char *host,
                 size_t host_length, uint64_t bytes);

/* ---- the other side */

/* The same again changes nothing. */
void talkers_want(struct talkers *talkers, bool is_wanted);
/* Adds what came since the last time; it is gone from there. */
void talkers_take(struct talkers *talkers, struct top_list *const lists[TALKERS_KIND_COUNT]);

#endif
