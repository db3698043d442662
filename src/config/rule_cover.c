/* A rule covers another one when each of its conditions is weaker than some condition of the other
 * rule: it is of the same kind, so that both wait for the same facts, and it is true wherever that
 * one is true.
 *
 * Conditions that are about numbers alone are compared as ranges, with or without `not`. All others
 * go value by value: each value of the one must be contained in a value of the other or, behind a
 * `not`, must have nothing in common with any of them. A name is never taken to be apart from an
 * address, because it may resolve to it.
 */
#include "config/rule_cover.h"

#include "config/drafts.h"
#include "policy/name_pattern.h"
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy.h"
#include "policy/special_address.h"

#include <errno.h>
#include <string.h>

enum {
    NAME_SIZE = 256,
    COVER_STEPS_MAX = 20000000, /* about 200 ms on a usual machine */
    COVER_RANGES_MAX = 100000,  /* 48 bytes each */
};

/* Takes steps from the budget, which bounds the time that many long rules can cost. Returns false
 * when too few are left; the comparison then ends with "no". */
static bool spend(struct rule_cover *cover, size_t steps)
{
    bool is_enough = cover->steps_left >= steps;

    cover->steps_left -= is_enough ? steps : cover->steps_left;
    cover->is_cut |= !is_enough;
    return is_enough;
}

static const struct list_draft *list_of(const struct rule_cover *cover,
                                        const struct policy_value *value)
{
    return (const struct list_draft *)cover->draft->lists.items + value->index;
}

static const struct group_draft *group_of(const struct rule_cover *cover,
                                          const struct policy_value *value)
{
    return (const struct group_draft *)cover->draft->groups.items + value->index;
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

/* Whether the keyword `outer` (special, private or loopback) contains the value. `special` contains
 * the two others. */
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

/* Whether a suffix contains a name or another suffix. It does not contain the name that is equal to
 * it, but it does contain the equal suffix. */
static bool suffix_has(const char *outer, const struct policy_value *inner)
{
    size_t outer_length = strlen(outer);
    size_t length = strlen(inner->text);

    return name_pattern_has_below(outer, outer_length, inner->text, length) ||
           (inner->kind == POLICY_VALUE_SUFFIX &&
            name_pattern_has(outer, outer_length, inner->text, length));
}

/* Whether all names below the suffix are in the set. That is so when a name is in it that nobody
 * can have written: "?" below the suffix, since "?" is not a possible label. */
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

static bool cover_group_has(struct rule_cover *cover, const struct group_draft *group,
                            const char *user)
{
    const char *const *users = group->users.items;

    for (size_t i = 0; i < group->users.count && spend(cover, 1); i++)
        if (strcmp(users[i], user) == 0)
            return true;
    return false;
}

static bool cover_value_has(struct rule_cover *cover, const struct policy_value *outer,
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
                cover_group_has(cover, group_of(cover, outer), inner->text));
    case POLICY_VALUE_USER:
    case POLICY_VALUE_WORD:
        return inner->kind == outer->kind && strcmp(inner->text, outer->text) == 0;
    default:
        return false;
    }
}

/* -- the values of one condition in those of another */

static bool any_has(struct rule_cover *cover, const struct policy_condition *outer,
                    const struct policy_value *inner)
{
    for (size_t i = 0; i < outer->value_count && spend(cover, 1); i++)
        if (cover_value_has(cover, &outer->values[i], inner))
            return true;
    return false;
}

/* Passes the parts of a list or group to `take`, one after another, until it returns false. */
struct cover_parts {
    struct rule_cover *cover;
    const struct policy_condition *outer;
    bool (*take)(struct rule_cover *cover, const struct policy_condition *outer,
                 const struct policy_value *part);
    bool are_taken;
};

static void parts_take_name(void *self, const char *name, size_t length, bool is_suffix)
{
    struct cover_parts *parts = self;
    struct policy_value part = {.kind = is_suffix ? POLICY_VALUE_SUFFIX : POLICY_VALUE_NAME};
    char buffer[NAME_SIZE];

    parts->are_taken = parts->are_taken && length < sizeof(buffer);
    if (!parts->are_taken)
        return;
    memcpy(buffer, name, length);
    buffer[length] = '\0';
    part.text = buffer;
    parts->are_taken = parts->take(parts->cover, parts->outer, &part);
}

