/* The evaluator.
 *
 * A condition is false, unknown or true, in this order. So AND is the minimum, OR is the maximum,
 * and `not` inverts the scale. An evaluation walks in order over the rules that the target can
 * concern, stops at the first true one, and stores nothing; the next phase walks again from the
 * beginning with one more fact.
 *
 * There are two surprises. An allow that does not reach a special-purpose address is false for it,
 * so the walk goes on and a later rule may reach what this one does not; only when no rule decides,
 * the first of them is named in the denial. And an address of 64:ff9b::/96 is matched both as
 * itself and as the IPv4 address that it stands for: otherwise NAT64 would be a second spelling of
 * an address, which no block of the configuration covers.
 */
#include "policy/policy.h"

#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy_private.h"
#include "policy/special_address.h"

#include <string.h>

static const char default_rule[] = POLICY_DEFAULT_RULE;

static const char *const action_names[] = {
    [POLICY_DENY] = "deny",
    [POLICY_ALLOW] = "allow",
    [POLICY_CONTINUE] = "continue",
    [POLICY_ASK] = "ask",
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

const struct policy_source *policy_source_of(const struct policy *policy)
{
    return policy->source;
}

bool policy_needs_time(const struct policy *policy)
{
    return policy->needs_time;
}

/* -- loops */

/* Dialling 0.0.0.0 or :: reaches the loopback address of the same family. */
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

    if (listener->port != facts->port || listener->address.family != dialled.family)
        return false;
    if (!ip_address_is_unspecified(&listener->address))
        return ip_address_equals(&listener->address, &dialled);
    return facts->is_local_address || ip_address_is_loopback(&dialled);
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

/* -- conditions */

static bool has_kind(const struct compiled_condition *condition, enum policy_value_kind kind)
{
    return condition->kinds >> kind & 1;
}

static enum policy_truth truth_of(bool is_true)
{
    return is_true ? POLICY_TRUE : POLICY_FALSE;
}

/* Compares the address with all kinds of value except POLICY_VALUE_SPECIAL, which is not allowed in
 * `from` and is handled by the conditions about targets. */
static bool matches_address(const struct compiled_condition *condition,
                            const struct ip_address *address)
{
    if (has_kind(condition, POLICY_VALUE_LOOPBACK) && ip_address_is_loopback(address))
        return true;
    if (has_kind(condition, POLICY_VALUE_PRIVATE) && special_address_is_private(address))
        return true;
    if (condition->networks && network_set_contains(condition->networks, address))
        return true;
    for (size_t i = 0; i < condition->list_count; i++) {
        const struct network_set *networks = condition->lists[i]->networks;
        if (networks && network_set_contains(networks, address))
            return true;
    }
    return false;
}

static enum policy_truth target_truth(const struct evaluation *evaluation,
                                      const struct compiled_condition *condition)
{
    if (!condition->has_addresses)
        return POLICY_FALSE;
    if (evaluation->address_count == 0)
        return POLICY_UNKNOWN;
    if (has_kind(condition, POLICY_VALUE_SPECIAL) && evaluation->is_special)
        return POLICY_TRUE;
    for (size_t i = 0; i < evaluation->address_count; i++) {
        if (matches_address(condition, &evaluation->addresses[i]))
            return POLICY_TRUE;
    }
    return POLICY_FALSE;
}

static bool matches_name(const struct compiled_condition *condition, const struct name_key *key)
{
    if (condition->names && name_set_contains_key(condition->names, key))
        return true;
    for (size_t i = 0; i < condition->list_count; i++) {
        const struct name_set *names = condition->lists[i]->names;
        if (names && name_set_contains_key(names, key))
            return true;
    }
    return false;
}

static enum policy_truth to_truth(const struct evaluation *evaluation,
                                  const struct compiled_condition *condition)
{
    if (has_kind(condition, POLICY_VALUE_ANY) ||
        (evaluation->facts->host && matches_name(condition, &evaluation->host)))
        return POLICY_TRUE;
    return target_truth(evaluation, condition);
}

static enum policy_truth from_truth(const struct evaluation *evaluation,
                                    const struct compiled_condition *condition)
{
    return truth_of(has_kind(condition, POLICY_VALUE_ANY) ||
                    matches_address(condition, evaluation->facts->client));
}

static bool matches_text(const struct compiled_condition *condition, const char *text)
{
    return condition->names && name_set_contains(condition->names, text, strlen(text));
}

static enum policy_truth user_truth(const struct evaluation *evaluation,
                                    const struct compiled_condition *condition)
{
    const char *user = evaluation->facts->user;

    if (!user)
        return evaluation_lacks_user(evaluation) ? POLICY_UNKNOWN : POLICY_FALSE;
    return truth_of(has_kind(condition, POLICY_VALUE_ANY) || matches_text(condition, user));
}

static enum policy_truth inside_truth(const struct evaluation *evaluation,
                                      const struct compiled_condition *condition)
{
    const struct policy_facts *facts = evaluation->facts;
    const char *text = condition->kind == POLICY_PROTOCOL ? facts->protocol
                       : condition->kind == POLICY_SNI    ? facts->sni
                                                          : facts->ja4;

    if (!text)
        return facts->is_inside_known ? POLICY_FALSE : POLICY_UNKNOWN;
    if (condition->kind == POLICY_SNI)
        return truth_of(matches_name(condition, &evaluation->sni));
    return truth_of(matches_text(condition, text));
}

/* A time that runs over midnight belongs to the day on which it begins: `Fri 22:00-06:00` matches
 * on Saturday at 05:00. */
static bool policy_value_has_time(const struct policy_value *value, uint8_t weekday,
                                  uint16_t minute)
{
    uint16_t first = value->time.first_minute;
    uint16_t end = value->time.end_minute;
    bool is_today = value->time.days >> weekday & 1;
    bool is_yesterday = value->time.days >> (weekday + 6) % 7 & 1;

    if (end > first)
        return is_today && minute >= first && minute < end;
    return (is_today && minute >= first) || (is_yesterday && minute < end);
}

/* Compares a port, a listener or a time: the values that have no set of their own. */
static bool matches_value(const struct policy_value *value, const struct policy_facts *facts)
{
    switch (value->kind) {
    case POLICY_VALUE_PORTS:
        return facts->port >= value->ports.first && facts->port <= value->ports.last;
    case POLICY_VALUE_LISTENER:
        return facts->listener && ip_endpoint_equals(&value->listener, facts->listener);
    case POLICY_VALUE_TIME:
        return policy_value_has_time(value, facts->weekday, facts->minute);
    default:
        return false;
    }
}

static enum policy_truth values_truth(const struct evaluation *evaluation,
                                      const struct compiled_condition *condition)
{
    for (size_t i = 0; i < condition->value_count; i++) {
        if (matches_value(&condition->values[i], evaluation->facts))
            return POLICY_TRUE;
    }
    return POLICY_FALSE;
}

typedef enum policy_truth truth_function(const struct evaluation *evaluation,
                                         const struct compiled_condition *condition);

static truth_function *const truth_functions[] = {
    [POLICY_FROM] = from_truth,   [POLICY_USER] = user_truth,
    [POLICY_TO] = to_truth,       [POLICY_ADDRESS] = target_truth,
    [POLICY_PORT] = values_truth, [POLICY_LISTENER] = values_truth,
    [POLICY_TIME] = values_truth, [POLICY_PROTOCOL] = inside_truth,
    [POLICY_SNI] = inside_truth,  [POLICY_JA4] = inside_truth,
};
static_assert(ARRAY_LENGTH(truth_functions) == POLICY_CONDITION_COUNT, "one for each condition");

/* -- rules */

static enum policy_truth condition_truth(const struct evaluation *evaluation,
                                         const struct compiled_condition *condition)
{
    enum policy_truth truth = truth_functions[condition->kind](evaluation, condition);

    return condition->is_negated ? POLICY_TRUE - truth : truth;
}

static enum policy_truth rule_truth(const struct evaluation *evaluation,
                                    const struct compiled_rule *rule, bool *ret_needs_user)
{
    enum policy_truth truth = POLICY_TRUE;

    *ret_needs_user = false;
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct compiled_condition *condition = &rule->conditions[i];
        enum policy_truth one = condition_truth(evaluation, condition);

        if (one == POLICY_FALSE)
            return POLICY_FALSE;
        if (one == POLICY_UNKNOWN && condition->kind == POLICY_USER)
            *ret_needs_user = true;
        if (one < truth)
            truth = one;
    }
    return truth;
}

