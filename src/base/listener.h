/* One listener, from the configuration to the log. All code that deals with a listener holds this
 * value or points to it, and anything more that has to be known about one becomes a member here.
 *
 * It is filled in on its way: the command line or the configuration says `use` and `written`; the
 * supervisor opens the socket (supervisor/listeners.h), which gives `bound`, `takes_v4`, `id` and
 * `fd`; the worker gets the value as it is and the descriptor beside it, and sets `fd` and `slot`
 * to its own.
 *
 * It is a plain value: copies share the descriptor. A configuration in the supervisor and a
 * snapshot in the worker own the sockets of their sets. The next configuration may have the same
 * socket, which its id tells, so net/listener_close.h closes only sockets that the kept set does
 * not have.
 */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTENERS_MAX 64 /* of LISTENER_TUNNELS */
/* All listeners together, with the one of the admin page. */
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

/* Listeners sorted by use. The same address may occur twice (127.0.0.1:0). */
struct listener_set {
    struct listener all[LISTENER_SET_MAX];
    size_t count;
};

/* Where adit listens when neither the command line nor the configuration says it. */
#define LISTENER_TUNNELS_DEFAULT "127.0.0.1:10800"
#define LISTENER_ADMIN_DEFAULT "127.0.0.1:10801"

/* Returns a listener without a socket. */
struct listener listener_of(enum listener_use use, const struct ip_endpoint *written);
struct listener listener_default(enum listener_use use);

/* Adds a copy behind the listeners of the same use. Contract: there is room. */
void listener_set_add(struct listener_set *set, const struct listener *listener);
/* Drops all listeners of another use, without closing anything. */
void listener_set_keep(struct listener_set *set, enum listener_use use);
size_t listener_set_count(const struct listener_set *set, enum listener_use use);
/* Returns the first listener of that use, or NULL when there is none. */
const struct listener *listener_set_first(const struct listener_set *set, enum listener_use use);
/* Returns the first listener of that use that is written so, or NULL when there is none. */
const struct listener *listener_set_find(const struct listener_set *set, enum listener_use use,
                                         const struct ip_endpoint *written);
/* Returns the listener with this socket, or NULL when there is none. There is none with id 0. */
const struct listener *listener_set_find_socket(const struct listener_set *set, uint64_t id);

/* Returns whether a listener on [::]:PORT should take IPv4 connections as well. It should not when
 * the set has one on an IPv4 address with that port, because then each serves its own family. This
 * is decided when the socket is opened. Port 0 never equals another port. */
bool listener_set_lets_take_v4(const struct listener_set *set, const struct ip_endpoint *written);

#endif
