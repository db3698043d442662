/* The sockets that c-ares uses, made here so that a name server may be a link-local address: c-ares
 * 1.18 knows no interfaces, and later versions want them spelled in another way. */
#ifndef DNS_DNS_SOCKETS_H
#define DNS_DNS_SOCKETS_H

#include "base/ip_address.h"
#include "wire/resolv_server.h"

#include <stddef.h>

struct ares_channeldata;

/* Makes the sockets of `ares` here from now on. Contract: `servers` outlives the channel; it may
 * change when no socket is open. */
void dns_sockets_use(struct ares_channeldata *ares, const struct resolv_server_list *servers);

/* Returns the address that c-ares must be given for server `index`: its own, or one that stands for
 * it. */
struct ip_endpoint dns_sockets_endpoint(const struct resolv_server_list *servers, size_t index);

#endif
