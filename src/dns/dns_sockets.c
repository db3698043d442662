/* Makes the sockets of c-ares, so that a name server may have an interface (`fe80::1%eth0`).
 *
 * c-ares is told a stand-in address for such a server, from a block that no host uses (100::/64,
 * RFC 6666: what is sent there is discarded). When a socket is connected, the real address replaces
 * the stand-in. When an answer comes, the stand-in replaces the address that it came from, because
 * c-ares compares that with the server's. The interface is looked up each time a socket is
 * connected, since interfaces come and go.
 *
 * c-ares does not set up sockets that its caller makes. So all five socket functions are given
 * here, and the sockets are made as c-ares would make them: non-blocking, close-on-exec, without
 * delay.
 */
#include "dns/dns_sockets.h"

#include <ares.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { INDEX_BYTE = 15 }; /* of a stand-in */

static const struct in6_addr stand_in_prefix = {.s6_addr = {0x01, [13] = 0xad, [14] = 0x17}};

struct ip_endpoint dns_sockets_endpoint(const struct resolv_server_list *servers, size_t index)
{
    struct ip_endpoint endpoint = servers->servers[index].endpoint;

    if (servers->servers[index].zone[0] == '\0')
        return endpoint;
    endpoint.address = ip_address_from_v6(stand_in_prefix.s6_addr);
    endpoint.address.bytes[INDEX_BYTE] = (uint8_t)index;
    return endpoint;
}

/* Returns the index of the interface, or 0 when there is no such interface. */
static uint32_t zone_index(const char *zone)
{
    unsigned index = if_nametoindex(zone);

    if (index == 0 && zone[strspn(zone, "0123456789")] == '\0')
        index = (unsigned)strtoul(zone, NULL, 10);
    return index;
}

/* Returns the server that the address stands for, or NULL when it stands for none. */
static const struct resolv_server *find_stand_in(const struct resolv_server_list *servers,
                                                 const struct in6_addr *address)
{
    size_t index = address->s6_addr[INDEX_BYTE];

    if (memcmp(address, &stand_in_prefix, INDEX_BYTE) != 0 || index >= servers->server_count ||
        servers->servers[index].zone[0] == '\0')
        return NULL;
    return &servers->servers[index];
}

static ares_socket_t dns_open_socket(int family, int type, int protocol, void *self)
{
    const int on = 1;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    (void)self;
    if (fd >= 0 && type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static int dns_close_socket(ares_socket_t fd, void *self)
{
    (void)self;
    return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t length,
                          void *self)
{
    const struct resolv_server *server = NULL;
    struct sockaddr_in6 real;

    if (address->sa_family == AF_INET6 && length == sizeof(real)) {
        memcpy(&real, address, sizeof(real));
        server = find_stand_in(self, &real.sin6_addr);
    }
    if (server == NULL)
        return connect(fd, address, length);
    memcpy(&real.sin6_addr, server->endpoint.address.bytes, sizeof(real.sin6_addr));
    real.sin6_scope_id = zone_index(server->zone);
    if (real.sin6_scope_id == 0) {
        errno = ENODEV;
        return -1;
    }
    return connect(fd, (const struct sockaddr *)&real, sizeof(real));
}

/* Replaces the address of the sender by the one that c-ares knows it by. */
static void disguise(const struct resolv_server_list *servers, struct sockaddr_in6 *sender)
{
    for (size_t i = 0; i < servers->server_count; i++) {
        const struct resolv_server *server = &servers->servers[i];

        if (server->zone[0] == '\0' || sender->sin6_scope_id != zone_index(server->zone) ||
            memcmp(&sender->sin6_addr, server->endpoint.address.bytes, sizeof(sender->sin6_addr)) !=
                0)
            continue;
        const struct ip_endpoint endpoint = dns_sockets_endpoint(servers, i);
        memcpy(&sender->sin6_addr, endpoint.address.bytes, sizeof(sender->sin6_addr));
        return;
    }
}

static ares_ssize_t dns_receive(ares_socket_t fd, void *bytes, size_t size, int flags,
                                struct sockaddr *sender, ares_socklen_t *sender_length, void *self)
{
    ares_ssize_t count = recvfrom(fd, bytes, size, flags, sender, sender_length);

    if (count >= 0 && sender != NULL && *sender_length == sizeof(struct sockaddr_in6) &&
        sender->sa_family == AF_INET6)
        disguise(self, (struct sockaddr_in6 *)(void *)sender);
    return count;
}

static ares_ssize_t send_pieces(ares_socket_t fd, const struct iovec *pieces, int count, void *self)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};

    (void)self;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

void dns_sockets_use(struct ares_channeldata *ares, const struct resolv_server_list *servers)
{
    static const struct ares_socket_functions functions = {.asocket = dns_open_socket,
                                                           .aclose = dns_close_socket,
                                                           .aconnect = connect_socket,
                                                           .arecvfrom = dns_receive,
                                                           .asendv = send_pieces};

    ares_set_socket_functions(ares, &functions, (void *)servers);
}