static void parts_take_network(void *self, const struct ip_network *network)
{
    struct cover_parts *parts = self;
    const struct policy_value part = {.kind = POLICY_VALUE_NETWORK, .network = *network};

    parts->are_taken = parts->are_taken && parts->take(parts->cover, parts->outer, &part);
}

/* Returns true when `take` accepted all parts. An empty list or group returns false, because it is
 * mostly not filled yet. */
static bool parts_take(struct cover_parts *parts, const struct policy_value *value)
{
    size_t count = 0;

    parts->are_taken = true;
    if (value->kind == POLICY_VALUE_LIST) {
        const struct list_draft *list = list_of(parts->cover, value);

        count = name_set_count(list->names) + network_set_count(list->networks);
        if (!spend(parts->cover, count))
            return false;
        name_set_visit(list->names, parts_take_name, parts);
        network_set_visit(list->networks, parts_take_network, parts);
    } else if (value->kind == POLICY_VALUE_GROUP) {
        const struct group_draft *group = group_of(parts->cover, value);
        const char *const *users = group->users.items;

        count = group->users.count;
        for (size_t i = 0; i < count && parts->are_taken; i++) {
            const struct policy_value user = {.kind = POLICY_VALUE_USER, .text = users[i]};

            parts->are_taken = parts->take(parts->cover, parts->outer, &user);
        }
    }
    return count > 0 && parts->are_taken;
}

static bool has_values(struct rule_cover *cover, const struct policy_condition *outer,
                       const struct policy_condition *inner)
{
    struct cover_parts parts = {.cover = cover, .outer = outer, .take = any_has};

    for (size_t i = 0; i < inner->value_count; i++)
        if (!any_has(cover, outer, &inner->values[i]) && !parts_take(&parts, &inner->values[i]))
            return false;
    return inner->value_count > 0;
}

/* -- values that nothing can match together */

static bool value_is_name(const struct policy_value *value)
{
    return value->kind == POLICY_VALUE_NAME || value->kind == POLICY_VALUE_SUFFIX;
}

static bool names_are_apart(const struct policy_value *a, const struct policy_value *b)
{
    return !name_patterns_meet(a->text, a->kind == POLICY_VALUE_SUFFIX, b->text,
                               b->kind == POLICY_VALUE_SUFFIX);
}

/* True when nothing matches both. Contract: neither is a list or a group. */
static bool parts_are_apart(const struct policy_value *a, const struct policy_value *b)
{
    if (value_is_name(a) && value_is_name(b))
        return names_are_apart(a, b);
    return a->kind == b->kind && (a->kind == POLICY_VALUE_USER || a->kind == POLICY_VALUE_WORD) &&
           strcmp(a->text, b->text) != 0;
}

static bool all_parts_are_apart(struct rule_cover *cover, const struct policy_condition *condition,
                                const struct policy_value *part)
{
    for (size_t i = 0; i < condition->value_count; i++)
        if (!spend(cover, 1) || !parts_are_apart(&condition->values[i], part))
            return false;
    return true;
}

/* True when `inner` has nothing in common with any value of `outer`. Contract: `inner` is not a
 * list or a group. */
static bool all_are_apart(struct rule_cover *cover, const struct policy_condition *outer,
                          const struct policy_value *inner)
{
    const struct policy_condition alone = {.values = inner, .value_count = 1};
    struct cover_parts parts = {.cover = cover, .outer = &alone, .take = all_parts_are_apart};

    for (size_t i = 0; i < outer->value_count; i++)
        if (!spend(cover, 1) ||
            (!parts_are_apart(&outer->values[i], inner) && !parts_take(&parts, &outer->values[i])))
            return false;
    return true;
}

