/* Opens one TCP connection to whichever of several addresses answers first (RFC 8305).
 *
 * The caller adds addresses as their families are answered; every address has been judged before.
 * The kernel gets exactly the address that was added. Attempts start 250 ms apart, or at once when
 * the one before failed, families interleaved, IPv6 first; the first to connect wins and the others
 * are closed. When only IPv4 has been answered, IPv6 gets 50 ms to catch up.
 *
 * An attempt that runs beside another one needs a unit of room of its own (net/room.h). Where room
 * is short, addresses are tried one by one, and an attempt without an answer gives way after 1.5 s,
 * or after its share of the time if that is less.
 */
#ifndef NET_DIALER_H
#define NET_DIALER_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stddef.h>
#include <stdint.h>

struct dial;
struct loop;
struct room;
struct stream;

#define DIAL_ATTEMPTS_MAX 6

struct dial_result {
    int error;                   /* 0, or the most telling negative errno; -ETIMEDOUT */
    struct stream *stream;       /* on success; owned by the receiver, writable */
    struct ip_endpoint endpoint; /* dialled: of the winner, or of the last failure */
};

/* Returns 0 or -ENOMEM. Nothing happens before dial_start. The descriptor of the first attempt is
 * covered by a unit of `room` that the caller holds. */
int dial_create(struct loop *loop, struct room *room, uint16_t port,
                void (*on_done)(void *self, const struct dial_result *result), void *self,
                struct dial **ret_dial) MUST_CHECK;
/* Adds an address to try. Up to DIAL_ATTEMPTS_MAX of each family are kept, and as many are tried in
 * all, the families in turn. */
void dial_add(struct dial *dial, const struct ip_address *address);
/* No more addresses of this family will be added. */
void dial_family_done(struct dial *dial, enum ip_family family);
/* Calls on_done once, from a later turn or from within a later call; at the latest at `deadline_ms`
 * (loop time). Contract: the dial still belongs to the caller in on_done, who destroys it there or
 * later. */
void dial_start(struct dial *dial, uint64_t deadline_ms);
/* Before dial_start: `attempted` hears of each attempt, with -EINPROGRESS when it begins, 0 when it
 * has connected, and a negative errno when it failed. `self` is on_done's. */
void dial_observe(struct dial *dial,
                  void (*attempted)(void *self, const struct ip_address *address, int error));
/* Closes every attempt that is under way and frees the dial. */
void dial_destroy(struct dial *dial);

#endif
