/* An open-addressing table with slots of 8 bytes refers to entries in one block of bytes.
 *
 * An entry in `bytes` is two bytes of length and kind, then the name. A slot has the entry's 32-bit
 * hash, whose low bits say where the entry belongs. So the table grows without looking at the
 * names, and a lookup touches `bytes` only where all 32 bits agree. At most three of four slots are
 * taken.
 *
 * A name with a label `*` is an entry like any other. Its shape is noted, too: how many labels it
 * has and which of them are `*`. A name is then looked up once more for each shape, with `*` in
 * place of its own labels there. This is cheap because people write few shapes, however many names.
 */
#include "policy/name_set.h"

#include "policy/name_key.h"
#include "policy/name_pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 8, FIRST_BYTES = 64, HEADER_BYTES = 2, FIRST_SHAPES = 4, HOST_MAX = 253 };

struct slot {
    uint32_t hash;
    uint32_t offset; /* offset of the entry in `bytes`, plus 1; 0: the slot is free */
};

/* A shape is stored as a reference to the first name that had it. */
struct shape {
    uint32_t offset; /* offset of that name in `bytes` */
    uint16_t length;
    uint16_t label_count;
    bool is_suffix;
};

struct name_set {
    struct slot *slots;
    size_t mask; /* number of slots - 1 */
    size_t count;
    char *bytes;
    size_t used, size;
    struct shape *shapes;
    size_t shape_count, shape_size;
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
    free(set->shapes);
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

/* Returns the slot that has the name, or the free one where it belongs. */
static struct slot *name_slot_find(const struct name_set *set, uint32_t hash, const char *name,
                                   size_t length, bool is_suffix)
{
    for (size_t i = hash & set->mask;; i = (i + 1) & set->mask) {
        struct slot *slot = &set->slots[i];
        if (slot->offset == 0)
            return slot;
        if (slot->hash == hash && is_entry(set, slot->offset - 1, name, length, is_suffix))
            return slot;
    }
}

/* Writes `name` with a `*` wherever the shape has one. Both must have the same number of labels.
 * Returns the length, or 0 when a label is empty. */
static size_t put_into_shape(const struct name_set *set, const struct shape *shape,
                             const char *name, const char *end, char *out)
{
    const char *like = set->bytes + shape->offset;
    const char *like_end = like + shape->length;
    size_t length = 0;

    for (unsigned label = 0; label < shape->label_count; label++) {
        size_t own = name_label_length(name, end);
        size_t wanted = name_label_length(like, like_end);
        bool is_any = name_label_is_star(like, wanted);

        if (own == 0)
            return 0;
        if (label > 0)
            out[length++] = '.';
        memcpy(out + length, is_any ? like : name, is_any ? 1 : own);
        length += is_any ? 1 : own;
        name += own + 1;
        like += wanted + 1;
    }
    return length;
}

static bool has_shaped(const struct name_set *set, const struct shape *shape,
                       const struct name_key *key)
{
    size_t label_count = key->suffix_count + 1;
    size_t start = 0;
    char text[HOST_MAX];

    if (shape->is_suffix ? label_count <= shape->label_count : label_count != shape->label_count)
        return false;
    if (shape->is_suffix)
        start = key->suffixes[shape->label_count - 1].offset;
    size_t length = put_into_shape(set, shape, key->name + start, key->name + key->length, text);
    uint32_t hash = name_key_hash(text, length, shape->is_suffix);
    return length > 0 && name_slot_find(set, hash, text, length, shape->is_suffix)->offset != 0;
}

bool name_set_contains_key(const struct name_set *set, const struct name_key *key)
{
    if (key->length > NAME_SET_LENGTH_MAX)
        return false;
    if (name_slot_find(set, key->hash, key->name, key->length, false)->offset != 0)
        return true;
    for (size_t i = 0; i < key->suffix_count; i++) {
        size_t offset = key->suffixes[i].offset;
        if (name_slot_find(set, key->suffixes[i].hash, key->name + offset, key->length - offset,
                           true)
                ->offset != 0)
            return true;
    }
    for (size_t i = 0; i < set->shape_count && key->length <= HOST_MAX; i++) {
        if (has_shaped(set, &set->shapes[i], key))
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

void name_set_visit(const struct name_set *set,
                    void (*visit)(void *self, const char *name, size_t length, bool is_suffix),
                    void *self)
{
    for (size_t at = 0; at < set->used;) {
        uint16_t header;

        memcpy(&header, set->bytes + at, sizeof(header));
        size_t length = header >> 1;
        visit(self, set->bytes + at + HEADER_BYTES, length, header & 1);
        at += HEADER_BYTES + length;
    }
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

/* The block of bytes grows only by half, because what is allocated but not used counts as memory,
 * too. */
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
    if (name_slot_find(set, hash, name, length, is_suffix)->offset != 0)
        return 0;
    if (needed > set->size && grow_bytes(set, needed) < 0)
        return -ENOMEM;
    if ((set->count + 1) * 4 > (set->mask + 1) * 3 && grow_slots(set) < 0)
        return -ENOMEM;
    memcpy(set->bytes + set->used, &header, sizeof(header));
    memcpy(set->bytes + set->used + HEADER_BYTES, name, length);
    *name_slot_find(set, hash, name, length, is_suffix) =
        (struct slot){.hash = hash, .offset = (uint32_t)set->used + 1};
    set->used = needed;
    set->count++;
    return 0;
}

/* -- shapes */

static struct shape make_shape(const struct name_set *set, size_t length, bool is_suffix)
{
    const char *name = set->bytes + set->used - length;
    struct shape shape = {.offset = (uint32_t)(set->used - length),
                          .length = (uint16_t)length,
                          .label_count = 1,
                          .is_suffix = is_suffix};

    for (size_t i = 0; i < length; i++)
        shape.label_count += name[i] == '.';
    return shape;
}

static bool is_same_shape(const struct name_set *set, const struct shape *a, const struct shape *b)
{
    const char *one = set->bytes + a->offset;
    const char *other = set->bytes + b->offset;
    const char *one_end = one + a->length;
    const char *other_end = other + b->length;

    if (a->is_suffix != b->is_suffix || a->label_count != b->label_count)
        return false;
    for (unsigned label = 0; label < a->label_count; label++) {
        size_t one_length = name_label_length(one, one_end);
        size_t other_length = name_label_length(other, other_end);
        if (name_label_is_star(one, one_length) != name_label_is_star(other, other_length))
            return false;
        one += one_length + 1;
        other += other_length + 1;
    }
    return true;
}

static int grow_shapes(struct name_set *set)
{
    size_t size = set->shape_size > 0 ? set->shape_size * 2 : FIRST_SHAPES;
    struct shape *shapes = malloc(size * sizeof(*shapes));

    if (!shapes)
        return -ENOMEM;
    if (set->shape_count > 0)
        memcpy(shapes, set->shapes, set->shape_count * sizeof(*shapes));
    free(set->shapes);
    set->shapes = shapes;
    set->shape_size = size;
    return 0;
}

int name_set_add_host(struct name_set *set, const char *name, size_t length, bool is_suffix)
{
    size_t count = set->count;

    REQUIRE(length <= HOST_MAX);
    if (name_set_add(set, name, length, is_suffix) < 0)
        return -ENOMEM;
    if (set->count == count || name_key_tail(name, length) == 0)
        return 0;
    struct shape shape = make_shape(set, length, is_suffix);
    for (size_t i = 0; i < set->shape_count; i++) {
        if (is_same_shape(set, &set->shapes[i], &shape))
            return 0;
    }
    if (set->shape_count == set->shape_size && grow_shapes(set) < 0)
        return -ENOMEM;
    set->shapes[set->shape_count++] = shape;
    return 0;
}
