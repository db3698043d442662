/* Turns names into addresses: c-ares behind a TTL cache, one resolver per thread.
 *
 * A and AAAA are asked apart and answered apart (RFC 8305 3): a query's callback comes once per
 * family. Only one question per name and family is in flight, however many queries wait for it;
 * answers are cached (TTL 1-300 s, negative 5-30 s, 4,096 names). /etc/hosts and `localhost` never
 * cause a question. Nothing is opened or read here: the supervisor sends the contents of the files.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "base/contract.h"
#include "base/fair_line.h"
#include "base/ip_address.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct counters;
struct hosts_file;
struct loop;
struct resolv_server_list;
struct resolver;

#define RESOLVER_ADDRESSES_MAX 16 /* per family; further records of an answer are dropped */

enum resolver_status {
    RESOLVER_OK,       /* at least one address */
    RESOLVER_NO_DATA,  /* the name exists, but has no address of this family */
    RESOLVER_NXDOMAIN, /* no such name */
    RESOLVER_SERVFAIL, /* the name servers failed, refused, or could not be reached */
    RESOLVER_TIMEOUT,  /* nobody answered in time */
    RESOLVER_FAILED,   /* out of memory, malformed answer */
    RESOLVER_STATUS_COUNT,
};

struct resolver_answer {
    enum ip_family family;
    enum resolver_status status;
    const struct ip_address *addresses; /* valid during the callback */
    size_t count;
};

struct resolver_question;

/* One family of a query. Private. */
struct resolver_waiter {
    struct list link; /* in question->waiters */
    struct fair_place place;
    struct resolver_question *question; /* valid while linked */
};

/* One name being asked for both families. Embedded in its owner. Members are private. */
struct resolver_query {
    struct resolver_waiter waiters[2];
    struct resolver *resolver;
    /* Called at most twice, once per family: from within resolver_ask for what is known already,
     * else from the loop. */
    void (*on_answer)(struct resolver_query *query, const struct resolver_answer *answer);
    uint8_t is_waiting_bits;
};

/* Creates the c-ares channel and everything else that needs descriptors or libc's files.
 * `timeout_ms` bounds one question in all, time in line included (256 are asked at once for one
 * client, 512 in all). `counters` are the thread's, or NULL. Returns 0 or -errno. */
int resolver_create(struct loop *loop, uint64_t timeout_ms, struct counters *counters,
                    struct resolver **ret_resolver) MUST_CHECK;
/* Contract: no query is waiting. The memory is freed at the end of the turn (loop_free_later). */
void resolver_destroy(struct resolver *resolver);

/* Takes the `nameserver` lines of resolv.conf's contents (dns/resolv_conf.h: at most 3; 127.0.0.1
 * when there is none). If they changed, the cache is forgotten, and questions under way are asked
 * anew within their old deadline. Before the first call the server is 127.0.0.1. Must not be called
 * from within on_answer. */
void resolver_set_servers(struct resolver *resolver, const char *text, size_t length);
/* Does the same with servers that were parsed already. */
void resolver_use_servers(struct resolver *resolver, const struct resolv_server_list *servers);
/* Sets the bound for questions that are asked from now on. When that changes how long a try takes,
 * questions under way are asked anew, as with other servers. Must not be called from within
 * on_answer. */
void resolver_set_timeout(struct resolver *resolver, uint64_t timeout_ms);
/* Replaces the table of the hosts file. It stays the caller's and must live as long as the resolver
 * uses it. NULL means none.
 */
void resolver_use_hosts(struct resolver *resolver, const struct hosts_file *hosts);

/* `name` is a normalised DNS name (wire/authority.h) of 1-253 bytes, copied as needed. Its
 * questions are asked when it is `client`'s turn (base/fair_line.h). After 0, `on_answer` comes
 * once per family unless the query is cancelled; answers that are known already come before this
 * returns. After -ENOMEM there is no callback. Contract: the query's memory outlives this call even
 * if on_answer cancels it, and on_answer does not ask with the same query again before this
 * returned. */
int resolver_ask(struct resolver *resolver, struct resolver_query *query, const char *name,
                 const struct ip_address *client,
                 void (*on_answer)(struct resolver_query *,
                                   const struct resolver_answer *)) MUST_CHECK;
/* No callback comes afterwards. Harmless on a query that is done; may be called from on_answer. A
 * question that was sent already goes on and fills the cache. */
void resolver_cancel(struct resolver_query *query);

const char *resolver_status_name(enum resolver_status status); /* "ok", "nxdomain", ... */

#endif
