/* resolv.conf(5): which name servers to ask. Pure: text in, values out.
 *
 * Only `nameserver` lines count: names are absolute (no search list), and tries and timeouts are
 * ours. Beyond libc, a port may be written: `nameserver 127.0.0.1:5353`, `nameserver [::1]:5353`.
 * A line that is not understood is left out.
 *
 * 0.0.0.0 and :: mean this machine, as connect(2) takes them; an answer comes from 127.0.0.1 or
 * ::1, so that is what they are here. A link-local address names its interface: `fe80::1%eth0`,
 * `[fe80::1%eth0]:5353` (RFC 4007 11).
 */
#ifndef CONFIG_RESOLV_CONF_H
#define CONFIG_RESOLV_CONF_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* As in libc. Further ones would hardly get their turn before a lookup times out. */
#define RESOLV_CONF_SERVERS_MAX 3
#define RESOLV_CONF_PORT 53

#define RESOLV_CONF_ZONE_SIZE 16 /* of an interface's name, with its NUL: IF_NAMESIZE */
/* Room for resolv_server_print. */
#define RESOLV_SERVER_TEXT_SIZE (IP_ENDPOINT_TEXT_SIZE + RESOLV_CONF_ZONE_SIZE)

struct resolv_server {
    struct ip_endpoint endpoint;
    char zone[RESOLV_CONF_ZONE_SIZE]; /* the interface, by name or number; "": none */
};

struct resolv_conf {
    struct resolv_server servers[RESOLV_CONF_SERVERS_MAX];
    size_t server_count; /* at least 1: 127.0.0.1 when the text names none, as libc does */
};

/* One server, with or without a port. 0 or -EINVAL. */
int resolv_server_parse(const char *text, size_t length,
                        struct resolv_server *ret_server) MUST_CHECK;
/* With its port; parses to the same. */
void resolv_server_print(struct text *out, const struct resolv_server *server);
/* Of a link-local address without a zone nobody knows where it is. */
bool resolv_server_needs_zone(const struct resolv_server *server);

void resolv_conf_parse(const char *text, size_t length, struct resolv_conf *ret_conf);
bool resolv_conf_equals(const struct resolv_conf *a, const struct resolv_conf *b);

#endif
