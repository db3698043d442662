/* The hashes are in a table with open addressing, and each has a chain of entries. Slots are
 * compared by whole hashes, so that a long chain costs time only to lookups of its own hash.
 *
 * The surprise: two keys with the same hash share a chain. So the numbers that a lookup finds are
 * only hints, and whoever asks must check them.
 */
#include "policy/key_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int key_table_init(struct key_table *table, size_t size)
{
    size_t slots = 1;

    while (slots <= size + size / 2) /* at least one slot stays free, so that every search ends */
        slots *= 2;
    *table = (struct key_table){.mask = slots - 1, .size = size};
    table->slots = malloc(slots * sizeof(*table->slots));
    table->entries = malloc((size + 1) * sizeof(*table->entries));
    if (size >= KEY_TABLE_END || !table->slots || !table->entries) {
        key_table_finish(table);
        return -ENOMEM;
    }
    memset(table->slots, 0xff, slots * sizeof(*table->slots)); /* KEY_TABLE_END */
    return 0;
}

void key_table_finish(struct key_table *table)
{
    free(table->slots);
    free(table->entries);
    *table = (struct key_table){0};
}

void key_table_add(struct key_table *table, uint32_t hash, uint32_t number)
{
    struct key_slot *slot = key_table_slot(table, hash);

    if (slot->first != KEY_TABLE_END && table->entries[slot->first].number == number)
        return;
    REQUIRE(table->count < table->size);
    table->entries[table->count] = (struct key_entry){.number = number, .next = slot->first};
    *slot = (struct key_slot){.hash = hash, .first = (uint32_t)table->count++};
}
