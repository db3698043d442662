/* The evaluator.
 *
 * A policy is one block of memory made once: rules and listeners, names copied. An evaluation walks
 * the rules in order and keeps nothing. In the name phase the address is not known, so "may reach
 * special-purpose space" is unknown too: a matching rule lets the request go on, and the address
 * phase walks the whole list again with the fact. The surprise: a rule that matches the client but
 * not the address does not end the walk, a later one may reach what it does not; only when none
 * does, the first of them is named in the denial.
 */
#include "policy/policy.h"

#include "policy/special_address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char default_rule[] = "default";

struct compiled_rule {
    enum policy_source source;
    struct ip_network network;
    bool reaches_special;
    char name[POLICY_RULE_NAME_MAX + 1];
};

struct policy {
    struct compiled_rule *rules;
    size_t rule_count;
    struct ip_endpoint *listeners;
    size_t listener_count;
};

static const char *const action_names[] = {
    [POLICY_DENY] = "deny",
    [POLICY_ALLOW] = "allow",
};
static_assert(ARRAY_LENGTH(action_names) == POLICY_ACTION_COUNT, "a name for every action");

static const char *const reason_names[] = {
    [POLICY_RULE] = "rule",
    [POLICY_DEFAULT] = "default",
    [POLICY_SPECIAL] = "special",
    [POLICY_LOOP] = "loop",
};
static_assert(ARRAY_LENGTH(reason_names) == POLICY_REASON_COUNT, "a name for every reason");

const char *policy_action_name(enum policy_action action)
{
    REQUIRE(action < POLICY_ACTION_COUNT);
    return action_names[action];
}

const char *policy_reason_name(enum policy_reason reason)
{
    REQUIRE(reason < POLICY_REASON_COUNT);
    return reason_names[reason];
}

/* -- making it */

static void compile_rule(struct compiled_rule *compiled, const struct policy_rule *rule)
{
    struct text name;

    compiled->source = rule->source;
    compiled->network = rule->network;
    compiled->reaches_special = rule->reaches_special;
    text_init(&name, compiled->name, sizeof(compiled->name));
    text_add(&name, rule->name);
}

int policy_create(const struct policy_rule *rules, size_t rule_count,
                  const struct ip_endpoint *listeners, size_t listener_count,
                  struct policy **ret_policy)
{
    struct policy *policy = calloc(1, sizeof(*policy));

    if (!policy)
        return -ENOMEM;
    /* One more than needed: calloc(0) may be NULL without being out of memory. */
    policy->rules = calloc(rule_count + 1, sizeof(*policy->rules));
    policy->listeners = calloc(listener_count + 1, sizeof(*policy->listeners));
    if (!policy->rules || !policy->listeners) {
        policy_destroy(policy);
        return -ENOMEM;
    }
    for (size_t i = 0; i < rule_count; i++)
        compile_rule(&policy->rules[i], &rules[i]);
    for (size_t i = 0; i < listener_count; i++)
        policy->listeners[i] = listeners[i];
    policy->rule_count = rule_count;
    policy->listener_count = listener_count;
    *ret_policy = policy;
    return 0;
}

void policy_destroy(struct policy *policy)
{
    if (!policy)
        return;
    free(policy->rules);
    free(policy->listeners);
    free(policy);
}

/* -- loops */

/* Dialling 0.0.0.0 or :: reaches the loopback address of the family. */
static struct ip_address as_dialled(const struct ip_address *address)
{
    static const uint8_t v4_loopback[4] = {127, 0, 0, 1};
    static const uint8_t v6_loopback[16] = {[15] = 1};

    if (!ip_address_is_unspecified(address))
        return *address;
    return address->family == IP_V4 ? ip_address_from_v4(v4_loopback)
                                    : ip_address_from_v6(v6_loopback);
}

static bool reaches_listener(const struct ip_endpoint *listener, const struct policy_facts *facts)
{
    struct ip_address dialled = as_dialled(facts->address);

    if (listener->port != facts->port)
        return false;
    if (!ip_address_is_unspecified(&listener->address))
        return ip_address_equals(&listener->address, &dialled);
    return facts->is_local_address ||
           (listener->address.family == dialled.family && ip_address_is_loopback(&dialled));
}

static bool is_loop(const struct policy *policy, const struct policy_facts *facts)
{
    for (size_t i = 0; i < policy->listener_count; i++) {
        if (reaches_listener(&policy->listeners[i], facts))
            return true;
    }
    return false;
}

bool policy_needs_local_check(const struct policy *policy, uint16_t port)
{
    for (size_t i = 0; i < policy->listener_count; i++) {
        const struct ip_endpoint *listener = &policy->listeners[i];
        if (listener->port == port && ip_address_is_unspecified(&listener->address))
            return true;
    }
    return false;
}

/* -- evaluation */

static bool matches_client(const struct compiled_rule *rule, const struct ip_address *client)
{
    if (rule->source == POLICY_FROM_LOOPBACK)
        return ip_address_is_loopback(client);
    return ip_network_contains(&rule->network, client);
}

static struct verdict verdict_of(enum policy_action action, enum policy_reason reason,
                                 const char *rule)
{
    return (struct verdict){.action = action, .reason = reason, .rule = rule};
}

void policy_evaluate(const struct policy *policy, const struct policy_facts *facts,
                     struct verdict *ret_verdict)
{
    const struct compiled_rule *too_short = NULL; /* the first that does not reach far enough */

    *ret_verdict = verdict_of(POLICY_DENY, POLICY_DEFAULT, default_rule);
    if (facts->address && is_loop(policy, facts)) {
        ret_verdict->reason = POLICY_LOOP;
        return;
    }
    bool is_special = facts->address && special_address_contains(facts->address);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct compiled_rule *rule = &policy->rules[i];
        if (!matches_client(rule, facts->client))
            continue;
        if (!is_special || rule->reaches_special) {
            *ret_verdict = verdict_of(POLICY_ALLOW, POLICY_RULE, rule->name);
            return;
        }
        if (!too_short)
            too_short = rule;
    }
    if (too_short)
        *ret_verdict = verdict_of(POLICY_DENY, POLICY_SPECIAL, too_short->name);
}
