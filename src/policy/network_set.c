/* One path-compressed binary trie (Patricia) per family. A node has a prefix that is longer than
 * its parent's; it is either a block of the set, or a branch where the ways to two blocks part. So
 * there are at most two nodes per block, and a lookup visits only nodes where something is decided.
 *
 * Nodes lie in one array and refer to each other by index; the index 0 means that there is no node.
 */
#include "policy/network_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_NODES = 4 };

struct node {
    uint8_t bits[16];
    uint8_t length; /* of the prefix */
    bool is_block;  /* false: it is only a branch */
    uint8_t family;
    uint32_t children[2];
};

struct network_set {
    struct node *nodes;
    size_t used, size;
    size_t count;
    uint32_t roots[2]; /* IPv4, IPv6 */
};

int network_set_create(struct network_set **ret_set)
{
    struct network_set *set = calloc(1, sizeof(*set));

    if (!set)
        return -ENOMEM;
    set->nodes = calloc(FIRST_NODES, sizeof(*set->nodes));
    if (!set->nodes) {
        free(set);
        return -ENOMEM;
    }
    set->size = FIRST_NODES;
    set->used = 1;
    *ret_set = set;
    return 0;
}

void network_set_destroy(struct network_set *set)
{
    if (!set)
        return;
    free(set->nodes);
    free(set);
}

size_t network_set_count(const struct network_set *set)
{
    return set->count;
}

/* -- bits */

static unsigned bit_at(const uint8_t *bits, unsigned at)
{
    return bits[at / 8] >> (7 - at % 8) & 1;
}

/* Returns how many of the first `limit` bits are equal in both. */
static unsigned common_length(const uint8_t *a, const uint8_t *b, unsigned limit)
{
    for (unsigned i = 0; i * 8 < limit; i++) {
        unsigned difference = a[i] ^ b[i];
        if (difference != 0) {
            unsigned length = i * 8 + (unsigned)__builtin_clz(difference) - 24;
            return length < limit ? length : limit;
        }
    }
    return limit;
}

static unsigned root_of(const struct ip_address *address)
{
    REQUIRE(address->family == IP_V4 || address->family == IP_V6);
    return address->family == IP_V6;
}

/* -- looking up */

bool network_set_find_longest(const struct network_set *set, const struct ip_address *address,
                              struct ip_network *ret_network)
{
    unsigned width = address->family == IP_V4 ? 32 : 128;
    const struct node *longest = NULL;
    uint32_t at = set->roots[root_of(address)];

    while (at != 0) {
        const struct node *node = &set->nodes[at];
        /* A branch is not compared itself: the blocks below it begin with the same bits and are
         * compared. */
        if (node->is_block) {
            if (common_length(node->bits, address->bytes, node->length) < node->length)
                break;
            longest = node;
        }
        if (node->length == width)
            break;
        at = node->children[bit_at(address->bytes, node->length)];
    }
    if (!longest)
        return false;
    ret_network->address.family = address->family;
    memcpy(ret_network->address.bytes, longest->bits, sizeof(longest->bits));
    ret_network->prefix_length = longest->length;
    return true;
}

bool network_set_contains(const struct network_set *set, const struct ip_address *address)
{
    struct ip_network ignored;

    return network_set_find_longest(set, address, &ignored);
}

void network_set_visit(const struct network_set *set,
                       void (*visit)(void *self, const struct ip_network *network), void *self)
{
    for (size_t i = 1; i < set->used; i++) {
        const struct node *node = &set->nodes[i];
        struct ip_network network = {.address.family = node->family, .prefix_length = node->length};

        memcpy(network.address.bytes, node->bits, sizeof(node->bits));
        if (node->is_block)
            visit(self, &network);
    }
}

/* -- adding */

/* Makes room for the two nodes that one block may need. */
static int reserve(struct network_set *set)
{
    if (set->used + 2 <= set->size)
        return 0;
    size_t size = set->size * 2;
    if (size > UINT32_MAX)
        return -ENOMEM;
    struct node *nodes = calloc(size, sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    memcpy(nodes, set->nodes, set->used * sizeof(*nodes));
    free(set->nodes);
    set->nodes = nodes;
    set->size = size;
    return 0;
}

/* The bits behind the prefix are cleared, because a branch may become a block later. */
static uint32_t take_node(struct network_set *set, const struct ip_address *address,
                          unsigned length)
{
    const uint8_t *bits = address->bytes;
    uint32_t at = (uint32_t)set->used++;
    struct node *node = &set->nodes[at];

    memcpy(node->bits, bits, length / 8);
    if (length % 8 != 0)
        node->bits[length / 8] = bits[length / 8] & (uint8_t)(0xff00u >> length % 8);
    node->length = (uint8_t)length;
    node->family = address->family;
    return at;
}

static uint32_t take_block(struct network_set *set, const struct ip_network *network)
{
    uint32_t at = take_node(set, &network->address, network->prefix_length);

    set->nodes[at].is_block = true;
    set->count++;
    return at;
}

/* Puts the block above `*link`, or beside it under a new branch. `common` is the number of bits
 * that both share. */
static void split(struct network_set *set, uint32_t *link, const struct ip_network *network,
                  unsigned common)
{
    uint32_t old = *link;
    unsigned old_bit = bit_at(set->nodes[old].bits, common);

    if (common == network->prefix_length) {
        *link = take_block(set, network);
    } else {
        *link = take_node(set, &network->address, common);
        set->nodes[*link].children[!old_bit] = take_block(set, network);
    }
    set->nodes[*link].children[old_bit] = old;
}

int network_set_add(struct network_set *set, const struct ip_network *network)
{
    const uint8_t *bits = network->address.bytes;
    unsigned length = network->prefix_length;
    uint32_t *link = &set->roots[root_of(&network->address)];

    if (reserve(set) < 0)
        return -ENOMEM;
    while (*link != 0) {
        struct node *node = &set->nodes[*link];
        unsigned shorter = node->length < length ? node->length : length;
        unsigned common = common_length(node->bits, bits, shorter);
        if (common < node->length) {
            split(set, link, network, common);
            return 0;
        }
        if (node->length == length) {
            set->count += !node->is_block;
            node->is_block = true;
            return 0;
        }
        link = &node->children[bit_at(bits, node->length)];
    }
    *link = take_block(set, network);
    return 0;
}
