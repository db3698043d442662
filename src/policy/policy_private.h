/* A compiled policy's memory. Private to policy/. */
#ifndef POLICY_POLICY_RULES_H
#define POLICY_POLICY_RULES_H

#include "policy/name_key.h"
#include "policy/policy.h"
#include "policy/rule_index.h"

struct name_set;
struct network_set;

/* One condition as it is compiled. Values that are not in the masks and sets below are read from
 * the source. */
struct compiled_condition {
    enum policy_condition_kind kind;
    bool is_negated;
    unsigned kinds;         /* a bit (1 << enum policy_value_kind) for each kind of value */
    bool has_addresses;     /* a value of the condition or of one of its lists is an address */
    struct name_set *names; /* NULL: none. Host names, users or words */
    struct network_set *networks;     /* NULL: none */
    const struct policy_list **lists; /* in policy.lists */
    size_t list_count;
    const struct policy_value *values; /* for port, listener, time */
    size_t value_count;
};

struct compiled_rule {
    bool is_allow;
    bool is_report;
    const struct compiled_condition *conditions; /* in policy.conditions */
    size_t condition_count;
};

struct policy {
    const struct policy_source *source;
    struct compiled_rule *rules;
    struct compiled_condition *conditions; /* the conditions of all rules, one rule after another */
    size_t condition_count;
    const struct policy_list **lists; /* the lists that conditions name, for all conditions */
    struct ip_endpoint *listeners;
    size_t listener_count;
    struct rule_index index;
    bool needs_time;
};

/* One evaluation: the facts, and what many conditions would otherwise compute from them again. */
struct evaluation {
    const struct policy *policy;
    const struct policy_facts *facts;
    struct ip_address
        addresses[2];     /* the target's address, and the one that it stands for (NAT64) */
    size_t address_count; /* 0: the address is not known yet */
    bool is_special;
    struct name_key host; /* valid when facts->host */
    struct name_key sni;  /* valid when facts->sni */
};

void evaluation_init(struct evaluation *evaluation, const struct policy *policy,
                     const struct policy_facts *facts);

/* True when no user is known yet but one may still come. Where there is no users file, nobody can
 * have credentials, and asking for them would be pointless: a missing user is then nobody, and not
 * somebody who is still unknown. */
static inline bool evaluation_lacks_user(const struct evaluation *evaluation)
{
    return !evaluation->facts->user && evaluation->policy->source->has_users;
}

#endif
