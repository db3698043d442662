/* Space-Saving with a hash table to find a name and an array of all entries. When a new name needs
 * a place, the smallest entry is looked for among all of them: lists are short, and a heap would
 * have to be kept in order with every addition.
 */
#include "observe/top_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct top_entry {
    struct hash_link link;
    uint64_t amount;
    uint64_t error; /* the part of `amount` that may belong to names that were here before */
    size_t place;   /* index in `entries` */
    size_t length;
    char name[];
};

/* The table needs a power of two. */
static size_t bucket_count(size_t capacity)
{
    size_t count = 1;

    while (count < capacity)
        count *= 2;
    return count;
}

int top_list_init(struct top_list *list, size_t capacity)
{
    *list = (struct top_list){.capacity = capacity};
    if (getrandom(&list->seed, sizeof(list->seed), 0) != (ssize_t)sizeof(list->seed))
        return -errno;
    struct hash_link **buckets = calloc(bucket_count(capacity), sizeof(struct hash_link *));
    list->entries = calloc(capacity, sizeof(struct top_entry *));
    if (buckets == NULL || list->entries == NULL) {
        free(buckets);
        free(list->entries);
        *list = (struct top_list){.capacity = 0};
        return -ENOMEM;
    }
    hash_table_init(&list->table, buckets, bucket_count(capacity));
    return 0;
}

void top_list_clear(struct top_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        hash_table_remove(&list->table, &list->entries[i]->link);
        free(list->entries[i]);
    }
    list->count = 0;
}

void top_list_finish(struct top_list *list)
{
    top_list_clear(list);
    free(list->table.buckets);
    free(list->entries);
    *list = (struct top_list){.capacity = 0};
}

static struct top_entry *top_list_find(const struct top_list *list, uint64_t hash, const char *name,
                                       size_t length)
{
    struct hash_link *link = hash_table_first(&list->table, hash);

    for (; link != NULL; link = hash_table_next(link)) {
        struct top_entry *entry = container_of(link, struct top_entry, link);

        if (entry->length == length && memcmp(entry->name, name, length) == 0)
            return entry;
    }
    return NULL;
}

static struct top_entry *smallest(const struct top_list *list)
{
    struct top_entry *found = list->entries[0];

    for (size_t i = 1; i < list->count; i++)
        if (list->entries[i]->amount < found->amount)
            found = list->entries[i];
    return found;
}

/* Finds a place for `entry`. When none is left, the smallest entry is freed, and `entry` inherits
 * its amount, all of it as error. */
static void take_place(struct top_list *list, struct top_entry *entry)
{
    if (list->count < list->capacity) {
        entry->place = list->count++;
    } else {
        struct top_entry *gone = smallest(list);

        entry->place = gone->place;
        entry->amount = entry->error = gone->amount;
        hash_table_remove(&list->table, &gone->link);
        free(gone);
    }
    list->entries[entry->place] = entry;
}

static struct top_entry *top_list_insert(struct top_list *list, uint64_t hash, const char *name,
                                         size_t length)
{
    struct top_entry *entry = calloc(1, sizeof(*entry) + length + 1);

    if (entry == NULL)
        return NULL;
    memcpy(entry->name, name, length);
    entry->length = length;
    take_place(list, entry);
    hash_table_insert(&list->table, &entry->link, hash);
    return entry;
}

void top_list_add(struct top_list *list, const char *name, size_t length, uint64_t amount)
{
    if (length > TOP_LIST_NAME_MAX)
        length = TOP_LIST_NAME_MAX;
    if (amount == 0 || list->capacity == 0)
        return;
    uint64_t hash = hash_bytes(&list->seed, name, length);
    struct top_entry *entry = top_list_find(list, hash, name, length);
    if (entry == NULL)
        entry = top_list_insert(list, hash, name, length);
    if (entry != NULL)
        entry->amount += amount;
}

void top_list_add_all(struct top_list *list, const struct top_list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct top_entry *entry = from->entries[i];

        top_list_add(list, entry->name, entry->length, entry->amount - entry->error);
    }
}

/* Sorts by insertion, into an array that never has more than `limit` names. `amount - error` is
 * what the name has for certain. */
size_t top_list_read(const struct top_list *list, struct top_name *ret_names, size_t limit)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct top_entry *entry = list->entries[i];
        uint64_t amount = entry->amount - entry->error;

        if (amount == 0)
            continue;
        size_t place = count < limit ? count++ : limit;
        for (; place > 0 && ret_names[place - 1].amount < amount; place--)
            if (place < limit)
                ret_names[place] = ret_names[place - 1];
        if (place < limit)
            ret_names[place] = (struct top_name){.name = entry->name, .amount = amount};
    }
    return count;
}
