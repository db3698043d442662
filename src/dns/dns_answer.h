/* What the name servers say about one name and one family, decoded. Pure: bytes in, values out. */
#ifndef DNS_DNS_ANSWER_H
#define DNS_DNS_ANSWER_H

#include "base/ip_address.h"
#include "dns/resolver.h"

#include <stddef.h>
#include <stdint.h>

/* Limits of how long an answer is kept, in seconds. A TTL of 0 counts as 1, so that a burst of
 * tunnels to one name asks once; a dial uses the address that was judged anyway. */
#define DNS_TTL_MIN_S 1
#define DNS_TTL_MAX_S 300
/* "No such name" and "no address" (RFC 2308 5), and what is used when the answer has no SOA. */
#define DNS_NEGATIVE_TTL_MIN_S 5
#define DNS_NEGATIVE_TTL_MAX_S 30
/* Failures: RFC 9520 3.2 asks for at least a second, and a name server that comes back should be
 * noticed at once. */
#define DNS_FAILURE_TTL_S 1

struct dns_answer {
    enum resolver_status status;
    uint32_t ttl_s; /* within the limits above; 0: not to be kept (out of memory) */
    size_t count;
    struct ip_address addresses[RESOLVER_ADDRESSES_MAX];
};

/* Decodes an answer. `ares_status` and the message (NULL: none) are as ares_query hands them to its
 * callback. */
void dns_answer_read(int ares_status, const unsigned char *message, int length,
                     enum ip_family family, struct dns_answer *ret_answer);
/* Makes an answer without addresses, with the TTL that is usual for its status. */
void dns_answer_init(struct dns_answer *answer, enum resolver_status status);
/* Returns true if a name server answered about the name itself, and false for failures. */
bool dns_answer_is_conclusive(const struct dns_answer *answer);

#endif
