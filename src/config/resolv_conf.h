/* resolv.conf(5): which name servers to ask. Pure: text in, values out.
 *
 * Only `nameserver` lines count: names are absolute (no search list), and tries and timeouts are
 * ours. Beyond libc, a port may be written: `nameserver 127.0.0.1:5353`, `nameserver [::1]:5353`.
 * A link-local address with a zone (`fe80::1%eth0`) is left out, like any other line that is not
 * understood.
 */
#ifndef CONFIG_RESOLV_CONF_H
#define CONFIG_RESOLV_CONF_H

#include "base/ip_address.h"

#include <stddef.h>

/* As in libc. Further ones would hardly get their turn before a lookup times out. */
#define RESOLV_CONF_SERVERS_MAX 3
#define RESOLV_CONF_PORT 53

struct resolv_conf {
    struct ip_endpoint servers[RESOLV_CONF_SERVERS_MAX];
    size_t server_count; /* at least 1: 127.0.0.1 when the text names none, as libc does */
};

void resolv_conf_parse(const char *text, size_t length, struct resolv_conf *ret_conf);
bool resolv_conf_equals(const struct resolv_conf *a, const struct resolv_conf *b);

#endif
