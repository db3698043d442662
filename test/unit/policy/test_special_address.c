/* policy/special_address: both edges of every block in special_address.cases, their neighbours, and
 * each edge again inside every IPv6 form that carries an IPv4 address. */
#include "policy/special_address.h"

#include "support/cases.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

/* The table's blocks, read before the checks. */
static struct ip_network listed[64];
static size_t listed_count;

static void remember(struct case_row *row)
{
    const struct case_column *block = &row->columns[1];

    assert_true(listed_count < ARRAY_LENGTH(listed));
    if (ip_network_parse(block->bytes, block->length, &listed[listed_count]) < 0)
        case_fail(row, "not a block: %s", block->bytes);
    listed_count++;
}

static int read_table(void **state)
{
    listed_count = 0;
    cases_check("special_address.cases", 2, NULL, remember);
    return 0;
}

static bool is_listed(const struct ip_address *address)
{
    for (size_t i = 0; i < listed_count; i++) {
        if (ip_network_contains(&listed[i], address))
            return true;
    }
    return false;
}

static size_t size_of(const struct ip_address *address)
{
    return address->family == IP_V4 ? 4 : 16;
}

static struct ip_address last_of(const struct ip_network *network)
{
    struct ip_address last = network->address;

    for (size_t bit = network->prefix_length; bit < size_of(&last) * 8; bit++)
        last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return last;
}

/* The address `step` (1 or -1) further; wraps round at the ends of the family. Unmaps. */
static struct ip_address neighbour_of(struct ip_address address, int step)
{
    for (size_t i = size_of(&address); i-- > 0;) {
        address.bytes[i] = (uint8_t)(address.bytes[i] + step);
        if (address.bytes[i] != (step > 0 ? 0 : 0xff))
            break;
    }
    return address.family == IP_V4 ? ip_address_from_v4(address.bytes)
                                   : ip_address_from_v6(address.bytes);
}

static void assert_special(const struct ip_address *address, bool expected)
{
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    ip_address_print(&text, address);
    if (special_address_contains(address) != expected)
        fail_msg("%s should%s be special", buffer, expected ? "" : " not");
}

/* Calls `check` for the edges of every block of the family and for their neighbours outside. */
static void each_edge(enum ip_family family, void (*check)(const struct ip_address *address))
{
    unsigned outside_count = 0;

    for (size_t i = 0; i < listed_count; i++) {
        if (listed[i].address.family != family)
            continue;
        struct ip_address first = listed[i].address;
        struct ip_address last = last_of(&listed[i]);
        struct ip_address before = neighbour_of(first, -1);
        struct ip_address behind = neighbour_of(last, 1);
        assert_true(is_listed(&first) && is_listed(&last));
        outside_count += !is_listed(&before) + !is_listed(&behind);
        check(&first);
        check(&last);
        check(&before);
        check(&behind);
    }
    assert_true(outside_count > 10);
}

static void check_listed(const struct ip_address *address)
{
    assert_special(address, is_listed(address));
}

static void knows_both_edges_of_every_block(void **state)
{
    each_edge(IP_V4, check_listed);
    each_edge(IP_V6, check_listed);
}

/* -- IPv4 inside IPv6 */

static struct ip_address parse(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, strlen(text), &address), 0);
    return address;
}

/* `prefix` with the IPv4 address at byte `offset`. */
static struct ip_address embed(const char *prefix, size_t offset, const struct ip_address *v4)
{
    uint8_t bytes[16];

    memcpy(bytes, parse(prefix).bytes, sizeof(bytes));
    memcpy(bytes + offset, v4->bytes, 4);
    return ip_address_from_v6(bytes);
}

static struct ip_address mapped(const struct ip_address *v4)
{
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};

    memcpy(bytes + 12, v4->bytes, 4);
    return ip_address_from_v6(bytes);
}

static void check_embedded_as_inside(const struct ip_address *v4)
{
    bool expected = is_listed(v4);
    struct ip_address forms[] = {
        mapped(v4), embed("64:ff9b::", 12, v4),   /* NAT64, RFC 6052 */
        embed("2a00:1::5efe:0:0", 12, v4),        /* ISATAP, private address */
        embed("2a00:1:2:3:200:5efe:0:0", 12, v4), /* ISATAP, global address */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++)
        assert_special(&forms[i], expected);
}

static void judges_by_the_address_inside(void **state)
{
    each_edge(IP_V4, check_embedded_as_inside);
}

static void check_always_special(const struct ip_address *v4)
{
    struct ip_address forms[] = {
        embed("::", 12, v4),           /* IPv4-compatible */
        embed("::ffff:0:0:0", 12, v4), /* IPv4-translated */
        embed("64:ff9b:1::", 12, v4),  /* local translation */
        embed("2002::1", 2, v4),       /* 6to4 */
        embed("2001::1", 4, v4),       /* Teredo: its server */
        embed("2001:0:1::", 12, v4),   /* Teredo: its client, inverted or not */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++)
        assert_special(&forms[i], true);
}

static void takes_tunnels_as_special_whatever_is_inside(void **state)
{
    each_edge(IP_V4, check_always_special);
}

/* The 32 bits of a special address in other places of a plain IPv6 address mean nothing. */
static void check_elsewhere(const struct ip_address *v4)
{
    struct ip_address forms[] = {
        embed("2a00:1::", 12, v4),
        embed("2a00:1::5eff:0:0", 12, v4),
        embed("2a00:1::100:5efe:0:0", 12, v4),
        embed("64:ff9c::", 12, v4),
        embed("64:ff9b:0:0:0:1::", 12, v4),
        embed("2a00:1::", 4, v4),
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++)
        assert_special(&forms[i], false);
}

static void leaves_plain_addresses_alone(void **state)
{
    each_edge(IP_V4, check_elsewhere);
}

static void lets_the_internet_through(void **state)
{
    static const char *const texts[] = {
        "1.1.1.1",     "8.8.8.8",         "93.184.216.34",   "172.15.255.255",
        "172.32.0.0",  "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
        "2001:200::1", "2001:4860::1",    "2400:cb00::1",    "64:ff9b::101:101",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct ip_address address = parse(texts[i]);
        assert_special(&address, false);
    }
}

static void fences_what_attackers_ask_for(void **state)
{
    static const char *const texts[] = {
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "0.0.0.0",
        "::",
        "::127.0.0.1",
        "fe80::1",
        "100.100.100.200",
        "192.0.0.192",
        "::ffff:0:127.0.0.1",
        "2001::1",
        "255.255.255.255",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct ip_address address = parse(texts[i]);
        assert_special(&address, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_both_edges_of_every_block),
        cmocka_unit_test(judges_by_the_address_inside),
        cmocka_unit_test(takes_tunnels_as_special_whatever_is_inside),
        cmocka_unit_test(leaves_plain_addresses_alone),
        cmocka_unit_test(lets_the_internet_through),
        cmocka_unit_test(fences_what_attackers_ask_for),
    };
    return cmocka_run_group_tests_name("policy/special_address", tests, read_table, NULL);
}
