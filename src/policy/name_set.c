/* An open-addressing table of 8 bytes a slot over one block of bytes.
 *
 * An entry in `bytes` is two bytes of length and kind, then the name. A slot has the entry's 32-bit
 * hash, of which the low bits are its home: so the table grows without looking at the names, and a
 * lookup touches `bytes` only where all 32 bits agree. At most three slots of four are taken.
 */
#include "policy/name_set.h"

#include "policy/name_key.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 8, FIRST_BYTES = 64, HEADER_BYTES = 2 };

struct slot {
    uint32_t hash;
    uint32_t offset; /* of the entry in `bytes`, plus 1; 0: free */
};

struct name_set {
    struct slot *slots;
    size_t mask; /* number of slots - 1 */
    size_t count;
    char *bytes;
    size_t used, size;
};

int name_set_create(struct name_set **ret_set)
{
    struct name_set *set = calloc(1, sizeof(*set));

    if (!set)
        return -ENOMEM;
    set->slots = calloc(FIRST_SLOTS, sizeof(*set->slots));
    set->bytes = malloc(FIRST_BYTES);
    if (!set->slots || !set->bytes) {
        name_set_destroy(set);
        return -ENOMEM;
    }
    set->mask = FIRST_SLOTS - 1;
    set->size = FIRST_BYTES;
    *ret_set = set;
    return 0;
}

void name_set_destroy(struct name_set *set)
{
    if (!set)
        return;
    free(set->slots);
    free(set->bytes);
    free(set);
}

size_t name_set_count(const struct name_set *set)
{
    return set->count;
}

/* -- looking up */

static uint16_t header_of(size_t length, bool is_suffix)
{
    return (uint16_t)(length << 1 | is_suffix);
}

static bool is_entry(const struct name_set *set, size_t offset, const char *name, size_t length,
                     bool is_suffix)
{
    uint16_t header;

    memcpy(&header, set->bytes + offset, sizeof(header));
    return header == header_of(length, is_suffix) &&
           memcmp(set->bytes + offset + HEADER_BYTES, name, length) == 0;
}

/* The slot that has the name, or the free one where it belongs. */
static struct slot *find(const struct name_set *set, uint32_t hash, const char *name, size_t length,
                         bool is_suffix)
{
    for (size_t i = hash & set->mask;; i = (i + 1) & set->mask) {
        struct slot *slot = &set->slots[i];
        if (slot->offset == 0)
            return slot;
        if (slot->hash == hash && is_entry(set, slot->offset - 1, name, length, is_suffix))
            return slot;
    }
}

bool name_set_contains_key(const struct name_set *set, const struct name_key *key)
{
    if (key->length > NAME_SET_LENGTH_MAX)
        return false;
    if (find(set, key->hash, key->name, key->length, false)->offset != 0)
        return true;
    for (size_t i = 0; i < key->suffix_count; i++) {
        size_t offset = key->suffixes[i].offset;
        if (find(set, key->suffixes[i].hash, key->name + offset, key->length - offset, true)
                ->offset != 0)
            return true;
    }
    return false;
}

bool name_set_contains(const struct name_set *set, const char *name, size_t length)
{
    struct name_key key;

    name_key_init(&key, name, length);
    return name_set_contains_key(set, &key);
}

/* -- adding */

static int grow_slots(struct name_set *set)
{
    size_t count = (set->mask + 1) * 2;
    struct slot *slots = calloc(count, sizeof(*slots));

    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i <= set->mask; i++) {
        const struct slot *from = &set->slots[i];
        if (from->offset == 0)
            continue;
        size_t to = from->hash & (count - 1);
        while (slots[to].offset != 0)
            to = (to + 1) & (count - 1);
        slots[to] = *from;
    }
    free(set->slots);
    set->slots = slots;
    set->mask = count - 1;
    return 0;
}

/* By half and not to the double: what is unused counts, too. */
static int grow_bytes(struct name_set *set, size_t wanted)
{
    size_t size = set->size + set->size / 2;

    if (size < wanted)
        size = wanted;
    if (size > UINT32_MAX)
        return -ENOMEM;
    char *bytes = malloc(size);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, set->bytes, set->used);
    free(set->bytes);
    set->bytes = bytes;
    set->size = size;
    return 0;
}

int name_set_add(struct name_set *set, const char *name, size_t length, bool is_suffix)
{
    uint32_t hash = name_key_hash(name, length, is_suffix);
    size_t needed = set->used + HEADER_BYTES + length;
    uint16_t header = header_of(length, is_suffix);

    REQUIRE(length <= NAME_SET_LENGTH_MAX);
    if (find(set, hash, name, length, is_suffix)->offset != 0)
        return 0;
    if (needed > set->size && grow_bytes(set, needed) < 0)
        return -ENOMEM;
    if ((set->count + 1) * 4 > (set->mask + 1) * 3 && grow_slots(set) < 0)
        return -ENOMEM;
    memcpy(set->bytes + set->used, &header, sizeof(header));
    memcpy(set->bytes + set->used + HEADER_BYTES, name, length);
    *find(set, hash, name, length, is_suffix) =
        (struct slot){.hash = hash, .offset = (uint32_t)set->used + 1};
    set->used = needed;
    set->count++;
    return 0;
}
