/* What the kernel knows about addresses. It is asked with sockets each time, so nothing is cached
 * and the answer is true at this moment.
 */
#ifndef NET_LOCAL_ADDRESS_H
#define NET_LOCAL_ADDRESS_H

#include "base/ip_address.h"

#include <stdbool.h>

/* Returns whether the address is one of this machine's own. Returns true also when that could not
 * be found out, because callers use it to guard against a loop. */
bool local_address_contains(const struct ip_address *address);
/* Returns whether this machine has an address from which `address` can be reached. Returns true
 * also when that could not be found out. */
bool local_address_can_reach(const struct ip_address *address);

#endif
