/* A rule is an AND of its conditions, so it is false when one of them is. Each rule is therefore
 * filed under the keys (rule_key.h) of a single condition: the one whose commonest key is rarest
 * among all rules. A rule without a suitable condition (there are only negated ones, `any`, times,
 * the inside of a tunnel) is filed under a key that every evaluation has. An evaluation looks up
 * each of its keys and merges the chains that it finds. The memory is in proportion to the
 * configuration: at most 32 bytes for each key of a rule in each of three tables, and for each
 * entry of a list.
 *
 * Before the address is known, a condition that the address could make true is unknown. An unknown
 * deny then changes nothing, and among the unknown allows only the first one counts. So these are
 * filed apart (LAYER_POSSIBLE) and are dropped after the first one, while all other rules are filed
 * as if no address ever matched (LAYER_NAME). When credentials may still be asked for, these rules
 * are kept, because the first rule that depends on a user asks.
 *
 * Lists have keys of their own, by number: an entry of a list leads to the list, and the list leads
 * to its rules. A large list that few rules name is not worth that.
 *
 * Only hashes are compared: a rule that is found by mistake is evaluated like any other, and is
 * false. Chains are in ascending order because rules are added from the last to the first.
 */
#include "policy/rule_index.h"

#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy_private.h"

#include <errno.h>
#include <stdlib.h>

enum { LARGE_LIST = 4096 /* entries */, FEW_CONDITIONS = 8 };

/* -- building: which rules, by which condition */

/* One layer while it is made. */
struct index_making {
    struct rule_index *index;
    enum rule_layer layer;
    bool avoids_large_lists;
    size_t key_count;   /* number of keys of all conditions that could be chosen */
    uint32_t *counts;   /* number of uses of each key, by hash; too high where hashes collide, which
                           only makes the choice worse */
    size_t mask;        /* number of counts - 1 */
    uint32_t commonest; /* count of the commonest key of the condition at hand */
    uint32_t rule;      /* the rule at hand */
    bool *used_sets;
};

/* Every rule is in the two other layers. In LAYER_POSSIBLE are only those that an address may make
 * true and that then matter: allows, and rules that may ask for credentials. */
static bool is_in_layer(const struct index_making *making, const struct policy_rule_source *rule)
{
    bool has_user = false;
    bool has_address = false;

    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct policy_condition *condition = &rule->conditions[i];

        has_user |= condition->kind == POLICY_USER;
        has_address |=
            !condition->is_negated && condition_is_about_address(making->index->source, condition);
    }
    return making->layer != LAYER_POSSIBLE ||
           (has_address && !rule->is_report && (rule->is_allow || has_user));
}

/* Whether the condition names a list so large that its entries should not get keys. */
static bool names_large_list(const struct policy_source *source,
                             const struct policy_condition *condition)
{
    for (size_t i = 0; i < condition->value_count; i++) {
        if (condition->values[i].kind != POLICY_VALUE_LIST)
            continue;
        const struct policy_list *list = &source->lists[condition->values[i].index];
        size_t count = (list->names ? name_set_count(list->names) : 0) +
                       (list->networks ? network_set_count(list->networks) : 0);
        if (count > LARGE_LIST)
            return true;
    }
    return false;
}

/* When only a few conditions name large lists, it is cheaper to evaluate their rules each time than
 * to store a key for every entry. */
static bool has_few_large_lists(const struct policy_source *source)
{
    size_t count = 0;

    for (size_t i = 0; i < source->rule_count; i++) {
        for (size_t c = 0; c < source->rules[i].condition_count; c++)
            count += names_large_list(source, &source->rules[i].conditions[c]);
    }
    return count <= FEW_CONDITIONS;
}

static bool can_be_chosen(const struct index_making *making,
                          const struct policy_condition *condition)
{
    const struct policy_source *source = making->index->source;

    return condition_has_keys(condition) &&
           !(making->avoids_large_lists && names_large_list(source, condition)) &&
           (making->layer != LAYER_POSSIBLE || !condition_is_about_address(source, condition));
}

static void visit_keys(struct index_making *making, const struct policy_condition *condition,
                       key_visitor *see)
{
    condition_keys_visit(making->index->source, condition, making->layer == LAYER_ADDRESS, see,
                         making);
}

static void visit_all_keys(struct index_making *making, key_visitor *see)
{
    const struct policy_source *source = making->index->source;

    for (size_t i = 0; i < source->rule_count; i++) {
        const struct policy_rule_source *rule = &source->rules[i];

        for (size_t c = 0; c < rule->condition_count && is_in_layer(making, rule); c++) {
            if (can_be_chosen(making, &rule->conditions[c]))
                visit_keys(making, &rule->conditions[c], see);
        }
    }
}

static void count_key(void *self, const struct rule_key *key)
{
    struct index_making *making = self;

    (void)key;
    making->key_count++;
}

