/* A set of CIDR blocks of both families, kept as a prefix trie. A lookup takes at most one step per
 * bit of the address. */
#ifndef POLICY_NETWORK_SET_H
#define POLICY_NETWORK_SET_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>

struct network_set;

int network_set_create(struct network_set **ret_set) MUST_CHECK; /* 0 or -ENOMEM */
void network_set_destroy(struct network_set *set);
int network_set_add(struct network_set *set, const struct ip_network *network) MUST_CHECK;
size_t network_set_count(const struct network_set *set);
bool network_set_contains(const struct network_set *set, const struct ip_address *address);
/* Visits every block, in no particular order. */
void network_set_visit(const struct network_set *set,
                       void (*visit)(void *self, const struct ip_network *network), void *self);
/* Finds the longest block that contains the address. Returns false when no block does. */
bool network_set_find_longest(const struct network_set *set, const struct ip_address *address,
                              struct ip_network *ret_network);

#endif
