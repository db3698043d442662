/* Accepts on listening sockets that several loops share (EPOLLEXCLUSIVE), a bounded number a turn.
 *
 * Out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM): counts and logs (rate-limited),
 * gives up its reserve descriptor to answer some that wait (each gets its 503 from the owner, at
 * once), takes the reserve back and pauses 100 ms. Of an owner without counters clients wait for
 * those 100 ms, and that is all.
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
     * returning. Of a unix socket `client` has no address. */
    void (*accepted)(void *self, int fd, const struct ip_endpoint *client, unsigned slot,
                     bool is_last_descriptor);
    /* False: the next one should wait a little. NULL: it never need. */
    bool (*is_ready)(void *self);
    bool is_shared; /* other loops watch the same listeners: take turns with them */
    void *self;
};

/* Watches nothing yet. `counters` and `log` NULL: there is no reserve either. 0 or -errno. */
int acceptor_create(struct loop *loop, const struct acceptor_owner *owner,
                    struct counters *counters, struct log_ring *log,
                    struct acceptor **ret_acceptor) MUST_CHECK;
/* One more, in a slot that none has. Its descriptor stays the caller's: watched here, never closed.
 * 0 or -errno. */
int acceptor_add(struct acceptor *acceptor, const struct listener *listener) MUST_CHECK;
bool acceptor_has(const struct acceptor *acceptor, unsigned slot);
/* Accepts what still waits in its queue (at most `limit`), then stops watching it. */
void acceptor_remove(struct acceptor *acceptor, unsigned slot, unsigned limit);
/* Accepts what still waits in the queues (at most `limit` connections), then stops watching. */
void acceptor_stop(struct acceptor *acceptor, unsigned limit);
void acceptor_destroy(struct acceptor *acceptor);

#endif
