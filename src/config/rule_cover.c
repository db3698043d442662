/* A rule has all of another when each of its conditions is weaker than one of the other's: of the
 * same kind, so that both wait for the same facts, and with values among which each of the other's
 * is contained.
 */
#include "config/rule_cover.h"

#include "config/drafts.h"
#include "policy/name_pattern.h"
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy.h"
#include "policy/special_address.h"

#include <string.h>

enum { MINUTES_OF_DAY = 1440, DAYS = 7, NAME_SIZE = 256 };

static bool spend(struct rule_cover *cover, size_t steps)
{
    bool is_enough = cover->steps_left >= steps;

    cover->steps_left -= is_enough ? steps : cover->steps_left;
    return is_enough;
}

static const struct list_draft *list_of(const struct rule_cover *cover,
                                        const struct policy_value *value)
{
    return (const struct list_draft *)cover->owner->lists.items + value->index;
}

static const struct group_draft *group_of(const struct rule_cover *cover,
                                          const struct policy_value *value)
{
    return (const struct group_draft *)cover->owner->groups.items + value->index;
}

/* -- one value in another */

static bool network_has(const struct ip_network *outer, const struct ip_network *inner)
{
    return inner->prefix_length >= outer->prefix_length &&
           ip_network_contains(outer, &inner->address);
}

static bool is_private(const struct ip_network *network)
{
    const uint8_t first = network->address.bytes[0];
    unsigned prefix_length = network->address.family == IP_V6 ? 7
                             : first == 10                    ? 8
                             : first == 172                   ? 12
                                                              : 16;

    return special_address_is_private(&network->address) && network->prefix_length >= prefix_length;
}

static bool is_loopback(const struct ip_network *network)
{
    return ip_address_is_loopback(&network->address) &&
           network->prefix_length >= (network->address.family == IP_V4 ? 8 : 128);
}

static bool special_has(enum policy_value_kind outer, const struct policy_value *inner)
{
    bool is_network = inner->kind == POLICY_VALUE_NETWORK;

    if (inner->kind == outer)
        return true;
    if (outer == POLICY_VALUE_PRIVATE)
        return is_network && is_private(&inner->network);
    if (outer == POLICY_VALUE_LOOPBACK)
        return is_network && is_loopback(&inner->network);
    return inner->kind == POLICY_VALUE_PRIVATE || inner->kind == POLICY_VALUE_LOOPBACK ||
           (is_network && special_address_contains_network(&inner->network));
}

static bool suffix_has(const char *outer, const struct policy_value *inner)
{
    size_t outer_length = strlen(outer);
    size_t length = strlen(inner->text);

    return name_pattern_has_below(outer, outer_length, inner->text, length) ||
           (inner->kind == POLICY_VALUE_SUFFIX &&
            name_pattern_has(outer, outer_length, inner->text, length));
}

/* All below a name are in the list when one of which nobody has heard is. */
static bool names_have_suffix(const struct name_set *names, const char *suffix)
{
    char buffer[NAME_SIZE];
    struct text name;

    text_init(&name, buffer, sizeof(buffer));
    text_add(&name, "?.");
    text_add(&name, suffix);
    return !name.is_truncated && name_set_contains(names, buffer, name.length);
}

static bool list_has(const struct list_draft *list, const struct policy_value *inner)
{
    struct ip_network longest;

    switch (inner->kind) {
    case POLICY_VALUE_NAME:
        return name_set_contains(list->names, inner->text, strlen(inner->text));
    case POLICY_VALUE_SUFFIX:
        return names_have_suffix(list->names, inner->text);
    case POLICY_VALUE_NETWORK:
        return network_set_find_longest(list->networks, &inner->network.address, &longest) &&
               network_has(&longest, &inner->network);
    default:
        return false;
    }
}

static bool group_has(struct rule_cover *cover, const struct group_draft *group, const char *user)
{
    const char *const *users = group->users.items;

    for (size_t i = 0; i < group->users.count && spend(cover, 1); i++)
        if (strcmp(users[i], user) == 0)
            return true;
    return false;
}

