/* resolv.conf(5): which name servers to ask. Pure: text in, values out.
 *
 * Only `nameserver` lines count: names are absolute (no search list), and tries and timeouts are
 * ours. Beyond libc, a port may be written: `nameserver 127.0.0.1:5353`, `nameserver [::1]:5353`.
 * A line that is not understood is left out.
 */
#ifndef DNS_RESOLV_CONF_H
#define DNS_RESOLV_CONF_H

#include "wire/resolv_server.h"

#include <stddef.h>

/* Gives at least one server: 127.0.0.1 when the text names none, as libc does. */
void resolv_conf_parse(const char *text, size_t length, struct resolv_server_list *ret_servers);

#endif
