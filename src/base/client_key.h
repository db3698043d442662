/* Who counts as one client, wherever clients have shares: dials, questions to name servers,
 * password hashes, failed logins, room for connections, `limit ... per client`.
 *
 * An IPv6 address stands for its /64, because one customer has all of a /64 and can choose any
 * address in it. A mapped address is its IPv4 (ip_address.h). All of 127/8 is one client, this
 * machine; so is ::1, but that counts apart. What people read (log, `ps`) has the address itself.
 */
#ifndef BASE_CLIENT_KEY_H
#define BASE_CLIENT_KEY_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stdint.h>

/* There are no unused bytes, so a key may be hashed and compared as a block. */
struct client_key {
    uint8_t family;
    uint8_t bytes[8]; /* IPv4 uses the first 4, the rest is 0 */
};

struct client_key client_key_of(const struct ip_address *address);
bool client_key_equals(const struct client_key *a, const struct client_key *b);

#endif
