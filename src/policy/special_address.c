/* The special-purpose addresses.
 *
 * One table of blocks, from the IANA registries (RFC 6890 and its updates) and what clouds put
 * beside them. Then the IPv6 forms that carry an IPv4 address and are routed to it: such an address
 * is as special as the one inside. The surprise: 64:ff9b::/96 is not in the table though IANA lists
 * it, because machines in IPv6-only networks reach the IPv4 internet through it; it is judged by
 * the address inside alone. Mapped addresses never come here, ip_address has unmapped them.
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

static bool is_in_table(const struct ip_address *address)
{
    for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
        if (ip_network_contains(&blocks[i], address))
            return true;
    }
    return false;
}

/* The IPv4 address that routers would take out of the last 32 bits; false when there is none. */
static bool embedded_v4(const struct ip_address *address, struct ip_address *ret_v4)
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b}; /* RFC 6052 */
    const uint8_t *bytes = address->bytes;
    /* ISATAP (RFC 5214 6.1): 0000:5efe or 0200:5efe opens the interface identifier. */
    bool is_isatap =
        (bytes[8] & ~2u) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe;

    if (address->family != IP_V6 || (!is_isatap && memcmp(bytes, nat64, sizeof(nat64)) != 0))
        return false;
    *ret_v4 = ip_address_from_v4(bytes + 12);
    return true;
}

bool special_address_contains(const struct ip_address *address)
{
    struct ip_address inner;

    return is_in_table(address) || (embedded_v4(address, &inner) && is_in_table(&inner));
}
