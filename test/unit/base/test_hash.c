/* base/hash: the published vectors of SipHash-2-4; a table against a plain array. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

static void agrees_with_the_published_vectors(void **state)
{
    /* Key 00..0f, input 00, 01, 02...; from the reference implementation's vectors.h. */
    static const struct {
        size_t length;
        uint64_t hash;
    } rows[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
        {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
    };
    struct hash_seed seed = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    uint8_t input[16];

    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_true(hash_bytes(&seed, input, rows[i].length) == rows[i].hash);
}

struct element {
    struct hash_link link;
    unsigned key;
    bool is_in;
};

static bool has(const struct hash_table *table, uint64_t hash, unsigned key)
{
    for (struct hash_link *link = hash_table_first(table, hash); link != NULL;
         link = hash_table_next(link))
        if (container_of(link, struct element, link)->key == key)
            return true;
    return false;
}

/* Few buckets and fewer hashes: chains, and different keys with the very same hash. */
static void finds_what_is_in_it(void **state)
{
    struct hash_link *buckets[4];
    struct hash_table table;
    struct element elements[64] = {0};
    uint32_t random = 1;

    hash_table_init(&table, buckets, ARRAY_LENGTH(buckets));
    for (unsigned step = 0; step < 2000; step++) {
        random = random * 1664525 + 1013904223;
        unsigned key = random >> 16 & 63;
        struct element *element = &elements[key];

        element->key = key;
        if (element->is_in)
            hash_table_remove(&table, &element->link);
        else
            hash_table_insert(&table, &element->link, key % 16);
        element->is_in = !element->is_in;
        for (unsigned i = 0; i < ARRAY_LENGTH(elements); i++)
            assert_int_equal(has(&table, i % 16, i), elements[i].is_in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_published_vectors),
        cmocka_unit_test(finds_what_is_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
