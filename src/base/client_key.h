/* Who counts as one client, wherever clients have shares: dials, questions to name servers,
 * password hashes, failed logins, room for connections, `limit ... per client`.
 *
 * An IPv6 address stands for its /64, which one customer has whole and can choose addresses in as
 * it likes. A mapped address is its IPv4 (ip_address.h). 127/8 is this machine; ::1 is too, but
 * stands in a /64 of its own. What people read (log, `ps`) has the address itself.
 */
#ifndef BASE_CLIENT_KEY_H
#define BASE_CLIENT_KEY_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stdint.h>

/* All bytes count: it may be hashed and compared as a block. */
struct client_key {
    uint8_t family;
    uint8_t bytes[8]; /* IPv4 uses the first 4, the rest is 0 */
};

struct client_key client_key_of(const struct ip_address *address);
bool client_key_equals(const struct client_key *a, const struct client_key *b);

#endif
