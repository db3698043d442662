/* Decides who may tunnel where. Pure: facts go in, a verdict comes out. A policy is compiled once
 * and is immutable afterwards.
 *
 * One evaluator serves three phases: the *name* before any lookup (facts.address is NULL), each
 * *address* that would be dialled, and the *inside* of the tunnel once its first bytes show what is
 * spoken there. The first rule that is true decides; when no rule is true, the verdict is DENY. A
 * rule whose facts are missing is noted and passed; the verdict is CONTINUE as long as an allow is
 * possible, and DENY as soon as none is. ALLOW is never said before the address is known, because
 * an allow whose `to` or `address` does not name special-purpose space never reaches it. A target
 * that is one of adit's own listeners is a loop, whatever a rule says.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "policy/policy_source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_REPORTS_MAX 16
#define POLICY_NO_RULE UINT32_MAX
#define POLICY_DEFAULT_RULE "default" /* what is named when no rule decided */

struct policy; /* created with policy_compile, const from then on */

/* What is known of a request. The host or the address must be given. Everything that the facts
 * point to needs to live only during the evaluation. */
struct policy_facts {
    const struct ip_address *client;
    const char *user;                   /* NULL: no credentials came */
    const struct ip_endpoint *listener; /* the client came to it; as written in `listen` */
    uint8_t weekday;                    /* local; 0 is Sunday (policy_needs_time) */
    uint16_t minute;                    /* of the day, local */
    const char *host;                   /* as asked for, normalised; NULL for a literal */
    size_t host_length;
    const struct ip_address *address; /* what would be dialled; NULL before the lookup */
    uint16_t port;                    /* of the target */
    /* The caller found that `address` belongs to this machine. It matters only when a listener is
     * bound to a wildcard address; policy_needs_local_check says when to find out. */
    bool is_local_address;
    /* The three texts are NULL as long as they are not known. Once `is_inside_known` is set, NULL
     * means that the tunnel has no such thing, and that no condition about it matches. */
    bool is_inside_known;
    const char *protocol;
    const char *sni; /* normalised */
    const char *ja4;
};

enum policy_action {
    POLICY_DENY,
    POLICY_ALLOW,
    POLICY_CONTINUE, /* an allow is possible: evaluate again with the address, or with the inside */
    POLICY_ASK,      /* 407: the rule needs credentials and none came */
    POLICY_ACTION_COUNT,
};

enum policy_reason {
    POLICY_RULE,    /* a rule decided, asks, or (CONTINUE) may allow; verdict.rule names it */
    POLICY_DEFAULT, /* no rule matched */
    POLICY_SPECIAL, /* only rules that do not reach special-purpose addresses matched */
    POLICY_LOOP,    /* the address and port are adit's own */
    POLICY_REASON_COUNT,
};

struct verdict {
    enum policy_action action;
    enum policy_reason reason;
    const char *rule;    /* the rule's name, or POLICY_DEFAULT_RULE; lives as long as the policy */
    const char *place;   /* "FILE:LINE", or POLICY_DEFAULT_RULE */
    uint32_t rule_index; /* into policy_source.rules, or POLICY_NO_RULE */
    /* The report rules that are true and stand before the rule that decided, in order; those that
     * do not fit are not listed. Only the reports of the last evaluation of a tunnel count, because
     * facts that come later can add reports and remove them. */
    uint32_t report_count;
    uint32_t reports[POLICY_REPORTS_MAX];
};

/* Compiles the source, which must live, with its lists and unchanged, until policy_destroy.
 * `listeners_bound` are the addresses that are bound, with their real ports; they are copied. A
 * wildcard stands for every address of its family only: for a socket on [::] that also takes IPv4,
 * the caller adds 0.0.0.0. Returns 0 or -ENOMEM. */
int policy_compile(const struct policy_source *source, const struct ip_endpoint *listeners_bound,
                   size_t listener_count, struct policy **ret_policy) MUST_CHECK;
void policy_destroy(struct policy *policy);

void policy_evaluate(const struct policy *policy, const struct policy_facts *facts,
                     struct verdict *ret_verdict);

/* Says whether it is worth asking for credentials before the target is known: whether a target
 * exists for which policy_evaluate may say POLICY_ASK. Of the facts, only client, user, listener
 * and time count. The answer may be true for nothing, but it is never false where a rule would ask.
 */
bool policy_may_ask(const struct policy *policy, const struct policy_facts *facts);

/* How one rule judges the facts, whatever stands before it: for people who ask why. */
enum policy_truth { POLICY_FALSE, POLICY_UNKNOWN, POLICY_TRUE };
struct policy_finding {
    enum policy_truth truth;
    /* The condition that made the rule false or, when the rule is unknown, the first one that is
     * unknown; NULL when the rule is true. */
    const struct policy_condition *condition;
    bool is_short; /* an allow, true or unknown, that does not reach the special-purpose address */
};
void policy_examine(const struct policy *policy, const struct policy_facts *facts, uint32_t rule,
                    struct policy_finding *ret_finding);

/* Returns the source, which has the rules in their order: for the names of report rules and
 * counters. */
const struct policy_source *policy_source_of(const struct policy *policy);
/* True when a wildcard listener has the target's port: `is_local_address` is worth finding out. */
bool policy_needs_local_check(const struct policy *policy, uint16_t port);
/* True when a rule has a `time`: weekday and minute are worth finding out. */
bool policy_needs_time(const struct policy *policy);

const char *policy_action_name(enum policy_action action); /* "deny", "allow" */
const char *policy_reason_name(enum policy_reason reason); /* "rule", "loop" */

#endif
