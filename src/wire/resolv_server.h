/* A name server, as resolv.conf and the configuration write it: an address, or ADDRESS:PORT.
 * Pure: text in, values out.
 *
 * 0.0.0.0 and :: mean this machine, as connect(2) takes them; an answer comes from 127.0.0.1 or
 * ::1, so that is what they are here. A link-local address names its interface: `fe80::1%eth0`,
 * `[fe80::1%eth0]:5353` (RFC 4007 11).
 */
#ifndef WIRE_RESOLV_SERVER_H
#define WIRE_RESOLV_SERVER_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* As many as libc asks. Further ones would hardly get their turn before a lookup times out. */
#define RESOLV_SERVERS_MAX 3
#define RESOLV_SERVER_PORT 53

#define RESOLV_SERVER_ZONE_SIZE 16 /* room for an interface's name with its NUL: IF_NAMESIZE */
/* Room for resolv_server_print. */
#define RESOLV_SERVER_TEXT_SIZE (IP_ENDPOINT_TEXT_SIZE + RESOLV_SERVER_ZONE_SIZE)

struct resolv_server {
    struct ip_endpoint endpoint;
    char zone[RESOLV_SERVER_ZONE_SIZE]; /* the interface, by name or number; "": none */
};

/* The servers, in the order in which they are asked. */
struct resolv_server_list {
    struct resolv_server servers[RESOLV_SERVERS_MAX];
    size_t server_count;
};

/* Parses one server, with or without a port. Returns 0 or -EINVAL. */
int resolv_server_parse(const char *text, size_t length,
                        struct resolv_server *ret_server) MUST_CHECK;
/* Prints the server with its port. The text parses to the same server. */
void resolv_server_print(struct text *out, const struct resolv_server *server);
/* Returns true for a link-local address without a zone, of which it is not known on which interface
 * it is. */
bool resolv_server_needs_zone(const struct resolv_server *server);

bool resolv_server_list_equals(const struct resolv_server_list *a,
                               const struct resolv_server_list *b);

#endif
