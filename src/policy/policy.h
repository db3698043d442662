/* Who may tunnel where. Pure: facts in, a verdict out; compiled once, immutable afterwards.
 *
 * Two phases so far: on the *name* before any lookup (facts.address is NULL; nothing leaks when the
 * answer is no), and on each *address* that would be dialled. The first rule that matches decides;
 * when none does, deny. An allow whose rule does not name special-purpose space never reaches it.
 * A target that is one of adit's own listeners is a loop whatever a rule says.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/contract.h"
#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>

#define POLICY_RULE_NAME_MAX 63

struct policy; /* created with policy_create, const from then on */

enum policy_source {
    POLICY_FROM_LOOPBACK, /* clients on the loopback interface */
    POLICY_FROM_NETWORK,  /* clients inside `network` */
};

/* One allow rule, as the built-in policy and --from make them. */
struct policy_rule {
    enum policy_source source;
    struct ip_network network;
    bool reaches_special; /* "to any, special" */
    const char *name;     /* shown to clients and in the log; copied */
};

struct policy_facts {
    const struct ip_address *client;
    const struct ip_address *address; /* what would be dialled; NULL in the name phase */
    uint16_t port;                    /* of the target */
    /* The caller found that `address` belongs to this machine; matters for wildcard listeners only
     * (policy_needs_local_check says when to find out). */
    bool is_local_address;
};

enum policy_action { POLICY_DENY, POLICY_ALLOW, POLICY_ACTION_COUNT };

enum policy_reason {
    POLICY_RULE,    /* a rule decided; verdict.rule names it */
    POLICY_DEFAULT, /* no rule matched */
    POLICY_SPECIAL, /* only rules that do not reach special-purpose addresses matched */
    POLICY_LOOP,    /* the address and port are adit's own */
    POLICY_REASON_COUNT,
};

struct verdict {
    enum policy_action action;
    enum policy_reason reason;
    const char *rule; /* the deciding rule's name, or "default"; lives as long as the policy */
};

/* 0 or -ENOMEM. `listeners` may hold wildcard addresses. */
int policy_create(const struct policy_rule *rules, size_t rule_count,
                  const struct ip_endpoint *listeners, size_t listener_count,
                  struct policy **ret_policy) MUST_CHECK;
void policy_destroy(struct policy *policy);

void policy_evaluate(const struct policy *policy, const struct policy_facts *facts,
                     struct verdict *ret_verdict);

/* True when a wildcard listener has the target's port: `is_local_address` is worth finding out. */
bool policy_needs_local_check(const struct policy *policy, uint16_t port);

const char *policy_action_name(enum policy_action action); /* "deny", "allow" */
const char *policy_reason_name(enum policy_reason reason); /* "rule", "loop" */

#endif
