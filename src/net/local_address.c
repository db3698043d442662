/* A socket can be bound to a local address only, and a datagram socket can be "connected" (which
 * sends nothing) only where there is a route and an address of ours to send from.
 */
#include "net/local_address.h"

#include "net/socket_address.h"

#include <errno.h>
#include <unistd.h>

bool local_address_contains(const struct ip_address *address)
{
    struct ip_endpoint endpoint = {.address = *address};
    union socket_address sockaddr;
    socklen_t size = socket_address_from_endpoint(&sockaddr, &endpoint);
    int fd = socket(sockaddr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno != EAFNOSUPPORT;
    bool is_foreign = bind(fd, &sockaddr.any, size) < 0 && errno == EADDRNOTAVAIL;
    close(fd);
    return !is_foreign;
}

bool local_address_can_reach(const struct ip_address *address)
{
    struct ip_endpoint endpoint = {.address = *address, .port = 9};
    union socket_address sockaddr;
    socklen_t size = socket_address_from_endpoint(&sockaddr, &endpoint);
    int fd = socket(sockaddr.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno != EAFNOSUPPORT;
    bool is_unreachable = connect(fd, &sockaddr.any, size) < 0;
    close(fd);
    return !is_unreachable;
}
