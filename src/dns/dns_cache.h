/* Answers by name and family, for as long as their TTL allows. No IO; the caller brings the time.
 *
 * Bounded: when it is full, the answer that was not used for the longest time goes.
 */
#ifndef DNS_DNS_CACHE_H
#define DNS_DNS_CACHE_H

#include "base/hash.h"
#include "base/list.h"
#include "dns/dns_answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 4,096 names with two families each. */
#define DNS_CACHE_ANSWERS_MAX 8192

/* What is asked. `hash` is the hash_bytes of the name, under the owner's random seed. */
struct dns_key {
    const char *name; /* normalised (wire/authority.h) */
    size_t name_length;
    enum ip_family family;
    uint64_t hash;
};

/* Members are private. */
struct dns_cache {
    struct hash_table table;
    struct hash_link *buckets[DNS_CACHE_ANSWERS_MAX];
    struct list by_use; /* the least recently used first */
    size_t count;
};

void dns_cache_init(struct dns_cache *cache);
/* Forgets everything; the cache can be used on. */
void dns_cache_flush(struct dns_cache *cache);
/* Returns whether the cache has an answer that is still valid. The TTL in `ret_answer` is what is
 * left of it, rounded up. */
bool dns_cache_lookup(struct dns_cache *cache, const struct dns_key *key, uint64_t now_ms,
                      struct dns_answer *ret_answer);
/* Replaces an older answer. Keeps nothing when the TTL is 0 or memory is short. */
void dns_cache_insert(struct dns_cache *cache, const struct dns_key *key,
                      const struct dns_answer *answer, uint64_t now_ms);

#endif