static bool are_apart(struct rule_cover *cover, const struct policy_condition *outer,
                      const struct policy_condition *inner)
{
    struct cover_parts parts = {.cover = cover, .outer = outer, .take = all_are_apart};

    for (size_t i = 0; i < inner->value_count; i++) {
        const struct policy_value *value = &inner->values[i];
        bool has_parts = value->kind == POLICY_VALUE_LIST || value->kind == POLICY_VALUE_GROUP;

        if (has_parts ? !parts_take(&parts, value) : !all_are_apart(cover, outer, value))
            return false;
    }
    return inner->value_count > 0;
}

/* -- rules */

static const struct range_set *ranges_of(const struct covered_condition *condition, bool is_negated)
{
    return is_negated ? &condition->others : &condition->ranges;
}

static bool has_any(const struct policy_condition *condition)
{
    for (size_t i = 0; i < condition->value_count; i++)
        if (condition->values[i].kind == POLICY_VALUE_ANY)
            return true;
    return false;
}

/* True for a condition that is always true, and known at once. `user any` is not, because it asks
 * for credentials; neither is a condition that waits for an address. */
static bool is_universal(const struct covered_condition *condition)
{
    const struct policy_condition *source = condition->source;

    if (source->kind == POLICY_ADDRESS)
        return false;
    if (source->kind != POLICY_TO)
        return condition->is_ranges &&
               range_set_is_empty(ranges_of(condition, !source->is_negated));
    return has_any(source) && !source->is_negated;
}

static bool ranges_have(struct rule_cover *cover, const struct range_set *outer,
                        const struct range_set *inner)
{
    return spend(cover, 1 + (outer->ranges.count + inner->ranges.count) / 4) &&
           range_set_has(outer, inner);
}

