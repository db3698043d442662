/* A table from a hash to numbers, in ascending order: a rule_index is made of such tables. Private
 * to policy/. */
#ifndef POLICY_KEY_TABLE_H
#define POLICY_KEY_TABLE_H

#include "base/contract.h"

#include <stddef.h>
#include <stdint.h>

#define KEY_TABLE_END UINT32_MAX

struct key_entry {
    uint32_t number;
    uint32_t next; /* index of the next entry of the chain; KEY_TABLE_END: none */
};

struct key_slot {
    uint32_t hash;
    uint32_t first; /* index of the chain's first entry; KEY_TABLE_END: the slot is free */
};

struct key_table {
    struct key_slot *slots;
    size_t mask; /* number of slots - 1 */
    struct key_entry *entries;
    size_t count, size;
};

/* Makes room for at most `size` entries, at up to 32 bytes each. Returns 0 or -ENOMEM; after a
 * failure there is nothing to finish. */
int key_table_init(struct key_table *table, size_t size) MUST_CHECK;
/* Harmless on a table that is all zeroes. */
void key_table_finish(struct key_table *table);
/* Adds a number to the chain of the hash. Contract: numbers come in descending order, because each
 * one is put in front of its chain. Adding the same number twice is harmless. */
void key_table_add(struct key_table *table, uint32_t hash, uint32_t number);
/* Returns the slot that has the hash, or the free one where it belongs. */
static inline struct key_slot *key_table_slot(const struct key_table *table, uint32_t hash)
{
    size_t at = hash & table->mask;

    while (table->slots[at].first != KEY_TABLE_END && table->slots[at].hash != hash)
        at = (at + 1) & table->mask;
    return &table->slots[at];
}
/* Returns the entry with the lowest number, or NULL. */
static inline const struct key_entry *key_table_find(const struct key_table *table, uint32_t hash)
{
    const struct key_slot *slot = key_table_slot(table, hash);

    return slot->first == KEY_TABLE_END ? NULL : &table->entries[slot->first];
}
/* Returns the entry that follows, or NULL. */
static inline const struct key_entry *key_table_next(const struct key_table *table,
                                                     const struct key_entry *entry)
{
    return entry->next == KEY_TABLE_END ? NULL : &table->entries[entry->next];
}

#endif
