/* Accepts on listening sockets that several loops share (EPOLLEXCLUSIVE), a bounded number per
 * turn.
 *
 * When descriptors or memory run out (EMFILE, ENFILE, ENOBUFS, ENOMEM), the acceptor counts and
 * logs that (rate-limited). It gives up its reserve descriptor to answer some of the clients that
 * wait (each gets its 503 from the owner, at once), takes the reserve back and pauses for 100 ms.
 * Without counters there is no reserve, and clients only wait for those 100 ms.
 */
#ifndef NET_ACCEPTOR_H
#define NET_ACCEPTOR_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/listener.h"

#include <stdbool.h>
#include <stddef.h>

struct acceptor;
struct counters;
struct log_ring;
struct loop;

struct acceptor_owner {
    /* Takes `fd` (non-blocking, close-on-exec), which came by the listener in `slot`. Contract:
     * `is_last_descriptor` says that it was accepted on the reserve: refuse it and close it before
     * returning. On a unix socket `client` has no address. */
    void (*accepted)(void *self, int fd, const struct ip_endpoint *client, unsigned slot,
                     bool is_last_descriptor);
    /* Returns false when the next connection should wait a little. NULL when none ever has to. */
    bool (*is_ready)(void *self);
    bool is_shared; /* other loops watch the same listeners: take turns with them */
    void *self;
};

/* The new acceptor watches nothing yet. When `counters` and `log` are NULL, it has no reserve
 * descriptor either. Returns 0 or -errno. */
int acceptor_create(struct loop *loop, const struct acceptor_owner *owner,
                    struct counters *counters, struct log_ring *log,
                    struct acceptor **ret_acceptor) MUST_CHECK;
/* Adds a listener in a slot that no other one has. Its descriptor stays the caller's: it is watched
 * here, but never closed. Returns 0 or -errno. */
int acceptor_add(struct acceptor *acceptor, const struct listener *listener) MUST_CHECK;
bool acceptor_has(const struct acceptor *acceptor, unsigned slot);
/* Accepts what still waits in its queue (at most `limit`), then stops watching it. */
void acceptor_remove(struct acceptor *acceptor, unsigned slot, unsigned limit);
/* Accepts what still waits in the queues (at most `limit` connections), then stops watching. */
void acceptor_stop(struct acceptor *acceptor, unsigned limit);
void acceptor_destroy(struct acceptor *acceptor);

#endif
