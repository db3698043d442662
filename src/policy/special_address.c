/* The special-purpose addresses.
 *
 * There is one table of blocks, from the IANA registries (RFC 6890 and its updates) and with what
 * clouds use besides. Then there are the IPv6 forms that carry an IPv4 address and are routed to
 * it: such an address is as special as the one inside. The surprise: 64:ff9b::/96 is not in the
 * table although IANA lists it, because machines in IPv6-only networks reach the IPv4 internet
 * through it. An address there is judged only by the address inside. IPv4-mapped addresses never
 * come here, since struct ip_address holds them as IPv4.
 */
#include "policy/special_address.h"

#include <string.h>

static const struct ip_network blocks[] = {
    {{IP_V4, {0}}, 8},                          /* this network, RFC 791 */
    {{IP_V4, {10}}, 8},                         /* private, RFC 1918 */
    {{IP_V4, {100, 64}}, 10},                   /* shared by carriers, RFC 6598 */
    {{IP_V4, {127}}, 8},                        /* loopback */
    {{IP_V4, {169, 254}}, 16},                  /* link-local, cloud metadata */
    {{IP_V4, {172, 16}}, 12},                   /* private */
    {{IP_V4, {192, 0, 0}}, 24},                 /* protocol assignments, RFC 6890 */
    {{IP_V4, {192, 0, 2}}, 24},                 /* documentation */
    {{IP_V4, {192, 88, 99}}, 24},               /* 6to4 relays, RFC 7526 */
    {{IP_V4, {192, 168}}, 16},                  /* private */
    {{IP_V4, {198, 18}}, 15},                   /* benchmarks, RFC 2544 */
    {{IP_V4, {198, 51, 100}}, 24},              /* documentation */
    {{IP_V4, {203, 0, 113}}, 24},               /* documentation */
    {{IP_V4, {224}}, 4},                        /* multicast */
    {{IP_V4, {240}}, 4},                        /* reserved, and 255.255.255.255 */
    {{IP_V4, {168, 63, 129, 16}}, 32},          /* the host agent of a large cloud */
    {{IP_V6, {0}}, 96},                         /* ::, ::1 and IPv4-compatible ones, RFC 4291 */
    {{IP_V6, {[8] = 0xff, 0xff}}, 96},          /* IPv4-translated, RFC 7915 */
    {{IP_V6, {0, 0x64, 0xff, 0x9b, 0, 1}}, 48}, /* local translation, RFC 8215 */
    {{IP_V6, {1}}, 64},                         /* discard, RFC 6666 */
    {{IP_V6, {0x20, 1}}, 23},                   /* protocol assignments, with Teredo 2001::/32 */
    {{IP_V6, {0x20, 1, 0x0d, 0xb8}}, 32},       /* documentation */
    {{IP_V6, {0x20, 2}}, 16},                   /* 6to4, RFC 3056 */
    {{IP_V6, {0x3f, 0xff}}, 20},                /* documentation, RFC 9637 */
    {{IP_V6, {0x5f}}, 16},                      /* SRv6 segment ids, RFC 9602 */
    {{IP_V6, {0xfc}}, 7},                       /* unique local, RFC 4193 */
    {{IP_V6, {0xfe, 0x80}}, 10},                /* link-local */
    {{IP_V6, {0xfe, 0xc0}}, 10},                /* site-local, RFC 3879 */
    {{IP_V6, {0xff}}, 8},                       /* multicast */
};

/* Comparing the first byte excludes nearly all blocks at once. That is worth it because every dial
 * comes here. */
static bool is_in_table(const struct ip_address *address)
{
    for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
        const struct ip_network *block = &blocks[i];
        if ((block->prefix_length < 8 || block->address.bytes[0] == address->bytes[0]) &&
            ip_network_contains(block, address))
            return true;
    }
    return false;
}

static const uint8_t nat64_prefix[12] = {0, 0x64, 0xff, 0x9b}; /* RFC 6052 */

