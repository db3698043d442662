/* SipHash-2-4 after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), and a table
 * of chains. The hash of every element is kept, so that a chain is searched without touching the
 * keys.
 */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

/* Loads at most eight bytes, little endian on every machine, so that the published test vectors
 * hold everywhere. */
static uint64_t load_word(const uint8_t *bytes, size_t length)
{
    uint64_t word = 0;

    memcpy(&word, bytes, length);
    return le64toh(word);
}

static inline void sip_round(struct sip_state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static void sip_absorb(struct sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

uint64_t hash_bytes(const struct hash_seed *seed, const void *bytes, size_t length)
{
    const uint8_t *next = bytes;
    size_t left = length;
    struct sip_state s = {
        .v0 = seed->words[0] ^ 0x736f6d6570736575, /* "somepseudorandomlygeneratedbytes" */
        .v1 = seed->words[1] ^ 0x646f72616e646f6d,
        .v2 = seed->words[0] ^ 0x6c7967656e657261,
        .v3 = seed->words[1] ^ 0x7465646279746573,
    };

    for (; left >= 8; left -= 8, next += 8)
        sip_absorb(&s, load_word(next, 8));
    sip_absorb(&s, (uint64_t)length << 56 | load_word(next, left));
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void hash_table_init(struct hash_table *table, struct hash_link **buckets, size_t count)
{
    REQUIRE(count > 0 && (count & (count - 1)) == 0);
    for (size_t i = 0; i < count; i++)
        buckets[i] = NULL;
    table->buckets = buckets;
    table->mask = count - 1;
}

void hash_table_insert(struct hash_table *table, struct hash_link *link, uint64_t hash)
{
    struct hash_link **bucket = &table->buckets[hash & table->mask];

    link->hash = hash;
    link->next = *bucket;
    *bucket = link;
}

void hash_table_remove(struct hash_table *table, struct hash_link *link)
{
    struct hash_link **at = &table->buckets[link->hash & table->mask];

    while (*at != link) {
        REQUIRE(*at != NULL);
        at = &(*at)->next;
    }
    *at = link->next;
    link->next = NULL;
}

static struct hash_link *same_hash(struct hash_link *link, uint64_t hash)
{
    while (link != NULL && link->hash != hash)
        link = link->next;
    return link;
}

struct hash_link *hash_table_first(const struct hash_table *table, uint64_t hash)
{
    return same_hash(table->buckets[hash & table->mask], hash);
}

struct hash_link *hash_table_next(const struct hash_link *link)
{
    return same_hash(link->next, link->hash);
}
