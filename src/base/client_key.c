/* A key is the part of an address that its owner can't choose. Local programs can use any address
 * of 127/8, so that is one client. Every other IPv4 address is a client of its own.
 */
#include "base/client_key.h"

#include <string.h>

enum { IPV4_BYTES = 4 };

struct client_key client_key_of(const struct ip_address *address)
{
    struct client_key key = {.family = address->family};

    memcpy(key.bytes, address->bytes, address->family == IP_V6 ? sizeof(key.bytes) : IPV4_BYTES);
    if (address->family == IP_V4 && ip_address_is_loopback(address))
        memset(key.bytes + 1, 0, IPV4_BYTES - 1);
    return key;
}

bool client_key_equals(const struct client_key *a, const struct client_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}
