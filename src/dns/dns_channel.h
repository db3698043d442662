/* c-ares on the loop: its sockets and its retries. Knows nothing of caches, lines or who asks.
 *
 * Opens no file after dns_channel_init, asks nothing but what it is told to (no search list, no
 * HOSTALIASES), and keeps no socket open while nothing is asked.
 */
#ifndef DNS_DNS_CHANNEL_H
#define DNS_DNS_CHANNEL_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "dns/dns_answer.h"
#include "loop/loop.h"
#include "wire/resolv_server.h"

#include <stdbool.h>
#include <stdint.h>

struct ares_channeldata;

/* c-ares has a UDP and a TCP socket per server. This is twice that, because some versions keep an
 * old socket until its last answer. A socket beyond this number is not watched, and what is asked
 * there times out. */
#define DNS_CHANNEL_SOCKETS_MAX (4 * RESOLV_SERVERS_MAX)

struct dns_socket {
    struct watch watch;
    struct dns_channel *channel;
    bool wants_write;
    bool is_unread; /* its budget ended before its bytes did */
};

/* Embedded in its owner, whose memory must live until the end of the turn that called
 * dns_channel_finish. Members are private. */
struct dns_channel {
    struct loop *loop;
    struct ares_channeldata *ares;
    struct resolv_server_list servers;
    struct dns_socket sockets[DNS_CHANNEL_SOCKETS_MAX];
    struct deadline retry;
    struct task work;
    uint64_t try_ms;
};

/* `timeout_ms` is the owner's bound for a question: tries are spread over it. Returns 0 or -errno.
 */
int dns_channel_init(struct dns_channel *channel, struct loop *loop,
                     uint64_t timeout_ms) MUST_CHECK;
/* Sets another bound from now on. After 0, what was asked is cancelled and the owner must set the
 * servers again. After -EALREADY (the tries stay as long as they were) or another -errno nothing
 * has changed. Must not be called from within on_answer. */
int dns_channel_set_timeout(struct dns_channel *channel, uint64_t timeout_ms) MUST_CHECK;
/* Does what dns_channel_cancel_all does, then closes everything. */
void dns_channel_finish(struct dns_channel *channel);

/* Contract: no question is under way (dns_channel_cancel_all). Returns 0 or -ENOMEM (then no server
 * is set). */
int dns_channel_set_servers(struct dns_channel *channel,
                            const struct resolv_server_list *conf) MUST_CHECK;
/* `on_answer` comes exactly once, with NULL when it was cancelled. The surprise: it may come before
 * this returns, and while other questions are being asked. It must not call back into the channel.
 */
void dns_channel_ask(struct dns_channel *channel, const char *name, enum ip_family family,
                     void (*on_answer)(void *asker, const struct dns_answer *answer), void *asker);
/* Every question gets its callback, with NULL, before this returns. */
void dns_channel_cancel_all(struct dns_channel *channel);

#endif