/* Whether a block of the set names special-purpose space at this address. Looking at the longest
 * block that contains the address is enough: when a block is special as a whole, so are all longer
 * ones inside. */
static bool set_names_special(const struct network_set *networks, const struct ip_address *address)
{
    struct ip_network longest;

    return networks && network_set_find_longest(networks, address, &longest) &&
           special_address_contains_network(&longest);
}

static bool condition_names_special(const struct compiled_condition *condition,
                                    const struct ip_address *address)
{
    if (has_kind(condition, POLICY_VALUE_SPECIAL) ||
        (has_kind(condition, POLICY_VALUE_LOOPBACK) && ip_address_is_loopback(address)) ||
        (has_kind(condition, POLICY_VALUE_PRIVATE) && special_address_is_private(address)) ||
        set_names_special(condition->networks, address))
        return true;
    for (size_t i = 0; i < condition->list_count; i++) {
        if (set_names_special(condition->lists[i]->networks, address))
            return true;
    }
    return false;
}

/* Whether the allow reaches the address. It always reaches an ordinary one, and a special-purpose
 * one only when the rule's own `to` or `address` names it. Conditions with `not` name nothing. */
static bool reaches(const struct evaluation *evaluation, const struct compiled_rule *rule)
{
    if (!evaluation->is_special)
        return true;
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct compiled_condition *condition = &rule->conditions[i];
        bool is_about_target = condition->kind == POLICY_TO || condition->kind == POLICY_ADDRESS;

        if (!is_about_target || condition->is_negated)
            continue;
        for (size_t a = 0; a < evaluation->address_count; a++) {
            if (condition_names_special(condition, &evaluation->addresses[a]))
                return true;
        }
    }
    return false;
}

