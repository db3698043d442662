/* One listener, from the configuration to the log. Everybody who knows of one holds this value, or
 * points to it; what is to be known of a listener besides becomes a member here.
 *
 * It is filled in on its way: the command line or the configuration says `use` and `written`; the
 * supervisor opens the socket (supervisor/listeners.h), which gives `bound`, `takes_v4`, `id` and
 * `fd`; the worker gets the value as it is and the descriptor beside it, and sets `fd` and `slot`
 * to its own.
 *
 * A plain value: copies share the descriptor. A configuration of the supervisor and a snapshot of
 * the worker own what their sets have, and the next one may have the same socket, as its id says:
 * net/listener_close.h closes what a set has alone.
 */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTENERS_MAX 64 /* of LISTENER_TUNNELS */
/* All together: the admin page has one. */
#define LISTENER_SET_MAX (LISTENERS_MAX + 1)
/* Connections that wait to be accepted: npm opens over 1,000 at once; the kernel cuts it to
 * somaxconn. */
#define LISTENER_BACKLOG 4096

/* In the order in which a set has them. */
enum listener_use { LISTENER_TUNNELS, LISTENER_ADMIN, LISTENER_USE_COUNT };

struct listener {
    enum listener_use use;
    bool takes_v4;              /* on [::], IPv4 as well */
    struct ip_endpoint written; /* as in `listen` or `admin`; rules name it so */
    struct ip_endpoint bound;   /* the log names it so; as written until there is a socket */
    uint64_t id;                /* of the socket, never used twice; 0: none is open */
    int fd;                     /* of this process; -1: none */
    unsigned slot;              /* in the worker: its number in every thread, for good */
};

/* Sorted by use; the same address may be there twice (127.0.0.1:0). */
struct listener_set {
    struct listener all[LISTENER_SET_MAX];
    size_t count;
};

/* Where adit listens when nobody says where. */
#define LISTENER_TUNNELS_DEFAULT "127.0.0.1:10800"
#define LISTENER_ADMIN_DEFAULT "127.0.0.1:10801"

/* One without a socket. */
struct listener listener_of(enum listener_use use, const struct ip_endpoint *written);
struct listener listener_default(enum listener_use use);

/* A copy, behind those of its use. Contract: there is room. */
void listener_set_add(struct listener_set *set, const struct listener *listener);
/* Drops all but those of that use, without closing anything. */
void listener_set_keep(struct listener_set *set, enum listener_use use);
size_t listener_set_count(const struct listener_set *set, enum listener_use use);
/* The first of that use; NULL: there is none. */
const struct listener *listener_set_first(const struct listener_set *set, enum listener_use use);
/* The first of that use that is written so; NULL: there is none. */
const struct listener *listener_set_find(const struct listener_set *set, enum listener_use use,
                                         const struct ip_endpoint *written);
/* That with this socket; NULL: there is none, as for id 0. */
const struct listener *listener_set_find_socket(const struct listener_set *set, uint64_t id);

/* [::]:PORT takes IPv4 as well, unless one of the set is on an IPv4 address at that port: then each
 * has its own. That is decided when the socket is opened. Port 0 is a port of its own. */
bool listener_set_lets_take_v4(const struct listener_set *set, const struct ip_endpoint *written);

#endif