/* Whether `first` (with a `not` when `is_negated`) is true wherever `second` is true. */
static bool is_weaker(struct rule_cover *cover, const struct covered_condition *first,
                      bool is_negated, const struct covered_condition *second)
{
    const struct policy_condition *front = first->source;
    const struct policy_condition *behind = second->source;

    if (!spend(cover, 1) || front->kind != behind->kind)
        return false;
    if (second->is_ranges && (first->is_ranges || !is_negated) &&
        ranges_have(cover, ranges_of(first, is_negated), ranges_of(second, behind->is_negated)))
        return true;
    if (second->is_ranges && first->is_ranges)
        return false;
    if (behind->is_negated)
        return is_negated && has_values(cover, behind, front);
    return is_negated ? are_apart(cover, front, behind) : has_values(cover, front, behind);
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
    case POLICY_VALUE_LIST: /* one of its blocks may name it */
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

/* Whether a condition depends on a fact that is known later than the target's name. */
static bool has_late_fact(const struct rule_cover *cover, const struct policy_condition *condition)
{
    return condition->kind == POLICY_ADDRESS || condition->kind == POLICY_PROTOCOL ||
           condition->kind == POLICY_SNI || condition->kind == POLICY_JA4 ||
           (condition->kind == POLICY_TO && is_of_addresses(cover, condition));
}

/* True when the second rule may ask for credentials while the first one, which has no `user`, still
 * waits for a later fact. A `to` of the first rule does not count: where the second rule has only
 * names, the first one has them, too, and need not wait. */
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

/* Whether a condition of the rule, or `also`, is stronger than this condition, so that it is met
 * whenever the rule is. */
static bool is_met(struct rule_cover *cover, const struct covered_condition *condition,
                   const struct covered_rule *rule, const struct covered_condition *also)
{
    bool is_negated = condition->source->is_negated;

    for (size_t i = 0; i < rule->source->condition_count && cover->steps_left > 0; i++)
        if (is_weaker(cover, condition, is_negated, &rule->conditions[i]))
            return true;
    return also != NULL && is_weaker(cover, condition, is_negated, also);
}

bool rule_cover_has(struct rule_cover *cover, size_t first, size_t second,
                    const struct covered_condition *also)
{
    const struct covered_rule *outer = &cover->rules[first];
    const struct covered_rule *inner = &cover->rules[second];
    unsigned kinds = inner->kinds | (also != NULL ? 1U << also->source->kind : 0);

    if (!spend(cover, 1) || (outer->needed & ~kinds) != 0 ||
        may_ask_first(cover, outer->source, inner->source))
        return false;
    for (size_t i = 0; i < outer->source->condition_count; i++)
        if ((outer->needed >> outer->conditions[i].source->kind & 1) != 0 &&
            !is_met(cover, &outer->conditions[i], inner, also))
            return false;
    return true;
}

/* True for a condition that nothing meets: `to not any`, or an empty set of numbers. An empty list
 * does not count, because it may be filled later. */
static bool is_void(const struct covered_condition *condition)
{
    const struct policy_condition *source = condition->source;

    if (condition->is_ranges)
        return range_set_is_empty(ranges_of(condition, source->is_negated));
    return source->kind == POLICY_TO && source->is_negated && has_any(source);
}

/* In a rule with `user`, conditions about users and about later facts are not looked at: the rule
 * asks for credentials before they are known to fail. */
bool rule_cover_is_void(struct rule_cover *cover, size_t rule)
{
    const struct policy_rule_source *source = cover->rules[rule].source;
    struct covered_condition *conditions = cover->rules[rule].conditions;

    for (size_t i = 0; i < source->condition_count; i++) {
        const struct policy_condition *condition = &source->conditions[i];

        if (has_user(source) && (condition->kind == POLICY_USER || has_late_fact(cover, condition)))
            continue;
        if (is_void(&conditions[i]))
            return true;
        for (size_t j = 0; j < source->condition_count && cover->steps_left > 0; j++)
            if (j != i && is_weaker(cover, &conditions[i], !condition->is_negated, &conditions[j]))
                return true;
    }
    return false;
}

/* -- all rules of a configuration */

void rule_cover_add(struct rule_cover *cover, const struct policy_condition *condition,
                    struct covered_condition *ret_covered)
{
    *ret_covered = (struct covered_condition){.source = condition};
    if (cover->ranges_left == 0) {
        cover->is_cut = true;
        return;
    }
    ret_covered->is_ranges = condition_ranges_make(&cover->arena, cover->draft, condition,
                                                   &ret_covered->ranges, &ret_covered->others);
    size_t count = ret_covered->ranges.ranges.count + ret_covered->others.ranges.count;
    cover->ranges_left -= count < cover->ranges_left ? count : cover->ranges_left;
}

static void cover_rule(struct rule_cover *cover, struct covered_rule *covered,
                       const struct policy_rule_source *rule)
{
    covered->source = rule;
    covered->conditions =
        arena_allocate(&cover->arena, (rule->condition_count + 1) * sizeof(*covered->conditions));
    for (size_t i = 0; i < rule->condition_count && !cover->arena.is_exhausted; i++) {
        rule_cover_add(cover, &rule->conditions[i], &covered->conditions[i]);
        covered->kinds |= 1U << rule->conditions[i].kind;
        if (!is_universal(&covered->conditions[i]))
            covered->needed |= 1U << rule->conditions[i].kind;
    }
}

int rule_cover_init(struct rule_cover *cover, const struct config_draft *draft)
{
    const struct rule_draft *drafts = draft->rules.items;

    *cover = (struct rule_cover){
        .draft = draft, .ranges_left = COVER_RANGES_MAX, .steps_left = COVER_STEPS_MAX};
    cover->rules = arena_allocate(&cover->arena, (draft->rules.count + 1) * sizeof(*cover->rules));
    for (size_t i = 0; i < draft->rules.count && !cover->arena.is_exhausted; i++)
        cover_rule(cover, &cover->rules[i], &drafts[i].source);
    return cover->arena.is_exhausted ? -ENOMEM : 0;
}

void rule_cover_finish(struct rule_cover *cover)
{
    arena_finish(&cover->arena);
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

/* Whether some value of the condition names the special-purpose space that `value` is. */
static bool reaches_value(struct rule_cover *cover, const struct policy_condition *condition,
                          const struct policy_value *value)
{
    for (size_t i = 0; i < condition->value_count && spend(cover, 1); i++) {
        const struct policy_value *outer = &condition->values[i];

        if (outer->kind != POLICY_VALUE_LIST && value_names_special(cover, outer) &&
            cover_value_has(cover, outer, value))
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