/* -- the walk */

/* What the rules that were passed without a decision leave behind. The numbers are those of the
 * first such rule; POLICY_NO_RULE when there is none. */
struct passed {
    uint32_t possible;   /* an allow that is still unknown */
    uint32_t too_short;  /* an allow that is not false but does not reach the address */
    bool is_any_unknown; /* some rule, allow or deny, is unknown */
};

static void set_verdict(const struct evaluation *evaluation, enum policy_action action,
                        enum policy_reason reason, uint32_t rule, struct verdict *verdict)
{
    const struct policy_rule_source *rules = evaluation->policy->source->rules;

    verdict->action = action;
    verdict->reason = reason;
    verdict->rule_index = rule;
    verdict->rule = rule == POLICY_NO_RULE ? default_rule : rules[rule].name;
    verdict->place = rule == POLICY_NO_RULE ? default_rule : rules[rule].place;
}

/* Makes the verdict when the walk ends at `rule`, which is true, or at the end of the list
 * (POLICY_NO_RULE). A possible allow further up has priority: it could still decide first. A true
 * allow is final only when the address is known and no rule further up is unknown. */
static void policy_decide(const struct evaluation *evaluation, const struct passed *passed,
                          uint32_t rule, struct verdict *verdict)
{
    bool is_allow = rule != POLICY_NO_RULE && evaluation->policy->rules[rule].is_allow;
    bool is_final = evaluation->address_count > 0 && !passed->is_any_unknown;

    if (passed->possible != POLICY_NO_RULE)
        set_verdict(evaluation, POLICY_CONTINUE, POLICY_RULE, passed->possible, verdict);
    else if (is_allow)
        set_verdict(evaluation, is_final ? POLICY_ALLOW : POLICY_CONTINUE, POLICY_RULE, rule,
                    verdict);
    else if (rule != POLICY_NO_RULE)
        set_verdict(evaluation, POLICY_DENY, POLICY_RULE, rule, verdict);
    else if (passed->too_short != POLICY_NO_RULE)
        set_verdict(evaluation, POLICY_DENY, POLICY_SPECIAL, passed->too_short, verdict);
    else
        set_verdict(evaluation, POLICY_DENY, POLICY_DEFAULT, POLICY_NO_RULE, verdict);
}

/* Notes a report rule that is true. An unknown one is ignored, so a report rule never makes the
 * proxy ask for credentials. */
static void evaluation_report(uint32_t rule, enum policy_truth truth, struct verdict *verdict)
{
    if (truth == POLICY_TRUE && verdict->report_count < POLICY_REPORTS_MAX)
        verdict->reports[verdict->report_count++] = rule;
}

static void evaluation_walk(const struct evaluation *evaluation, struct verdict *verdict)
{
    const struct policy *policy = evaluation->policy;
    struct passed passed = {.possible = POLICY_NO_RULE, .too_short = POLICY_NO_RULE};
    struct rule_cursor cursor;
    uint32_t at;

    rule_cursor_init(&cursor, &policy->index, evaluation);
    while ((at = rule_cursor_next(&cursor)) != RULE_INDEX_END) {
        const struct compiled_rule *rule = &policy->rules[at];
        bool needs_user;
        enum policy_truth truth = rule_truth(evaluation, rule, &needs_user);

        if (truth == POLICY_FALSE)
            continue;
        if (rule->is_allow && !reaches(evaluation, rule)) {
            if (!rule->is_report && passed.too_short == POLICY_NO_RULE)
                passed.too_short = at;
        } else if (rule->is_report) {
            evaluation_report(at, truth, verdict);
        } else if (needs_user) {
            set_verdict(evaluation, POLICY_ASK, POLICY_RULE, at, verdict);
            return;
        } else if (truth == POLICY_TRUE) {
            policy_decide(evaluation, &passed, at, verdict);
            return;
        } else {
            passed.is_any_unknown = true;
            if (rule->is_allow && passed.possible == POLICY_NO_RULE)
                passed.possible = at;
            if (passed.possible != POLICY_NO_RULE && !evaluation_lacks_user(evaluation))
                rule_cursor_drop_possible(&cursor);
        }
    }
    policy_decide(evaluation, &passed, POLICY_NO_RULE, verdict);
}

