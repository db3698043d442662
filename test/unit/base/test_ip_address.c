/* base/ip_address: tables of spellings, and libc's own parser as a second opinion. */
#include "base/ip_address.h"

#include "support/cases.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- tables */

/* A copy of exactly `length` bytes, so that a sanitizer sees a read behind them. */
static char *exact_copy(const struct case_column *column)
{
    char *copy = malloc(column->length > 0 ? column->length : 1);

    assert_non_null(copy);
    memcpy(copy, column->bytes, column->length);
    return copy;
}

static void compare(struct case_row *row, int result, const char *printed)
{
    const char *expected = row->columns[0].bytes;
    const char *found = result == 0 ? printed : result == -ERANGE ? "host-bits" : "bad";

    if (strcmp(found, expected) != 0)
        case_fail(row, "%s: found %s, expected %s", row->columns[1].bytes, found, expected);
}

static void check_address(struct case_row *row)
{
    struct ip_address address;
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text printed;
    char *text = exact_copy(&row->columns[1]);

    text_init(&printed, buffer, sizeof(buffer));
    int result = ip_address_parse(text, row->columns[1].length, &address);
    if (result == 0)
        ip_address_print(&printed, &address);
    compare(row, result, buffer);
    if (result == 0)
        compare(row, result, ip_address_text(buffer, &address));
    free(text);
}

static void check_endpoint(struct case_row *row)
{
    struct ip_endpoint endpoint;
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text printed;
    char *text = exact_copy(&row->columns[1]);

    text_init(&printed, buffer, sizeof(buffer));
    int result = ip_endpoint_parse(text, row->columns[1].length, &endpoint);
    if (result == 0)
        ip_endpoint_print(&printed, &endpoint);
    if (printed.is_truncated)
        case_fail(row, "IP_ENDPOINT_TEXT_SIZE is too small");
    compare(row, result, buffer);
    if (result == 0)
        compare(row, result, ip_endpoint_text(buffer, &endpoint));
    free(text);
}

static void check_network(struct case_row *row)
{
    struct ip_network network;
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text printed;
    char *text = exact_copy(&row->columns[1]);

    text_init(&printed, buffer, sizeof(buffer));
    int result = ip_network_parse(text, row->columns[1].length, &network);
    if (result == 0) {
        ip_address_print(&printed, &network.address);
        text_add_char(&printed, '/');
        text_add_decimal(&printed, network.prefix_length);
    }
    compare(row, result, buffer);
    free(text);
}

static void parses_addresses(void **state)
{
    cases_check("ip_address.cases", 2, NULL, check_address);
}

static void parses_endpoints(void **state)
{
    cases_check("ip_endpoint.cases", 2, NULL, check_endpoint);
}

static void parses_networks(void **state)
{
    cases_check("ip_network.cases", 2, NULL, check_network);
}

/* -- libc as a second opinion */

static uint32_t random_number(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Sometimes zero, so that runs of zero groups come up. */
static void random_bytes(uint32_t *state, uint8_t bytes[16])
{
    for (size_t i = 0; i < 16; i += 2) {
        uint32_t number = random_number(state);
        bytes[i] = number & 3 ? 0 : (uint8_t)(number >> 8);
        bytes[i + 1] = number & 4 ? 0 : (uint8_t)(number >> 16);
    }
}

static void prints_as_libc_does(void **state)
{
    uint32_t seed = 1;

    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[16];
        char expected[INET6_ADDRSTRLEN];
        char buffer[IP_ENDPOINT_TEXT_SIZE];
        struct text printed;

        random_bytes(&seed, bytes);
        bytes[0] |= 0x20; /* libc mixes in dotted quads below ::/80 */
        struct ip_address address = ip_address_from_v6(bytes);
        assert_non_null(inet_ntop(AF_INET6, bytes, expected, sizeof(expected)));
        text_init(&printed, buffer, sizeof(buffer));
        ip_address_print(&printed, &address);
        assert_string_equal(buffer, expected);
    }
}

static bool libc_parses(const char *text, struct ip_address *ret_address)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1) {
        *ret_address = ip_address_from_v4(bytes);
        return true;
    }
    if (inet_pton(AF_INET6, text, bytes) != 1)
        return false;
    *ret_address = ip_address_from_v6(bytes);
    return true;
}

