/* Converts between ip_endpoint and the kernel's sockaddr. */
#ifndef NET_SOCKET_ADDRESS_H
#define NET_SOCKET_ADDRESS_H

#include "base/ip_address.h"

#include <netinet/in.h>
#include <sys/socket.h>

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

/* Returns the length to pass to the kernel. */
socklen_t socket_address_from_endpoint(union socket_address *address,
                                       const struct ip_endpoint *endpoint);
/* Turns an IPv4-mapped address into its IPv4 form. The family is IP_NONE for anything other than
 * IPv4 and IPv6. */
struct ip_endpoint socket_address_to_endpoint(const union socket_address *address);

#endif
