/* A bounded number of places at work, shared out fairly among clients (base/client_key.h): dials,
 * questions to name servers.
 *
 * A request that finds no room waits in the line of its client. Freed room goes round robin over
 * the clients, so a client with a thousand in line does not delay the first of another one. No
 * client can take all the room: it may have at most as many at work as are still free. A single
 * client gets half of the room, two get a third each, and a new client finds room at once, unless
 * very many clients take all they may.
 *
 * There is no lock inside; the owner's lock protects the line. There are no callbacks either: after
 * each fair_line_leave the owner takes those whose turn it is (fair_line_next) until there is none.
 */
#ifndef BASE_FAIR_LINE_H
#define BASE_FAIR_LINE_H

#include "base/client_key.h"
#include "base/contract.h"
#include "base/hash.h"
#include "base/list.h"

#include <stdbool.h>

struct fair_client;

enum { FAIR_LINE_BUCKETS = 1024, FAIR_LINE_SPARES_MAX = 64 /* under 8 KiB */ };

struct fair_limits {
    unsigned total;              /* at work in all */
    unsigned per_client;         /* at work for one client, however much is free */
    unsigned waiting_per_client; /* in its line */
};

/* One request's place. Embedded in its owner; the members are private. When all is zero, the place
 * is out: neither at work nor waiting. */
struct fair_place {
    struct list link; /* in its client's line; meaningless while at work or out */
    struct fair_client *client;
    bool is_waiting;
};

/* Members are private. */
struct fair_line {
    struct fair_limits limits;
    unsigned at_work;
    struct list round; /* clients with somebody waiting; whose turn comes next stands first */
    struct hash_seed seed;
    struct hash_table clients;
    struct hash_link *buckets[FAIR_LINE_BUCKETS];
    struct fair_client *spares[FAIR_LINE_SPARES_MAX]; /* memory; the latest last */
    unsigned spare_count;
};

/* `seed` must be random, because clients can choose their addresses. */
void fair_line_init(struct fair_line *line, const struct fair_limits *limits,
                    const struct hash_seed *seed);
/* Contract: every place is out. */
void fair_line_finish(struct fair_line *line);

/* Returns 0 when the place is at work, -EINPROGRESS when it waits, -EAGAIN when the client's line
 * is full, or -ENOMEM. After the last two the place is out. */
int fair_line_enter(struct fair_line *line, struct fair_place *place,
                    const struct client_key *key) MUST_CHECK;
/* Returns the place whose turn it is, which is at work from now on; or NULL when none that waits
 * may begin. */
struct fair_place *fair_line_next(struct fair_line *line);
/* Takes the place out, whether it is at work or waiting. Harmless when it is out. */
void fair_line_leave(struct fair_line *line, struct fair_place *place);

static inline bool fair_place_is_out(const struct fair_place *place)
{
    return place->client == NULL;
}

/* Moves a place that is at work to another struct; `from` is out afterwards. */
void fair_place_move(struct fair_place *to, struct fair_place *from);

#endif
