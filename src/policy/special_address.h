/* Special-purpose addresses: what an allow by name never reaches (IANA's registries). */
#ifndef POLICY_SPECIAL_ADDRESS_H
#define POLICY_SPECIAL_ADDRESS_H

#include "base/ip_address.h"

#include <stdbool.h>

/* 64:ff9b::/96 is judged by the IPv4 address inside; 6to4 and Teredo always are special. */
bool special_address_contains(const struct ip_address *address);

#endif
