/* What the kernel knows of addresses, asked with sockets: nothing to cache, right at this moment.
 */
#ifndef NET_LOCAL_ADDRESS_H
#define NET_LOCAL_ADDRESS_H

#include "base/ip_address.h"

#include <stdbool.h>

/* One of this machine's own? True also when it could not be found out: the caller is about to guard
 * against a loop. */
bool local_address_contains(const struct ip_address *address);
/* Whether this machine has an address from which `address` can be reached. True also when that
 * could not be found out. */
bool local_address_can_reach(const struct ip_address *address);

#endif