/* Returns the counter of the key. Keys with the same hash share one. */
static uint32_t *count_of(const struct index_making *making, const struct rule_key *key)
{
    return &making->counts[rule_key_hash(key->domain, key->hash) & making->mask];
}

static void count_users_of_key(void *self, const struct rule_key *key)
{
    ++*count_of(self, key);
}

/* KEY_NO_USER is left out of the count: evaluations without a user are rarely the ones that a rule
 * with `user` is about. */
static void find_commonest(void *self, const struct rule_key *key)
{
    struct index_making *making = self;
    uint32_t count = *count_of(making, key);

    if (key->domain != KEY_NO_USER && count > making->commonest)
        making->commonest = count;
}

/* Returns NULL when no condition can be chosen. */
static const struct policy_condition *choose_condition(struct index_making *making,
                                                       const struct policy_rule_source *rule)
{
    const struct policy_condition *chosen = NULL;
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < rule->condition_count; i++) {
        making->commonest = 0;
        if (!can_be_chosen(making, &rule->conditions[i]))
            continue;
        visit_keys(making, &rule->conditions[i], find_commonest);
        if (making->commonest < least) {
            least = making->commonest;
            chosen = &rule->conditions[i];
        }
    }
    return chosen;
}

/* -- building: the tables */

static void add_key(void *self, const struct rule_key *key)
{
    struct index_making *making = self;

    key_use_add(&making->index->use, key);
    making->index->domains[making->layer] |= 1u << key->domain;
    key_table_add(&making->index->layers[making->layer], rule_key_hash(key->domain, key->hash),
                  making->rule);
}

/* Notes the lists and groups of a condition: their entries need keys as well. */
static void note_sets(const struct index_making *making, const struct policy_condition *condition)
{
    const struct policy_source *source = making->index->source;

    for (size_t i = 0; i < condition->value_count; i++) {
        const struct policy_value *value = &condition->values[i];

        if (value->kind == POLICY_VALUE_LIST)
            making->used_sets[value->index] = true;
        else if (value->kind == POLICY_VALUE_GROUP)
            making->used_sets[source->list_count + value->index] = true;
    }
}

static void index_add_rules(struct index_making *making)
{
    static const struct rule_key every = {.domain = KEY_EVERY};
    const struct policy_source *source = making->index->source;

    for (size_t i = source->rule_count; i-- > 0;) {
        const struct policy_rule_source *rule = &source->rules[i];

        if (!is_in_layer(making, rule))
            continue;
        const struct policy_condition *chosen = choose_condition(making, rule);
        making->rule = (uint32_t)i;
        if (chosen) {
            visit_keys(making, chosen, add_key);
            note_sets(making, chosen);
        } else {
            add_key(making, &every);
        }
    }
}

static int make_layer(struct rule_index *index, enum rule_layer layer, bool *used_sets)
{
    struct index_making making = {
        .index = index, .layer = layer, .avoids_large_lists = has_few_large_lists(index->source)};
    size_t size = 1;

    making.used_sets = used_sets;
    visit_all_keys(&making, count_key);
    while (size < making.key_count * 2)
        size *= 2;
    making.counts = calloc(size, sizeof(*making.counts));
    making.mask = size - 1;
    if (!making.counts ||
        key_table_init(&index->layers[layer], making.key_count + index->source->rule_count) < 0) {
        free(making.counts);
        return -ENOMEM;
    }
    visit_all_keys(&making, count_users_of_key);
    index_add_rules(&making);
    free(making.counts);
    return 0;
}

/* -- building: lists and groups */

struct set_making {
    struct rule_index *index;
    size_t key_count;
    uint32_t set;
};

static void count_set_key(void *self, const struct rule_key *key)
{
    struct set_making *making = self;

    (void)key;
    making->key_count++;
}

/* Entries of a set are stored without a domain (KEY_EVERY), because one list may be named by
 * conditions about the host, the client and the target. */
static void add_set_key(void *self, const struct rule_key *key)
{
    struct set_making *making = self;
    const struct rule_key plain = {.domain = KEY_EVERY, .hash = key->hash, .block = key->block};

    key_use_add(&making->index->use, &plain);
    key_table_add(&making->index->sets, plain.hash, making->set);
}

static int make_sets(struct rule_index *index, const bool *used_sets)
{
    const struct policy_source *source = index->source;
    size_t set_count = source->list_count + source->group_count;
    struct set_making making = {.index = index};

    for (size_t i = 0; i < set_count; i++) {
        if (used_sets[i])
            set_keys_visit(source, i, count_set_key, &making);
    }
    if (key_table_init(&index->sets, making.key_count) < 0)
        return -ENOMEM;
    for (size_t i = set_count; i-- > 0;) {
        making.set = (uint32_t)i;
        if (used_sets[i])
            set_keys_visit(source, i, add_set_key, &making);
    }
    return 0;
}

