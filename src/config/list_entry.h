/* One host name, *.suffix, CIDR block or address, as lists and `to` take them. */
#ifndef CONFIG_LIST_ENTRY_H
#define CONFIG_LIST_ENTRY_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"
#include "wire/authority.h"

enum list_entry_kind {
    LIST_ENTRY_NAME,
    LIST_ENTRY_SUFFIX,
    LIST_ENTRY_NETWORK,
    LIST_ENTRY_KIND_COUNT
};

struct list_entry {
    enum list_entry_kind kind;
    struct ip_network network;  /* NETWORK */
    struct authority authority; /* NAME, SUFFIX: host and host_length, normalised; no "*." */
};

/* 0, or -EINVAL and in `message` what is wrong and what to write. */
int list_entry_parse(const char *text, size_t length, struct list_entry *ret_entry,
                     struct text *message) MUST_CHECK;

#endif
