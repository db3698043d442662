/* One host name, *.suffix, .domain, CIDR block or address, as lists, `to` and filters take them. */
#ifndef CONFIG_LIST_ENTRY_H
#define CONFIG_LIST_ENTRY_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"
#include "wire/authority.h"

#include <stdbool.h>
#include <stddef.h>

struct name_set;
struct network_set;

enum list_entry_kind {
    LIST_ENTRY_NAME,
    LIST_ENTRY_SUFFIX, /* *.example.com: all names below */
    LIST_ENTRY_DOMAIN, /* .example.com: the name and all below */
    LIST_ENTRY_NETWORK,
    LIST_ENTRY_KIND_COUNT
};

struct list_entry {
    enum list_entry_kind kind;
    struct ip_network network; /* NETWORK */
    /* For the other kinds: host and host_length are set and normalised, without the leading "*." or
     * "."; a label `*` stands for any one label. */
    struct authority authority;
};

/* Returns 0; or -EINVAL, and `message` says what is wrong and what to write. */
int list_entry_parse(const char *text, size_t length, struct list_entry *ret_entry,
                     struct text *message) MUST_CHECK;
/* The same without the message, and an IPv6 address may have its brackets. */
int list_entry_parse_host(const char *text, size_t length, struct list_entry *ret_entry) MUST_CHECK;
/* Whether the entry matches a target's host, which is normalised and without brackets. */
bool list_entry_has_host(const struct list_entry *entry, const char *host,
                         size_t length) MUST_CHECK;
/* Prints the entry as a list has it. */
void list_entry_print(struct text *out, const struct list_entry *entry);
bool list_entry_equals(const struct list_entry *a, const struct list_entry *b) MUST_CHECK;
/* Adds the entry to the set that fits its kind. Returns 0 or -ENOMEM. */
int list_entry_add(const struct list_entry *entry, struct name_set *names,
                   struct network_set *networks) MUST_CHECK;

#endif
