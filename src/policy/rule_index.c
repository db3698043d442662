/* A rule with a `to` of nothing but names and suffixes is false for every other host. Such rules
 * stand in a hash table by each of their names, all others in the list `always`. A host is looked
 * up as itself and by each of its suffixes, and what is found is merged with the list.
 *
 * Only hashes are compared: a rule that comes along by mistake is evaluated like any other, and is
 * false. Chains ascend because rules are put in from the last to the first.
 */
#include "policy/rule_index.h"

#include "policy/policy_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_of_names(const struct policy_condition *condition)
{
    if (condition->kind != POLICY_TO || condition->is_negated)
        return false;
    for (size_t i = 0; i < condition->value_count; i++) {
        enum policy_value_kind kind = condition->values[i].kind;
        if (kind != POLICY_VALUE_NAME && kind != POLICY_VALUE_SUFFIX)
            return false;
    }
    return true;
}

/* The condition by which a rule is found, or NULL. */
static const struct policy_condition *key_condition(const struct policy_rule_source *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (is_of_names(&rule->conditions[i]))
            return &rule->conditions[i];
    }
    return NULL;
}

static int allocate(struct rule_index *index, const struct policy_rule_source *rules,
                    size_t rule_count)
{
    size_t entries = 0;
    size_t buckets = 1;

    for (size_t i = 0; i < rule_count; i++) {
        const struct policy_condition *condition = key_condition(&rules[i]);
        entries += condition ? condition->value_count : 0;
    }
    while (buckets < entries)
        buckets *= 2;
    index->always = calloc(rule_count + 1, sizeof(*index->always));
    index->buckets = malloc(buckets * sizeof(*index->buckets));
    index->entries = calloc(entries + 1, sizeof(*index->entries));
    if (!index->always || !index->buckets || !index->entries)
        return -ENOMEM;
    memset(index->buckets, 0xff, buckets * sizeof(*index->buckets)); /* RULE_INDEX_END */
    index->mask = buckets - 1;
    return 0;
}

/* A name in which a label is `*` is found by what it ends with. */
static uint32_t hash_of(const struct policy_value *value)
{
    size_t length = strlen(value->text);
    size_t tail = name_key_tail(value->text, length);

    return name_key_hash(value->text + tail, length - tail,
                         tail > 0 || value->kind == POLICY_VALUE_SUFFIX);
}

static void add_entry(struct rule_index *index, const struct policy_value *value, uint32_t rule)
{
    uint32_t hash = hash_of(value);
    uint32_t *bucket = &index->buckets[hash & index->mask];

    index->entries[index->entry_count] =
        (struct rule_index_entry){.hash = hash, .rule = rule, .next = *bucket};
    *bucket = (uint32_t)index->entry_count++;
}

int rule_index_init(struct rule_index *index, const struct policy_rule_source *rules,
                    size_t rule_count)
{
    size_t always = 0;

    if (allocate(index, rules, rule_count) < 0) {
        rule_index_finish(index);
        return -ENOMEM;
    }
    for (size_t i = 0; i < rule_count; i++) {
        if (!key_condition(&rules[i]))
            index->always[always++] = (uint32_t)i;
    }
    index->always[always] = RULE_INDEX_END;
    for (size_t i = rule_count; i-- > 0;) {
        const struct policy_condition *condition = key_condition(&rules[i]);
        for (size_t v = 0; condition && v < condition->value_count; v++)
            add_entry(index, &condition->values[v], (uint32_t)i);
    }
    return 0;
}

void rule_index_finish(struct rule_index *index)
{
    free(index->always);
    free(index->buckets);
    free(index->entries);
    *index = (struct rule_index){0};
}

/* -- walking */

/* The first entry from `at` on that has the hash, or NULL. */
static const struct rule_index_entry *entry_with(const struct rule_index *index, uint32_t at,
                                                 uint32_t hash)
{
    while (at != RULE_INDEX_END && index->entries[at].hash != hash)
        at = index->entries[at].next;
    return at == RULE_INDEX_END ? NULL : &index->entries[at];
}

static void add_chain(struct rule_cursor *cursor, uint32_t hash)
{
    const struct rule_index *index = cursor->index;
    const struct rule_index_entry *entry =
        entry_with(index, index->buckets[hash & index->mask], hash);

    if (entry)
        cursor->chains[cursor->chain_count++] = entry;
}

void rule_cursor_init(struct rule_cursor *cursor, const struct rule_index *index,
                      const struct name_key *key)
{
    cursor->index = index;
    cursor->always = index->always;
    cursor->chain_count = 0;
    if (!key || index->entry_count == 0)
        return;
    add_chain(cursor, key->hash);
    for (size_t i = 0; i < key->suffix_count; i++)
        add_chain(cursor, key->suffixes[i].hash);
}

uint32_t rule_cursor_next(struct rule_cursor *cursor)
{
    uint32_t next = *cursor->always;

    for (size_t i = 0; i < cursor->chain_count; i++) {
        if (cursor->chains[i]->rule < next)
            next = cursor->chains[i]->rule;
    }
    if (*cursor->always == next && next != RULE_INDEX_END)
        cursor->always++;
    for (size_t i = 0; i < cursor->chain_count;) {
        const struct rule_index_entry *entry = cursor->chains[i];
        while (entry && entry->rule == next)
            entry = entry_with(cursor->index, entry->next, entry->hash);
        if (entry)
            cursor->chains[i++] = entry;
        else
            cursor->chains[i] = cursor->chains[--cursor->chain_count];
    }
    return next;
}
