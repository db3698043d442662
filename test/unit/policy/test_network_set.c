/* policy/network_set against a plain list of blocks, and memory that runs out. */
#include "policy/network_set.h"

#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int allocations_left = -1; /* negative: no limit */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool may_allocate(void)
{
    if (allocations_left == 0)
        return false;
    if (allocations_left > 0)
        allocations_left--;
    return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

static struct network_set *create(void)
{
    struct network_set *set;

    assert_int_equal(network_set_create(&set), 0);
    return set;
}

static void add(struct network_set *set, const char *text)
{
    struct ip_network network;

    assert_int_equal(ip_network_parse(text, strlen(text), &network), 0);
    assert_int_equal(network_set_add(set, &network), 0);
}

static bool network_has_no_host_bits(const struct ip_network *network)
{
    for (unsigned bit = network->prefix_length; bit < 128; bit++) {
        if (network->address.bytes[bit / 8] & 0x80 >> bit % 8)
            return false;
    }
    return true;
}

/* The length of the longest block, -1: none. */
static int find(const struct network_set *set, const char *text)
{
    struct ip_address address;
    struct ip_network longest;

    assert_int_equal(ip_address_parse(text, strlen(text), &address), 0);
    bool is_there = network_set_find_longest(set, &address, &longest);
    assert_int_equal(network_set_contains(set, &address), is_there);
    if (!is_there)
        return -1;
    assert_true(ip_network_contains(&longest, &address));
    assert_true(network_has_no_host_bits(&longest));
    return longest.prefix_length;
}

static void finds_the_longest_block(void **state)
{
    struct network_set *set = create();

    assert_int_equal(find(set, "10.0.0.1"), -1);
    add(set, "10.1.0.0/16");
    add(set, "10.0.0.0/8");
    add(set, "10.1.2.3");
    add(set, "fc00::/7");
    add(set, "2001:db8::1");
    assert_int_equal(find(set, "10.1.2.3"), 32);
    assert_int_equal(find(set, "10.1.2.2"), 16);
    assert_int_equal(find(set, "10.2.0.0"), 8);
    assert_int_equal(find(set, "11.0.0.0"), -1);
    assert_int_equal(find(set, "9.255.255.255"), -1);
    assert_int_equal(find(set, "fdff::1"), 7);
    assert_int_equal(find(set, "fe00::1"), -1);
    assert_int_equal(find(set, "2001:db8::1"), 128);
    assert_int_equal(find(set, "2001:db8::2"), -1);
    assert_int_equal(find(set, "a00::"), -1); /* the bits of 10.0.0.0 */
    add(set, "0.0.0.0/0");
    assert_int_equal(find(set, "11.0.0.0"), 0);
    assert_int_equal(find(set, "::"), -1);
    assert_int_equal(network_set_count(set), 6);
    add(set, "0.0.0.0/0");
    add(set, "10.1.2.3");
    assert_int_equal(network_set_count(set), 6);
    network_set_destroy(set);
}

/* The place where two blocks part becomes a block itself. */
static void turns_a_branch_into_a_block(void **state)
{
    struct network_set *set = create();

    add(set, "1.1.1.1");
    add(set, "224.0.0.0/3");
    assert_int_equal(find(set, "10.0.0.1"), -1);
    add(set, "0.0.0.0/0");
    assert_int_equal(find(set, "10.0.0.1"), 0);
    assert_int_equal(find(set, "225.0.0.1"), 3);
    network_set_destroy(set);
}

/* Blocks close together, so that they nest and part at every length. */
static struct ip_network random_network(uint32_t number)
{
    static const struct hash_seed seed = {{5, 7}};
    static const uint8_t parting[] = {0x81, 0x85, 0x10, 0x1f};
    uint64_t random = hash_bytes(&seed, &number, sizeof(number));
    bool is_v4 = random & 1;
    struct ip_network network = {.address.family = is_v4 ? IP_V4 : IP_V6};
    unsigned width = is_v4 ? 32 : 128;

    network.prefix_length = (uint8_t)(random >> 1 & (width - 1));
    network.prefix_length += network.prefix_length > 0; /* 0 would have everything */
    for (unsigned i = 0; i < width / 8; i++)
        network.address.bytes[i] = parting[random >> (8 + 2 * i) & 3];
    for (unsigned bit = network.prefix_length; bit < width; bit++)
        network.address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return network;
}

static void agrees_with_a_list(void **state)
{
    enum { COUNT = 600 };
    static struct ip_network networks[COUNT];
    struct network_set *set = create();

    for (uint32_t i = 0; i < COUNT; i++) {
        networks[i] = random_network(i);
        assert_int_equal(network_set_add(set, &networks[i]), 0);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        struct ip_address address = random_network(i).address;
        struct ip_network longest;
        int expected = -1;

        for (size_t n = 0; n < COUNT; n++) {
            if (ip_network_contains(&networks[n], &address) && networks[n].prefix_length > expected)
                expected = networks[n].prefix_length;
        }
        bool is_there = network_set_find_longest(set, &address, &longest);
        assert_int_equal(is_there ? longest.prefix_length : -1, expected);
        assert_true(!is_there || network_has_no_host_bits(&longest));
    }
    network_set_destroy(set);
}

static void survives_every_allocation_failure(void **state)
{
    int failures = 0;

    for (bool is_done = false; !is_done; failures++) {
        struct network_set *set = NULL;
        struct ip_network network;

        allocations_left = failures;
        int result = network_set_create(&set);
        for (uint32_t i = 0; result == 0 && i < 100; i++) {
            network = random_network(i);
            result = network_set_add(set, &network);
        }
        allocations_left = -1;
        is_done = result == 0;
        if (!is_done)
            assert_int_equal(result, -ENOMEM);
        network_set_destroy(set);
    }
    assert_true(failures > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_longest_block),
        cmocka_unit_test(turns_a_branch_into_a_block),
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("policy/network_set", tests, NULL, NULL);
}
