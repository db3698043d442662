/* The one place where adit's addresses are turned into the kernel's structures and back. An address
 * that is neither IPv4 nor IPv6 becomes an endpoint without a family (IP_NONE).
 */
#include "net/socket_address.h"

#include <string.h>

socklen_t socket_address_from_endpoint(union socket_address *address,
                                       const struct ip_endpoint *endpoint)
{
    memset(address, 0, sizeof(*address));
    if (endpoint->address.family == IP_V4) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(endpoint->port);
        memcpy(&address->v4.sin_addr, endpoint->address.bytes, sizeof(address->v4.sin_addr));
        return sizeof(address->v4);
    }
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(endpoint->port);
    memcpy(&address->v6.sin6_addr, endpoint->address.bytes, sizeof(address->v6.sin6_addr));
    return sizeof(address->v6);
}

struct ip_endpoint socket_address_to_endpoint(const union socket_address *address)
{
    struct ip_endpoint endpoint = {.port = 0};

    if (address->any.sa_family == AF_INET) {
        endpoint.address = ip_address_from_v4((const uint8_t *)&address->v4.sin_addr);
        endpoint.port = ntohs(address->v4.sin_port);
    } else if (address->any.sa_family == AF_INET6) {
        endpoint.address = ip_address_from_v6(address->v6.sin6_addr.s6_addr);
        endpoint.port = ntohs(address->v6.sin6_port);
    }
    return endpoint;
}