bool special_address_from_nat64(const struct ip_address *address, struct ip_address *ret_v4)
{
    if (address->family != IP_V6 || memcmp(address->bytes, nat64_prefix, sizeof(nat64_prefix)) != 0)
        return false;
    *ret_v4 = ip_address_from_v4(address->bytes + 12);
    return true;
}

struct ip_address special_address_to_nat64(const struct ip_address *v4)
{
    struct ip_address address = {.family = IP_V6};

    memcpy(address.bytes, nat64_prefix, sizeof(nat64_prefix));
    memcpy(address.bytes + sizeof(nat64_prefix), v4->bytes, 4);
    return address;
}

/* ISATAP (RFC 5214 6.1): 0000:5efe or 0200:5efe opens the interface identifier. */
static bool is_isatap(const struct ip_address *address)
{
    const uint8_t *bytes = address->bytes;

    return address->family == IP_V6 && (bytes[8] & ~2u) == 0 && bytes[9] == 0 &&
           bytes[10] == 0x5e && bytes[11] == 0xfe;
}

/* Extracts the IPv4 address that routers would take from the last 32 bits. Returns false when the
 * address carries none. */
static bool embedded_v4(const struct ip_address *address, struct ip_address *ret_v4)
{
    if (special_address_from_nat64(address, ret_v4))
        return true;
    if (!is_isatap(address))
        return false;
    *ret_v4 = ip_address_from_v4(address->bytes + 12);
    return true;
}

bool special_address_contains(const struct ip_address *address)
{
    struct ip_address inner;

    return is_in_table(address) || (embedded_v4(address, &inner) && is_in_table(&inner));
}

static const struct ip_network private_blocks[] = {
    {{IP_V4, {10}}, 8},
    {{IP_V4, {172, 16}}, 12},
    {{IP_V4, {192, 168}}, 16},
    {{IP_V6, {0xfc}}, 7},
};

const struct ip_network *special_address_private_blocks(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(private_blocks);
    return private_blocks;
}

bool special_address_is_private(const struct ip_address *address)
{
    for (size_t i = 0; i < ARRAY_LENGTH(private_blocks); i++) {
        if (ip_network_contains(&private_blocks[i], address))
            return true;
    }
    return false;
}

/* -- blocks */

static bool is_inside(const struct ip_network *network, const struct ip_network *outer)
{
    return network->prefix_length >= outer->prefix_length &&
           ip_network_contains(outer, &network->address);
}

static bool is_in_one_block(const struct ip_network *network)
{
    for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
        if (is_inside(network, &blocks[i]))
            return true;
    }
    return false;
}

static bool has_a_block_inside(const struct ip_network *network)
{
    for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
        if (is_inside(&blocks[i], network))
            return true;
    }
    return false;
}

/* Neighbours in the table may cover a block together (224/4 and 240/4). So a block that is in none
 * of them is divided into halves, and each half is looked at in the same way. This ends soon: each
 * step makes the block smaller, and a half that meets no block of the table is not divided further.
 */
/* NOLINTNEXTLINE(misc-no-recursion): at most 128 levels, one per bit, and 33 for an IPv4 inside. */
bool special_address_contains_network(const struct ip_network *network)
{
    unsigned at = network->prefix_length;
    struct ip_network half = {network->address, (uint8_t)(at + 1)};
    struct ip_network inner = {.prefix_length = (uint8_t)(at - 96)};

    if (is_in_one_block(network))
        return true;
    if (at >= 96 && embedded_v4(&network->address, &inner.address))
        return special_address_contains_network(&inner);
    if (!has_a_block_inside(network) || at >= (network->address.family == IP_V4 ? 32 : 128))
        return false;
    if (!special_address_contains_network(&half))
        return false;
    half.address.bytes[at / 8] |= (uint8_t)(0x80 >> at % 8);
    return special_address_contains_network(&half);
}
