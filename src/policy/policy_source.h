/* What a policy is made of: rules, conditions, values, lists and groups as plain data.
 *
 * config/ makes it from text, and policy_compile turns it into a struct policy. Whoever makes it
 * owns all of it and keeps it alive as long as the policy lives.
 */
#ifndef POLICY_POLICY_SOURCE_H
#define POLICY_POLICY_SOURCE_H

#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_set;    /* policy/name_set.h: host names and suffixes */
struct network_set; /* policy/network_set.h: CIDR blocks */

enum policy_condition_kind {
    POLICY_FROM,
    POLICY_USER,
    POLICY_TO,
    POLICY_ADDRESS,
    POLICY_PORT,
    POLICY_LISTENER,
    POLICY_TIME,
    POLICY_PROTOCOL,
    POLICY_SNI,
    POLICY_JA4,
    POLICY_CONDITION_COUNT,
};

enum policy_value_kind {
    POLICY_VALUE_ANY,      /* from, user, to */
    POLICY_VALUE_SPECIAL,  /* to, address: the table of special-purpose addresses */
    POLICY_VALUE_PRIVATE,  /* from, to, address: 10/8, 172.16/12, 192.168/16, fc00::/7 */
    POLICY_VALUE_LOOPBACK, /* from, to, address: 127/8, ::1 */
    POLICY_VALUE_NETWORK,  /* from, to, address: a CIDR block or a single address */
    POLICY_VALUE_NAME,     /* to, sni: a host name, normalised; a label may be `*`, any one */
    POLICY_VALUE_SUFFIX,   /* to, sni: "corp.example" for *.corp.example; the same */
    POLICY_VALUE_LIST,     /* from, to, address, sni: source->lists[index] */
    POLICY_VALUE_USER,     /* user: a name, case-sensitive */
    POLICY_VALUE_GROUP,    /* user: source->groups[index] */
    POLICY_VALUE_PORTS,    /* port */
    POLICY_VALUE_LISTENER, /* listener: as written in `listen` */
    POLICY_VALUE_TIME,     /* time */
    POLICY_VALUE_WORD,     /* protocol, ja4: compared as text */
    POLICY_VALUE_KIND_COUNT,
};

struct policy_value {
    enum policy_value_kind kind;
    union {
        struct ip_network network;
        const char *text; /* NAME, SUFFIX, USER, WORD */
        size_t index;     /* LIST, GROUP */
        struct {
            uint16_t first, last;
        } ports;
        struct ip_endpoint listener;
        struct {
            uint8_t days;                      /* bit 0 is Sunday, as in struct tm */
            uint16_t first_minute, end_minute; /* of the day; end is exclusive, 1440 at most; end <=
                                                  first runs over midnight */
        } time;
    };
};

/* A condition is true when one of its values matches; `is_negated` inverts that. Several conditions
 * of one kind in a rule are ANDed like any others. */
struct policy_condition {
    enum policy_condition_kind kind;
    bool is_negated;
    const struct policy_value *values;
    size_t value_count;
};

struct policy_rule_source {
    bool is_allow;
    bool is_report;   /* is only logged when it is true, and decides nothing */
    const char *name; /* the name after `as`, otherwise "FILE:LINE" with the shortest telling end of
                         the path */
    const char *place; /* "FILE:LINE", for explain; may equal name */
    const struct policy_condition *conditions;
    size_t condition_count;
};

struct policy_list {
    const char *name;
    const struct name_set *names;       /* NULL: none */
    const struct network_set *networks; /* NULL: none */
};

struct policy_group {
    const char *name;
    const char *const *users;
    size_t user_count;
};

struct policy_source {
    const struct policy_rule_source *rules;
    size_t rule_count;
    const struct policy_list *lists;
    size_t list_count;
    const struct policy_group *groups;
    size_t group_count;
    bool has_users; /* a `users` file is set: credentials can be checked */
};

#endif
