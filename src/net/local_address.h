/* Is an address one of this machine's own? */
#ifndef NET_LOCAL_ADDRESS_H
#define NET_LOCAL_ADDRESS_H

#include "base/ip_address.h"

#include <stdbool.h>

/* Asks the kernel (a socket can be bound to a local address only), so it is never out of date. True
 * also when it could not be found out: the caller is about to guard against a loop. */
bool local_address_contains(const struct ip_address *address);

#endif