int rule_index_init(struct rule_index *index, const struct policy_source *source)
{
    bool *used_sets = calloc(source->list_count + source->group_count + 1, sizeof(*used_sets));
    int error = used_sets ? 0 : -ENOMEM;

    *index = (struct rule_index){.source = source};
    for (unsigned layer = 0; layer < RULE_LAYER_COUNT && error == 0; layer++)
        error = make_layer(index, (enum rule_layer)layer, used_sets);
    if (error == 0)
        error = make_sets(index, used_sets);
    if (error < 0)
        rule_index_finish(index);
    free(used_sets);
    return error;
}

void rule_index_finish(struct rule_index *index)
{
    for (size_t i = 0; i < RULE_LAYER_COUNT; i++)
        key_table_finish(&index->layers[i]);
    key_table_finish(&index->sets);
    *index = (struct rule_index){0};
}

/* -- walking: a heap of chains */

static void cursor_sift_down(struct rule_cursor *cursor, size_t at)
{
    struct rule_chain *chains = cursor->chains;

    for (;;) {
        size_t child = at * 2 + 1;

        if (child >= cursor->chain_count)
            return;
        if (child + 1 < cursor->chain_count && chains[child + 1].number < chains[child].number)
            child++;
        if (chains[at].number <= chains[child].number)
            return;
        struct rule_chain lower = chains[child];
        chains[child] = chains[at];
        chains[at] = lower;
        at = child;
    }
}

/* Advances the first chain to its next rule, or removes it when it has ended. */
static void cursor_advance(struct rule_cursor *cursor)
{
    struct rule_chain *first = &cursor->chains[0];
    const struct key_entry *entry =
        cursor->layers >> first->layer & 1
            ? key_table_next(&cursor->index->layers[first->layer], first->entry)
            : NULL;

    if (entry) {
        first->entry = entry;
        first->number = entry->number;
    } else {
        *first = cursor->chains[--cursor->chain_count];
    }
    cursor_sift_down(cursor, 0);
}

static void look_up(struct rule_cursor *cursor, enum key_domain domain, uint32_t hash)
{
    uint32_t whole = rule_key_hash(domain, hash);

    for (unsigned layer = 0; layer < RULE_LAYER_COUNT; layer++) {
        if (!(cursor->layers >> layer & cursor->index->domains[layer] >> domain & 1))
            continue;
        const struct key_entry *entry = key_table_find(&cursor->index->layers[layer], whole);
        if (entry && cursor->chain_count < RULE_CURSOR_CHAINS_MAX)
            cursor->chains[cursor->chain_count++] =
                (struct rule_chain){entry->number, (enum rule_layer)layer, entry};
        else if (entry)
            cursor->is_every = true;
    }
}

static void look_up_key(void *self, const struct rule_key *key)
{
    struct rule_cursor *cursor = self;
    const struct key_table *sets = &cursor->index->sets;

    if (!(cursor->domains >> key->domain & 1))
        return;
    look_up(cursor, key->domain, key->hash);
    if (sets->count == 0)
        return;
    for (const struct key_entry *entry = key_table_find(sets, key->hash); entry;
         entry = key_table_next(sets, entry))
        look_up(cursor, key->domain, set_key_hash(entry->number));
}

void rule_cursor_init(struct rule_cursor *cursor, const struct rule_index *index,
                      const struct evaluation *evaluation)
{
    cursor->index = index;
    cursor->layers = evaluation->address_count > 0 ? 1u << LAYER_ADDRESS
                                                   : 1u << LAYER_NAME | 1u << LAYER_POSSIBLE;
    cursor->is_every = false;
    cursor->next = 0;
    cursor->chain_count = 0;
    cursor->domains = 0;
    for (unsigned layer = 0; layer < RULE_LAYER_COUNT; layer++)
        cursor->domains |= cursor->layers >> layer & 1 ? index->domains[layer] : 0;
    fact_keys_visit(evaluation, &index->use, look_up_key, cursor);
    for (size_t i = cursor->chain_count / 2; i-- > 0;)
        cursor_sift_down(cursor, i);
}

void rule_cursor_drop_possible(struct rule_cursor *cursor)
{
    cursor->layers &= ~(1u << LAYER_POSSIBLE);
}

uint32_t rule_cursor_next(struct rule_cursor *cursor)
{
    if (cursor->is_every)
        return cursor->next < cursor->index->source->rule_count ? cursor->next++ : RULE_INDEX_END;
    /* Chains of a layer that was dropped end without yielding their rules. */
    while (cursor->chain_count > 0 && !(cursor->layers >> cursor->chains[0].layer & 1))
        cursor_advance(cursor);
    if (cursor->chain_count == 0)
        return RULE_INDEX_END;
    uint32_t number = cursor->chains[0].number;
    while (cursor->chain_count > 0 && cursor->chains[0].number == number)
        cursor_advance(cursor);
    return number;
}
