/* There is one allocation per answer, as large as its name and addresses need. A hash table finds
 * an answer, and a list in order of use tells which one goes when the cache is full. No timer
 * removes what has expired: it is removed when it is looked up, or when it has become the least
 * recently used.
 */
#include "dns/dns_cache.h"

#include <stdlib.h>
#include <string.h>

struct cached {
    struct hash_link link;
    struct list by_use;
    uint64_t expires_ms;
    enum resolver_status status;
    uint8_t family;
    uint8_t name_length;
    uint8_t address_count;
    char bytes[]; /* the addresses, then the name */
};
static_assert(_Alignof(struct ip_address) == 1, "addresses stand in bytes");

/* Addresses stand first in `bytes`, so that their place does not depend on the name. */
static struct ip_address *addresses_of(struct cached *cached)
{
    return (struct ip_address *)cached->bytes;
}

static char *name_of(struct cached *cached)
{
    return cached->bytes + cached->address_count * sizeof(struct ip_address);
}

void dns_cache_init(struct dns_cache *cache)
{
    hash_table_init(&cache->table, cache->buckets, DNS_CACHE_ANSWERS_MAX);
    list_init(&cache->by_use);
    cache->count = 0;
}

static void cached_forget(struct dns_cache *cache, struct cached *cached)
{
    hash_table_remove(&cache->table, &cached->link);
    list_remove(&cached->by_use);
    cache->count--;
    free(cached);
}

static void forget_oldest(struct dns_cache *cache)
{
    cached_forget(cache, container_of(cache->by_use.next, struct cached, by_use));
}

void dns_cache_flush(struct dns_cache *cache)
{
    while (!list_is_empty(&cache->by_use))
        forget_oldest(cache);
}

static struct cached *cached_find(const struct dns_cache *cache, const struct dns_key *key)
{
    struct hash_link *link = hash_table_first(&cache->table, key->hash);

    for (; link != NULL; link = hash_table_next(link)) {
        struct cached *cached = container_of(link, struct cached, link);

        if (cached->family == key->family && cached->name_length == key->name_length &&
            memcmp(name_of(cached), key->name, key->name_length) == 0)
            return cached;
    }
    return NULL;
}

/* An answer that is used goes to the end of the list: the least recently used stands first. */
bool dns_cache_lookup(struct dns_cache *cache, const struct dns_key *key, uint64_t now_ms,
                      struct dns_answer *ret_answer)
{
    struct cached *cached = cached_find(cache, key);

    if (cached == NULL)
        return false;
    if (now_ms >= cached->expires_ms) {
        cached_forget(cache, cached);
        return false;
    }
    list_remove(&cached->by_use);
    list_append(&cache->by_use, &cached->by_use);
    ret_answer->status = cached->status;
    ret_answer->ttl_s = (uint32_t)((cached->expires_ms - now_ms + 999) / 1000);
    ret_answer->count = cached->address_count;
    memcpy(ret_answer->addresses, addresses_of(cached),
           cached->address_count * sizeof(struct ip_address));
    return true;
}

void dns_cache_insert(struct dns_cache *cache, const struct dns_key *key,
                      const struct dns_answer *answer, uint64_t now_ms)
{
    size_t addresses_size = answer->count * sizeof(struct ip_address);
    struct cached *older = cached_find(cache, key);

    REQUIRE(key->name_length <= UINT8_MAX && answer->count <= RESOLVER_ADDRESSES_MAX);
    if (older != NULL)
        cached_forget(cache, older);
    if (answer->ttl_s == 0)
        return;
    struct cached *cached = malloc(sizeof(*cached) + addresses_size + key->name_length);
    if (cached == NULL)
        return;
    if (cache->count == DNS_CACHE_ANSWERS_MAX)
        forget_oldest(cache);
    cached->expires_ms = now_ms + (uint64_t)answer->ttl_s * 1000;
    cached->status = answer->status;
    cached->family = (uint8_t)key->family;
    cached->name_length = (uint8_t)key->name_length;
    cached->address_count = (uint8_t)answer->count;
    memcpy(addresses_of(cached), answer->addresses, addresses_size);
    memcpy(name_of(cached), key->name, key->name_length);
    hash_table_insert(&cache->table, &cached->link, key->hash);
    list_append(&cache->by_use, &cached->by_use);
    cache->count++;
}
