/* Compiles a policy_source into a policy.
 *
 * Each condition's names, users and words go into one name_set, and its blocks into one
 * network_set, so that a condition costs the same with one value and with a hundred thousand. Lists
 * are shared by all conditions that name them and stay where they are. The other values (ports,
 * listeners, times) are few and are read from the source.
 */
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const unsigned compile_address_kinds =
    1u << POLICY_VALUE_SPECIAL | 1u << POLICY_VALUE_PRIVATE | 1u << POLICY_VALUE_LOOPBACK |
    1u << POLICY_VALUE_NETWORK;

static int add_host(struct compiled_condition *condition, const char *name, bool is_suffix)
{
    if (!condition->names && name_set_create(&condition->names) < 0)
        return -ENOMEM;
    return name_set_add_host(condition->names, name, strlen(name), is_suffix);
}

/* For users and words, in which a `*` has no special meaning. */
static int add_word(struct compiled_condition *condition, const char *word)
{
    if (!condition->names && name_set_create(&condition->names) < 0)
        return -ENOMEM;
    return name_set_add(condition->names, word, strlen(word), false);
}

static int condition_add_network(struct compiled_condition *condition,
                                 const struct ip_network *network)
{
    if (!condition->networks && network_set_create(&condition->networks) < 0)
        return -ENOMEM;
    return network_set_add(condition->networks, network);
}

static int add_group(struct compiled_condition *condition, const struct policy_group *group)
{
    for (size_t i = 0; i < group->user_count; i++) {
        if (add_word(condition, group->users[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int condition_add_value(const struct policy_source *source,
                               struct compiled_condition *condition,
                               const struct policy_value *value)
{
    condition->kinds |= 1u << value->kind;
    switch (value->kind) {
    case POLICY_VALUE_NETWORK:
        return condition_add_network(condition, &value->network);
    case POLICY_VALUE_NAME:
        return add_host(condition, value->text, false);
    case POLICY_VALUE_SUFFIX:
        return add_host(condition, value->text, true);
    case POLICY_VALUE_USER:
    case POLICY_VALUE_WORD:
        return add_word(condition, value->text);
    case POLICY_VALUE_GROUP:
        REQUIRE(value->index < source->group_count);
        return add_group(condition, &source->groups[value->index]);
    case POLICY_VALUE_LIST:
        REQUIRE(value->index < source->list_count);
        condition->lists[condition->list_count++] = &source->lists[value->index];
        return 0;
    default:
        return 0;
    }
}

static int compile_condition(struct policy *policy, const struct policy_condition *from,
                             struct compiled_condition *to, const struct policy_list **lists)
{
    to->kind = from->kind;
    to->is_negated = from->is_negated;
    to->lists = lists;
    to->values = from->values;
    to->value_count = from->value_count;
    for (size_t i = 0; i < from->value_count; i++) {
        if (condition_add_value(policy->source, to, &from->values[i]) < 0)
            return -ENOMEM;
    }
    to->has_addresses = to->kinds & compile_address_kinds;
    for (size_t i = 0; i < to->list_count; i++)
        to->has_addresses |= to->lists[i]->networks != NULL;
    policy->needs_time |= to->kind == POLICY_TIME;
    return 0;
}

static int compile_rules(struct policy *policy)
{
    const struct policy_list **lists = policy->lists;

    for (size_t i = 0; i < policy->source->rule_count; i++) {
        const struct policy_rule_source *from = &policy->source->rules[i];
        struct compiled_rule *to = &policy->rules[i];

        to->is_allow = from->is_allow;
        to->is_report = from->is_report;
        to->conditions = policy->conditions + policy->condition_count;
        to->condition_count = from->condition_count;
        for (size_t c = 0; c < from->condition_count; c++) {
            struct compiled_condition *condition = &policy->conditions[policy->condition_count++];
            if (compile_condition(policy, &from->conditions[c], condition, lists) < 0)
                return -ENOMEM;
            lists += condition->list_count;
        }
    }
    return 0;
}

/* Each array has one more item than needed, because calloc(0) may return NULL without being out of
 * memory. */
static int policy_allocate(struct policy *policy, size_t listener_count)
{
    const struct policy_source *source = policy->source;
    size_t conditions = 0;
    size_t lists = 0;

    for (size_t i = 0; i < source->rule_count; i++) {
        const struct policy_rule_source *rule = &source->rules[i];
        conditions += rule->condition_count;
        for (size_t c = 0; c < rule->condition_count; c++) {
            for (size_t v = 0; v < rule->conditions[c].value_count; v++)
                lists += rule->conditions[c].values[v].kind == POLICY_VALUE_LIST;
        }
    }
    policy->rules = calloc(source->rule_count + 1, sizeof(*policy->rules));
    policy->conditions = calloc(conditions + 1, sizeof(*policy->conditions));
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is what is meant. */
    policy->lists = calloc(lists + 1, sizeof(*policy->lists));
    policy->listeners = calloc(listener_count + 1, sizeof(*policy->listeners));
    return policy->rules && policy->conditions && policy->lists && policy->listeners ? 0 : -ENOMEM;
}

int policy_compile(const struct policy_source *source, const struct ip_endpoint *listeners_bound,
                   size_t listener_count, struct policy **ret_policy)
{
    struct policy *policy = calloc(1, sizeof(*policy));

    REQUIRE(source->rule_count < POLICY_NO_RULE);
    if (!policy)
        return -ENOMEM;
    policy->source = source;
    if (policy_allocate(policy, listener_count) < 0 || compile_rules(policy) < 0 ||
        rule_index_init(&policy->index, source) < 0) {
        policy_destroy(policy);
        return -ENOMEM;
    }
    for (size_t i = 0; i < listener_count; i++)
        policy->listeners[i] = listeners_bound[i];
    policy->listener_count = listener_count;
    *ret_policy = policy;
    return 0;
}

void policy_destroy(struct policy *policy)
{
    if (!policy)
        return;
    for (size_t i = 0; i < policy->condition_count; i++) {
        name_set_destroy(policy->conditions[i].names);
        network_set_destroy(policy->conditions[i].networks);
    }
    rule_index_finish(&policy->index);
    free(policy->rules);
    free(policy->conditions);
    free(policy->lists);
    free(policy->listeners);
    free(policy);
}