static void know_address(struct evaluation *evaluation, const struct ip_address *address)
{
    evaluation->addresses[0] = *address;
    evaluation->address_count =
        special_address_from_nat64(address, &evaluation->addresses[1]) ? 2 : 1;
    evaluation->is_special = special_address_contains(address);
}

void evaluation_init(struct evaluation *evaluation, const struct policy *policy,
                     const struct policy_facts *facts)
{
    REQUIRE(facts->host || facts->address);
    evaluation->policy = policy;
    evaluation->facts = facts;
    evaluation->address_count = 0;
    evaluation->is_special = false;
    if (facts->address)
        know_address(evaluation, facts->address);
    if (facts->host)
        name_key_init(&evaluation->host, facts->host, facts->host_length);
    if (facts->sni)
        name_key_init(&evaluation->sni, facts->sni, strlen(facts->sni));
}

void policy_evaluate(const struct policy *policy, const struct policy_facts *facts,
                     struct verdict *ret_verdict)
{
    struct evaluation evaluation;

    evaluation_init(&evaluation, policy, facts);
    ret_verdict->report_count = 0;
    if (facts->address && is_loop(policy, facts))
        set_verdict(&evaluation, POLICY_DENY, POLICY_LOOP, POLICY_NO_RULE, ret_verdict);
    else
        evaluation_walk(&evaluation, ret_verdict);
}

void policy_examine(const struct policy *policy, const struct policy_facts *facts, uint32_t rule,
                    struct policy_finding *ret_finding)
{
    const struct compiled_rule *compiled = &policy->rules[rule];
    const struct policy_rule_source *source = &policy->source->rules[rule];
    struct evaluation evaluation;

    evaluation_init(&evaluation, policy, facts);
    *ret_finding = (struct policy_finding){.truth = POLICY_TRUE};
    for (size_t i = 0; i < compiled->condition_count; i++) {
        enum policy_truth truth = condition_truth(&evaluation, &compiled->conditions[i]);

        if (truth >= ret_finding->truth)
            continue;
        ret_finding->truth = truth;
        ret_finding->condition = &source->conditions[i];
    }
    ret_finding->is_short =
        ret_finding->truth != POLICY_FALSE && compiled->is_allow && !reaches(&evaluation, compiled);
}

/* -- before the target is known */

static enum policy_truth truth_without_target(const struct evaluation *evaluation,
                                              const struct compiled_condition *condition)
{
    switch (condition->kind) {
    case POLICY_FROM:
    case POLICY_USER:
    case POLICY_LISTENER:
    case POLICY_TIME:
        return condition_truth(evaluation, condition);
    case POLICY_TO:
        if (has_kind(condition, POLICY_VALUE_ANY))
            return truth_of(!condition->is_negated);
        return POLICY_UNKNOWN;
    default:
        return POLICY_UNKNOWN;
    }
}

/* Whether this rule, which is true, decides for every target, so that no rule behind it is reached.
 * A deny does; an allow does only when it also reaches special-purpose addresses. */
static bool decides_every_target(const struct compiled_rule *rule)
{
    if (!rule->is_allow)
        return true;
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct compiled_condition *condition = &rule->conditions[i];

        if (condition->kind == POLICY_TO && has_kind(condition, POLICY_VALUE_SPECIAL))
            return true;
    }
    return false; /* special-purpose addresses go on to the rules behind it */
}

/* Walks like policy_evaluate, but over every rule, because the index finds rules by their targets
 * and there is no target yet. */
bool policy_may_ask(const struct policy *policy, const struct policy_facts *facts)
{
    const struct evaluation evaluation = {.policy = policy, .facts = facts};

    for (size_t at = 0; at < policy->source->rule_count; at++) {
        const struct compiled_rule *rule = &policy->rules[at];
        enum policy_truth truth = POLICY_TRUE;
        bool needs_user = false;

        for (size_t i = 0; i < rule->condition_count && truth != POLICY_FALSE; i++) {
            enum policy_truth one = truth_without_target(&evaluation, &rule->conditions[i]);

            needs_user |= one == POLICY_UNKNOWN && rule->conditions[i].kind == POLICY_USER;
            truth = one < truth ? one : truth;
        }
        if (rule->is_report || truth == POLICY_FALSE)
            continue;
        if (needs_user)
            return true;
        if (truth == POLICY_TRUE && decides_every_target(rule))
            return false;
    }
    return false;
}
