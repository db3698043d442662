/* Special-purpose addresses, from IANA's registries: a rule that allows by name never reaches them.
 */
#ifndef POLICY_SPECIAL_ADDRESS_H
#define POLICY_SPECIAL_ADDRESS_H

#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>

/* An address of 64:ff9b::/96 is judged by the IPv4 address inside. Addresses of 6to4 and Teredo are
 * always special. */
bool special_address_contains(const struct ip_address *address);
/* True when every address of the block is special. */
bool special_address_contains_network(const struct ip_network *network);
/* True for 10/8, 172.16/12, 192.168/16 and fc00::/7. */
bool special_address_is_private(const struct ip_address *address);
/* Returns the same as a list of blocks. */
const struct ip_network *special_address_private_blocks(size_t *ret_count);
/* Extracts the IPv4 address that an address of 64:ff9b::/96 (NAT64, RFC 6052) stands for. Returns
 * false for any other address. */
bool special_address_from_nat64(const struct ip_address *address, struct ip_address *ret_v4);
/* Returns the address of 64:ff9b::/96 that stands for the IPv4 address. */
struct ip_address special_address_to_nat64(const struct ip_address *v4);

#endif