/* Random texts of the right alphabet: the same are accepted, with the same value. */
static void parses_as_libc_does(void **state)
{
    static const char *const pieces[] = {"0", "1", "ff", "a0c4", "255",     ":",
                                         ":", ":", "::", ".",    "1.2.3.4", "ffff"};
    uint32_t seed = 7;
    unsigned accepted = 0;

    for (unsigned round = 0; round < 300000; round++) {
        char buffer[64];
        struct text text;
        struct ip_address expected;
        struct ip_address found;

        text_init(&text, buffer, sizeof(buffer));
        for (unsigned left = 1 + random_number(&seed) % 15; left > 0; left--)
            text_add(&text, pieces[random_number(&seed) % ARRAY_LENGTH(pieces)]);
        bool is_address = libc_parses(buffer, &expected);
        if ((ip_address_parse(buffer, text.length, &found) == 0) != is_address)
            fail_msg("libc says %d to %s", is_address, buffer);
        if (is_address && !ip_address_equals(&found, &expected))
            fail_msg("libc reads %s differently", buffer);
        accepted += is_address;
    }
    assert_true(accepted > 1000);
}

/* -- values */

static struct ip_address address_of(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, strlen(text), &address), 0);
    return address;
}

static void contains_as_bit_by_bit(void **state)
{
    uint32_t seed = 3;

    for (unsigned round = 0; round < 20000; round++) {
        struct ip_address address = {.family = random_number(&seed) % 2 ? IP_V4 : IP_V6};
        unsigned bits = address.family == IP_V4 ? 32 : 128;
        struct ip_network network = {.prefix_length = (uint8_t)(random_number(&seed) % (bits + 1))};

        for (unsigned i = 0; i < bits / 8; i++)
            address.bytes[i] = (uint8_t)random_number(&seed);
        network.address = address;
        for (unsigned bit = network.prefix_length; bit < bits; bit++)
            network.address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
        assert_true(ip_network_contains(&network, &address));

        unsigned flipped = random_number(&seed) % bits;
        address.bytes[flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);
        assert_int_equal(ip_network_contains(&network, &address), flipped >= network.prefix_length);
    }
}

static void families_do_not_mix(void **state)
{
    struct ip_network all_v4 = {{IP_V4, {0}}, 0};
    struct ip_network all_v6 = {{IP_V6, {0}}, 0};
    struct ip_address v4 = address_of("0.0.0.0");
    struct ip_address v6 = address_of("::");
    struct ip_address mapped = address_of("::ffff:0.0.0.0");

    assert_true(ip_network_contains(&all_v4, &v4));
    assert_false(ip_network_contains(&all_v4, &v6));
    assert_false(ip_network_contains(&all_v6, &v4));
    assert_false(ip_network_contains(&all_v6, &mapped));
    assert_false(ip_address_equals(&v4, &v6));
    assert_true(ip_address_equals(&v4, &mapped));
}

static void knows_loopback_and_unspecified(void **state)
{
    static const struct {
        const char *text;
        bool is_loopback;
        bool is_unspecified;
    } rows[] = {
        {"127.0.0.1", true, false},
        {"127.255.255.255", true, false},
        {"126.255.255.255", false, false},
        {"128.0.0.0", false, false},
        {"0.0.0.0", false, true},
        {"0.0.0.1", false, false},
        {"::1", true, false},
        {"::", false, true},
        {"::2", false, false},
        {"1::1", false, false},
        {"::ffff:127.9.9.9", true, false},
        {"::ffff:0.0.0.0", false, true},
        {"::127.0.0.1", false, false},
        {"7f00::", false, false},
    };
    struct ip_address none = {.family = IP_NONE};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ip_address address = address_of(rows[i].text);
        assert_int_equal(ip_address_is_loopback(&address), rows[i].is_loopback);
        assert_int_equal(ip_address_is_unspecified(&address), rows[i].is_unspecified);
    }
    assert_false(ip_address_is_loopback(&none));
    assert_false(ip_address_is_unspecified(&none));
}

/* Every port, and every number in every place of an IPv4 address. */
static void prints_every_port_and_octet(void **state)
{
    for (unsigned port = 0; port <= 65535; port++) {
        const uint8_t bytes[4] = {(uint8_t)port, (uint8_t)(port + 1), (uint8_t)(port >> 4),
                                  (uint8_t)(port >> 8)};
        struct ip_endpoint endpoint = {.address = ip_address_from_v4(bytes),
                                       .port = (uint16_t)port};
        char expected[64], printed[64];
        struct text text;

        snprintf(expected, sizeof expected, "%u.%u.%u.%u:%u", bytes[0], bytes[1], bytes[2],
                 bytes[3], port);
        text_init(&text, printed, sizeof printed);
        ip_endpoint_print(&text, &endpoint);
        assert_string_equal(printed, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_addresses),
        cmocka_unit_test(parses_endpoints),
        cmocka_unit_test(parses_networks),
        cmocka_unit_test(prints_as_libc_does),
        cmocka_unit_test(parses_as_libc_does),
        cmocka_unit_test(contains_as_bit_by_bit),
        cmocka_unit_test(families_do_not_mix),
        cmocka_unit_test(knows_loopback_and_unspecified),
        cmocka_unit_test(prints_every_port_and_octet),
    };
    return cmocka_run_group_tests_name("base/ip_address", tests, NULL, NULL);
}
