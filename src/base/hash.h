/* A keyed hash (SipHash-2-4) and an intrusive hash table.
 *
 * Names come from clients, so the seed must be random wherever the table outlives one request.
 * Otherwise, a client could choose names that all meet in one bucket. The table never grows and
 * allocates nothing: the owner brings the buckets and frees the elements.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/contract.h"

#include <stddef.h>
#include <stdint.h>

struct hash_seed {
    uint64_t words[2];
};

uint64_t hash_bytes(const struct hash_seed *seed, const void *bytes, size_t length);

/* Embedded in an element. */
struct hash_link {
    struct hash_link *next;
    uint64_t hash;
};

struct hash_table {
    struct hash_link **buckets;
    size_t mask;
};

/* `count`, the number of buckets, is a power of two. */
void hash_table_init(struct hash_table *table, struct hash_link **buckets, size_t count);
/* Adds the link in front of those with the same hash. Contract: the link is in no table. */
void hash_table_insert(struct hash_table *table, struct hash_link *link, uint64_t hash);
/* Removes the link. Contract: it is in the table. */
void hash_table_remove(struct hash_table *table, struct hash_link *link);
/* Return the first and the next element with exactly this hash, or NULL. The caller compares keys.
 */
struct hash_link *hash_table_first(const struct hash_table *table, uint64_t hash);
struct hash_link *hash_table_next(const struct hash_link *link);

#endif