static bool value_has(struct rule_cover *cover, const struct policy_value *outer,
                      const struct policy_value *inner)
{
    bool is_name = inner->kind == POLICY_VALUE_NAME || inner->kind == POLICY_VALUE_SUFFIX;

    switch (outer->kind) {
    case POLICY_VALUE_ANY:
        return true;
    case POLICY_VALUE_SPECIAL:
    case POLICY_VALUE_PRIVATE:
    case POLICY_VALUE_LOOPBACK:
        return special_has(outer->kind, inner);
    case POLICY_VALUE_NETWORK:
        return inner->kind == POLICY_VALUE_NETWORK && network_has(&outer->network, &inner->network);
    case POLICY_VALUE_NAME:
        return inner->kind == POLICY_VALUE_NAME &&
               name_pattern_has(outer->text, strlen(outer->text), inner->text, strlen(inner->text));
    case POLICY_VALUE_SUFFIX:
        return is_name && suffix_has(outer->text, inner);
    case POLICY_VALUE_LIST:
        return (inner->kind == POLICY_VALUE_LIST && inner->index == outer->index) ||
               list_has(list_of(cover, outer), inner);
    case POLICY_VALUE_GROUP:
        return (inner->kind == POLICY_VALUE_GROUP && inner->index == outer->index) ||
               (inner->kind == POLICY_VALUE_USER &&
                group_has(cover, group_of(cover, outer), inner->text));
    case POLICY_VALUE_USER:
    case POLICY_VALUE_WORD:
        return inner->kind == outer->kind && strcmp(inner->text, outer->text) == 0;
    case POLICY_VALUE_LISTENER:
        return ip_endpoint_equals(&inner->listener, &outer->listener);
    default:
        return false;
    }
}

/* -- the values of one condition in those of another */

static bool any_has(struct rule_cover *cover, const struct policy_condition *outer,
                    const struct policy_value *inner)
{
    for (size_t i = 0; i < outer->value_count && spend(cover, 1); i++)
        if (value_has(cover, &outer->values[i], inner))
            return true;
    return false;
}

/* A list of a few words is as good as these words, and so is a group. */
static bool any_has_parts(struct rule_cover *cover, const struct policy_condition *outer,
                          const struct policy_value *inner)
{
    size_t count;

    if (inner->kind == POLICY_VALUE_LIST) {
        const struct list_draft *list = list_of(cover, inner);
        const struct policy_value *values = list->values.items;

        count = list->files.count == 0 ? list->values.count : 0;
        for (size_t i = 0; i < count; i++)
            if (!any_has(cover, outer, &values[i]))
                return false;
        return count > 0;
    }
    if (inner->kind != POLICY_VALUE_GROUP)
        return false;
    const struct group_draft *group = group_of(cover, inner);
    const char *const *users = group->users.items;

    for (size_t i = 0; i < group->users.count; i++) {
        const struct policy_value user = {.kind = POLICY_VALUE_USER, .text = users[i]};

        if (!any_has(cover, outer, &user))
            return false;
    }
    return group->users.count > 0;
}

static bool has_ports(struct rule_cover *cover, const struct policy_condition *outer,
                      const struct policy_value *inner)
{
    unsigned port = inner->ports.first;

    for (size_t i = 0; i < outer->value_count && spend(cover, 1); i++) {
        if (port < outer->values[i].ports.first || port > outer->values[i].ports.last)
            continue;
        if (inner->ports.last <= outer->values[i].ports.last)
            return true;
        port = outer->values[i].ports.last + 1U;
        i = SIZE_MAX; /* from the first again */
    }
    return false;
}

static bool has_minute(const struct policy_condition *condition, uint8_t day, uint16_t minute)
{
    for (size_t i = 0; i < condition->value_count; i++)
        if (policy_value_has_time(&condition->values[i], day, minute))
            return true;
    return false;
}

static bool has_times(struct rule_cover *cover, const struct policy_condition *outer,
                      const struct policy_condition *inner)
{
    size_t steps = outer->value_count + inner->value_count;

    for (unsigned i = 0; i < (unsigned)DAYS * MINUTES_OF_DAY; i++) {
        uint8_t day = (uint8_t)(i / MINUTES_OF_DAY);
        uint16_t minute = (uint16_t)(i % MINUTES_OF_DAY);

        if (!spend(cover, steps) ||
            (has_minute(inner, day, minute) && !has_minute(outer, day, minute)))
            return false;
    }
    return true;
}

static bool has_values(struct rule_cover *cover, const struct policy_condition *outer,
                       const struct policy_condition *inner)
{
    if (outer->kind == POLICY_TIME)
        return has_times(cover, outer, inner);
    for (size_t i = 0; i < inner->value_count; i++) {
        const struct policy_value *value = &inner->values[i];
        bool is_there = outer->kind == POLICY_PORT
                            ? has_ports(cover, outer, value)
                            : any_has(cover, outer, value) || any_has_parts(cover, outer, value);
        if (!is_there)
            return false;
    }
    return inner->value_count > 0;
}

/* -- rules */

/* No condition at all. `user any` is one: it asks. */
static bool is_universal(const struct policy_condition *condition)
{
    bool is_any = false;

    for (size_t i = 0; i < condition->value_count; i++)
        is_any |= condition->values[i].kind == POLICY_VALUE_ANY;
    return is_any && !condition->is_negated &&
           (condition->kind == POLICY_FROM || condition->kind == POLICY_TO);
}

static bool is_weaker(struct rule_cover *cover, const struct policy_condition *first,
                      const struct policy_condition *second)
{
    if (first->kind != second->kind || first->is_negated != second->is_negated)
        return false;
    return first->is_negated ? has_values(cover, second, first) : has_values(cover, first, second);
}

static bool value_names_special(const struct rule_cover *cover, const struct policy_value *value)
{
    switch (value->kind) {
    case POLICY_VALUE_SPECIAL:
    case POLICY_VALUE_PRIVATE:
    case POLICY_VALUE_LOOPBACK:
        return true;
    case POLICY_VALUE_NETWORK:
        return special_address_contains_network(&value->network);
    case POLICY_VALUE_LIST: /* one of its blocks may */
        return network_set_count(list_of(cover, value)->networks) > 0;
    default:
        return false;
    }
}

static bool has_user(const struct policy_rule_source *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        if (rule->conditions[i].kind == POLICY_USER)
            return true;
    return false;
}

static bool is_of_addresses(const struct rule_cover *cover,
                            const struct policy_condition *condition)
{
    for (size_t i = 0; i < condition->value_count; i++)
        if (condition->values[i].kind == POLICY_VALUE_NETWORK ||
            value_names_special(cover, &condition->values[i]))
            return true;
    return false;
}

/* Whether a condition hangs on a fact that comes after the name. */
static bool has_late_fact(const struct rule_cover *cover, const struct policy_condition *condition)
{
    return condition->kind == POLICY_ADDRESS || condition->kind == POLICY_PROTOCOL ||
           condition->kind == POLICY_SNI || condition->kind == POLICY_JA4 ||
           (condition->kind == POLICY_TO && is_of_addresses(cover, condition));
}

/* The second rule asks for credentials while the first, which does not, waits for an address. With
 * a `to` of names it does not wait: these names are among its own. */
static bool may_ask_first(const struct rule_cover *cover, const struct policy_rule_source *first,
                          const struct policy_rule_source *second)
{
    bool is_waiting = false;

    if (!has_user(second) || has_user(first))
        return false;
    for (size_t i = 0; i < first->condition_count; i++)
        is_waiting |=
            first->conditions[i].kind != POLICY_TO && has_late_fact(cover, &first->conditions[i]);
    for (size_t i = 0; i < second->condition_count; i++)
        is_waiting |=
            second->conditions[i].kind == POLICY_TO && has_late_fact(cover, &second->conditions[i]);
    return is_waiting;
}

bool rule_cover_has(struct rule_cover *cover, const struct policy_rule_source *first,
                    const struct policy_rule_source *second)
{
    if (!spend(cover, 1))
        return false;
    if (may_ask_first(cover, first, second))
        return false;
    for (size_t i = 0; i < first->condition_count; i++) {
        bool is_met = is_universal(&first->conditions[i]);

        for (size_t j = 0; j < second->condition_count && !is_met; j++)
            is_met = is_weaker(cover, &first->conditions[i], &second->conditions[j]);
        if (!is_met)
            return false;
    }
    return true;
}

/* -- special-purpose addresses */

static bool is_about_target(const struct policy_condition *condition)
{
    return !condition->is_negated &&
           (condition->kind == POLICY_TO || condition->kind == POLICY_ADDRESS);
}

bool rule_names_special(const struct rule_cover *cover, const struct policy_rule_source *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        for (size_t v = 0;
             is_about_target(&rule->conditions[i]) && v < rule->conditions[i].value_count; v++)
            if (value_names_special(cover, &rule->conditions[i].values[v]))
                return true;
    return false;
}

/* Whether a value of the condition names the special-purpose space that this value is. */
static bool reaches_value(struct rule_cover *cover, const struct policy_condition *condition,
                          const struct policy_value *value)
{
    for (size_t i = 0; i < condition->value_count && spend(cover, 1); i++) {
        const struct policy_value *outer = &condition->values[i];

        if (outer->kind != POLICY_VALUE_LIST && value_names_special(cover, outer) &&
            value_has(cover, outer, value))
            return true;
    }
    return false;
}

static bool reaches_condition(struct rule_cover *cover, const struct policy_condition *outer,
                              const struct policy_condition *inner)
{
    if (outer->kind != inner->kind || !is_about_target(inner))
        return false;
    for (size_t i = 0; i < inner->value_count; i++)
        if (!reaches_value(cover, outer, &inner->values[i]))
            return false;
    return inner->value_count > 0;
}

bool rule_cover_has_special(struct rule_cover *cover, const struct policy_rule_source *first,
                            const struct policy_rule_source *second)
{
    const struct policy_value all = {.kind = POLICY_VALUE_SPECIAL};

    for (size_t i = 0; i < first->condition_count; i++) {
        const struct policy_condition *condition = &first->conditions[i];

        if (!is_about_target(condition))
            continue;
        if (reaches_value(cover, condition, &all))
            return true;
        for (size_t j = 0; j < second->condition_count; j++)
            if (reaches_condition(cover, condition, &second->conditions[j]))
                return true;
    }
    return false;
}
