/* IP addresses as values.
 *
 * Parsing is stricter than libc's: one spelling rule for IPv4 (no octal, no hex, no short forms),
 * no zone in IPv6. Every ip_address is made by ip_address_from_v4 or _v6. The latter turns an
 * IPv4-mapped address into the IPv4 address, so no other code ever sees two forms of one address.
 */
#include "base/ip_address.h"

#include "base/ascii.h"

#include <errno.h>
#include <string.h>

static_assert(IP_ENDPOINT_TEXT_SIZE >= 39 + 2 + 1 + 5 + 1, "the longest endpoint fits");

#define V6_GROUPS 8

/* -- making them */

struct ip_address ip_address_from_v4(const uint8_t bytes[4])
{
    struct ip_address address = {.family = IP_V4};
    memcpy(address.bytes, bytes, 4);
    return address;
}

struct ip_address ip_address_from_v6(const uint8_t bytes[16])
{
    static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
    struct ip_address address = {.family = IP_V6};

    if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0)
        return ip_address_from_v4(bytes + 12);
    memcpy(address.bytes, bytes, 16);
    return address;
}

/* -- parsing */

/* Takes the decimal number of 1-5 digits, without leading zeros, at the start. Returns how many
 * digits it has, or 0 when there is no such number. */
static size_t take_decimal(const char *text, size_t length, unsigned *ret_number)
{
    unsigned number = 0;
    size_t count = 0;

    while (count < length && ascii_is_digit(text[count])) {
        if (count == 5 || (count == 1 && number == 0))
            return 0;
        number = number * 10 + (unsigned)(text[count++] - '0');
    }
    *ret_number = number;
    return count;
}

/* Parses the whole text as a decimal number. Returns 0 or -EINVAL. */
static int parse_decimal(const char *text, size_t length, unsigned maximum, unsigned *ret_number)
{
    unsigned number;
    size_t digits = take_decimal(text, length, &number);

    if (digits == 0 || digits < length || number > maximum)
        return -EINVAL;
    *ret_number = number;
    return 0;
}

/* Returns the index of the first `byte` in the text, or `length`. */
static size_t find_byte(const char *text, size_t length, char byte)
{
    const char *found = length > 0 ? memchr(text, byte, length) : NULL;
    return found ? (size_t)(found - text) : length;
}

static int parse_v4_bytes(const char *text, size_t length, uint8_t ret_bytes[4])
{
    size_t at = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned number;

        if (i > 0 && (at == length || text[at++] != '.'))
            return -EINVAL;
        size_t digits = take_decimal(text + at, length - at, &number);
        if (digits == 0 || number > 255)
            return -EINVAL;
        ret_bytes[i] = (uint8_t)number;
        at += digits;
    }
    return at == length ? 0 : -EINVAL;
}

int ip_address_parse_v4(const char *text, size_t length, struct ip_address *ret_address)
{
    uint8_t bytes[4];

    if (parse_v4_bytes(text, length, bytes) < 0)
        return -EINVAL;
    *ret_address = ip_address_from_v4(bytes);
    return 0;
}

/* Parses a group of 1-4 hex digits into two bytes. */
static int parse_group(const char *text, size_t length, uint8_t ret_bytes[2])
{
    unsigned group = 0;

    if (length == 0 || length > 4)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        int value = ascii_hex_value(text[i]);
        if (value < 0)
            return -EINVAL;
        group = group << 4 | (unsigned)value;
    }
    ret_bytes[0] = (uint8_t)(group >> 8);
    ret_bytes[1] = (uint8_t)group;
    return 0;
}

/* Parses groups between single colons into at most `room` bytes. The last one may be a dotted quad
 * when `may_end_in_v4`. Returns the number of bytes, which is 0 for an empty text, or -EINVAL. */
static int parse_groups(const char *text, size_t length, bool may_end_in_v4, size_t room,
                        uint8_t *ret_bytes)
{
    size_t filled = 0;

    if (length == 0)
        return 0;
    for (;;) {
        size_t part = find_byte(text, length, ':');
        bool is_last = part == length;
        bool is_v4 = is_last && may_end_in_v4 && find_byte(text, part, '.') < part;
        size_t size = is_v4 ? 4 : 2;

        if (size > room - filled)
            return -EINVAL;
        if ((is_v4 ? parse_v4_bytes(text, part, ret_bytes + filled)
                   : parse_group(text, part, ret_bytes + filled)) < 0)
            return -EINVAL;
        filled += size;
        if (is_last)
            return (int)filled;
        text += part + 1;
        length -= part + 1;
    }
}

/* Returns the index of the first `::`, or `length`. */
static size_t find_gap(const char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] == ':' && text[i + 1] == ':')
            return i;
    }
    return length;
}

int ip_address_parse_v6(const char *text, size_t length, struct ip_address *ret_address)
{
    uint8_t bytes[16] = {0};
    uint8_t tail[16];
    size_t gap = find_gap(text, length);
    bool has_gap = gap < length;

    int head_size = parse_groups(text, gap, !has_gap, sizeof(bytes), bytes);
    if (head_size < 0)
        return -EINVAL;
    if (has_gap) {
        /* `::` stands for one group at least. */
        size_t room = sizeof(bytes) - (size_t)head_size;
        if (room < 2)
            return -EINVAL;
        int tail_size = parse_groups(text + gap + 2, length - gap - 2, true, room - 2, tail);
        if (tail_size < 0)
            return -EINVAL;
        memcpy(bytes + sizeof(bytes) - (size_t)tail_size, tail, (size_t)tail_size);
    } else if (head_size != (int)sizeof(bytes)) {
        return -EINVAL;
    }
    *ret_address = ip_address_from_v6(bytes);
    return 0;
}

int ip_address_parse(const char *text, size_t length, struct ip_address *ret_address)
{
    if (find_byte(text, length, ':') < length)
        return ip_address_parse_v6(text, length, ret_address);
    return ip_address_parse_v4(text, length, ret_address);
}

int ip_port_parse(const char *text, size_t length, uint16_t *ret_port)
{
    unsigned number;

    if (parse_decimal(text, length, UINT16_MAX, &number) < 0)
        return -EINVAL;
    *ret_port = (uint16_t)number;
    return 0;
}

int ip_endpoint_parse(const char *text, size_t length, struct ip_endpoint *ret_endpoint)
{
    struct ip_endpoint endpoint;
    size_t host_end; /* index of the colon before the port */
    int result;

    if (length > 0 && text[0] == '[') {
        size_t bracket = find_byte(text, length, ']');
        host_end = bracket + 1;
        if (host_end >= length)
            return -EINVAL;
        result = ip_address_parse_v6(text + 1, bracket - 1, &endpoint.address);
    } else {
        host_end = find_byte(text, length, ':');
        result = ip_address_parse_v4(text, host_end, &endpoint.address);
    }
    if (result < 0 || host_end >= length || text[host_end] != ':')
        return -EINVAL;
    if (ip_port_parse(text + host_end + 1, length - host_end - 1, &endpoint.port) < 0)
        return -EINVAL;
    *ret_endpoint = endpoint;
    return 0;
}

static unsigned address_bits(const struct ip_address *address)
{
    return address->family == IP_V4 ? 32 : 128;
}

/* True when all bits behind the first `prefix_length` are 0. */
static bool has_no_host_bits(const struct ip_address *address, unsigned prefix_length)
{
    for (unsigned bit = prefix_length; bit < address_bits(address); bit++) {
        if (address->bytes[bit / 8] & (0x80 >> bit % 8))
            return false;
    }
    return true;
}

int ip_network_parse(const char *text, size_t length, struct ip_network *ret_network)
{
    size_t slash = find_byte(text, length, '/');
    bool is_written_as_v6 = find_byte(text, slash, ':') < slash;
    unsigned bits = is_written_as_v6 ? 128 : 32;
    unsigned prefix_length = bits;
    struct ip_network network;

    if (ip_address_parse(text, slash, &network.address) < 0)
        return -EINVAL;
    if (slash < length &&
        parse_decimal(text + slash + 1, length - slash - 1, bits, &prefix_length) < 0)
        return -EINVAL;
    if (is_written_as_v6 && network.address.family == IP_V4) {
        if (prefix_length < 96) /* cuts into the ffff of the mapped prefix */
            return -ERANGE;
        prefix_length -= 96;
    }
    if (!has_no_host_bits(&network.address, prefix_length))
        return -ERANGE;
    network.prefix_length = (uint8_t)prefix_length;
    *ret_network = network;
    return 0;
}

/* -- comparing */

bool ip_address_equals(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool ip_endpoint_equals(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && ip_address_equals(&a->address, &b->address);
}

bool ip_network_contains(const struct ip_network *network, const struct ip_address *address)
{
    unsigned whole_bytes = network->prefix_length / 8;
    unsigned rest_bits = network->prefix_length % 8;

    if (network->address.family != address->family)
        return false;
    if (memcmp(network->address.bytes, address->bytes, whole_bytes) != 0)
        return false;
    if (rest_bits == 0)
        return true;
    unsigned difference = network->address.bytes[whole_bytes] ^ address->bytes[whole_bytes];
    return difference >> (8 - rest_bits) == 0;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};

    if (address->family == IP_V4)
        return address->bytes[0] == 127;
    return address->family == IP_V6 && memcmp(address->bytes, v6_loopback, 16) == 0;
}

bool ip_address_is_unspecified(const struct ip_address *address)
{
    static const uint8_t zero[16];

    return address->family != IP_NONE && memcmp(address->bytes, zero, 16) == 0;
}

/* -- printing */

/* Addresses are written into plain memory and from tables, because every log line holds three
 * endpoints and this has to be fast. */

#define TEN_OCTETS(tens)                                                                           \
    tens "0.", tens "1.", tens "2.", tens "3.", tens "4.", tens "5.", tens "6.", tens "7.",        \
        tens "8.", tens "9."

/* The numbers 0 to 255 with the dot behind them, without a NUL. */
static const char octets[256][4] = {TEN_OCTETS(""),
                                    TEN_OCTETS("1"),
                                    TEN_OCTETS("2"),
                                    TEN_OCTETS("3"),
                                    TEN_OCTETS("4"),
                                    TEN_OCTETS("5"),
                                    TEN_OCTETS("6"),
                                    TEN_OCTETS("7"),
                                    TEN_OCTETS("8"),
                                    TEN_OCTETS("9"),
                                    TEN_OCTETS("10"),
                                    TEN_OCTETS("11"),
                                    TEN_OCTETS("12"),
                                    TEN_OCTETS("13"),
                                    TEN_OCTETS("14"),
                                    TEN_OCTETS("15"),
                                    TEN_OCTETS("16"),
                                    TEN_OCTETS("17"),
                                    TEN_OCTETS("18"),
                                    TEN_OCTETS("19"),
                                    TEN_OCTETS("20"),
                                    TEN_OCTETS("21"),
                                    TEN_OCTETS("22"),
                                    TEN_OCTETS("23"),
                                    TEN_OCTETS("24"),
                                    "250.",
                                    "251.",
                                    "252.",
                                    "253.",
                                    "254.",
                                    "255."};

static const uint8_t octet_lengths[256] = {[0 ... 9] = 2, [10 ... 99] = 3, [100 ... 255] = 4};

static inline char *put_octet(char *at, unsigned octet)
{
    memcpy(at, octets[octet], sizeof(octets[octet]));
    return at + octet_lengths[octet];
}

static inline char *put_digit(char *at, unsigned digit)
{
    *at = (char)('0' + digit);
    return at + 1;
}

/* Writes the two digits of a number below 100. They are taken from the octet that is 100 higher,
 * without its first digit. */
static inline char *put_pair(char *at, unsigned number)
{
    memcpy(at, octets[100 + number] + 1, 2);
    return at + 2;
}

static inline char *put_port(char *at, unsigned port)
{
    unsigned high = port / 100;
    unsigned low = port % 100;

    if (high >= 100) {
        at = put_digit(at, high / 100);
        at = put_pair(at, high % 100);
    } else if (high >= 10) {
        at = put_pair(at, high);
    } else if (high > 0) {
        at = put_digit(at, high);
    } else if (low < 10) {
        return put_digit(at, low);
    }
    return put_pair(at, low);
}

/* Writes a dotted quad. One byte behind it may be overwritten. */
static inline char *put_v4(char *at, const uint8_t bytes[4])
{
    at = put_octet(at, bytes[0]);
    at = put_octet(at, bytes[1]);
    at = put_octet(at, bytes[2]);
    return put_octet(at, bytes[3]) - 1;
}

static char *ip6_put_group(char *at, unsigned group)
{
    bool has_begun = false;

    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = group >> shift & 0xf;
        has_begun = has_begun || digit != 0 || shift == 0;
        if (has_begun)
            *at++ = ascii_hex_digit(digit);
    }
    return at;
}

/* The first of the longest runs of two or more zero groups (RFC 5952 4.2); length 0 if none. */
static void find_zero_run(const unsigned groups[V6_GROUPS], size_t *ret_start, size_t *ret_length)
{
    *ret_start = 0;
    *ret_length = 0;
    for (size_t i = 0; i < V6_GROUPS;) {
        size_t end = i;
        while (end < V6_GROUPS && groups[end] == 0)
            end++;
        if (end - i >= 2 && end - i > *ret_length) {
            *ret_start = i;
            *ret_length = end - i;
        }
        i = end + 1;
    }
}

static char *put_v6(char *at, const uint8_t bytes[16])
{
    unsigned groups[V6_GROUPS];
    size_t run_start;
    size_t run_length;

    for (size_t i = 0; i < V6_GROUPS; i++)
        groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    find_zero_run(groups, &run_start, &run_length);
    for (size_t i = 0; i < V6_GROUPS; i++) {
        if (run_length > 0 && i == run_start) {
            *at++ = ':';
            *at++ = ':';
            i += run_length - 1;
            continue;
        }
        if (i > 0 && (run_length == 0 || i != run_start + run_length))
            *at++ = ':';
        at = ip6_put_group(at, groups[i]);
    }
    return at;
}

static char *put_address(char *at, const struct ip_address *address)
{
    if (address->family == IP_V4)
        return put_v4(at, address->bytes);
    if (address->family == IP_V6)
        return put_v6(at, address->bytes);
    *at++ = '-';
    return at;
}

static __attribute__((noinline)) size_t put_other(char *out, const struct ip_endpoint *endpoint)
{
    char *at = out;

    if (endpoint->address.family == IP_V6) {
        *at++ = '[';
        at = put_v6(at, endpoint->address.bytes);
        *at++ = ']';
    } else {
        *at++ = '-';
    }
    *at++ = ':';
    return (size_t)(put_port(at, endpoint->port) - out);
}

size_t ip_port_put(char out[IP_PORT_DIGITS_MAX], uint16_t port)
{
    return (size_t)(put_port(out, port) - out);
}

size_t ip_address_put(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_address *address)
{
    return (size_t)(put_address(out, address) - out);
}

size_t ip_endpoint_put(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_endpoint *endpoint)
{
    if (endpoint->address.family != IP_V4)
        return put_other(out, endpoint);
    char *at = put_v4(out, endpoint->address.bytes);
    *at++ = ':';
    return (size_t)(put_port(at, endpoint->port) - out);
}

const char *ip_address_text(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_address *address)
{
    out[ip_address_put(out, address)] = '\0';
    return out;
}

const char *ip_endpoint_text(char out[IP_ENDPOINT_TEXT_SIZE], const struct ip_endpoint *endpoint)
{
    out[ip_endpoint_put(out, endpoint)] = '\0';
    return out;
}

void ip_address_print(struct text *out, const struct ip_address *address)
{
    char bytes[IP_ENDPOINT_TEXT_SIZE];

    text_add_bytes(out, bytes, ip_address_put(bytes, address));
}

void ip_network_print(struct text *out, const struct ip_network *network)
{
    ip_address_print(out, &network->address);
    if (network->prefix_length < (network->address.family == IP_V4 ? 32 : 128)) {
        text_add_char(out, '/');
        text_add_decimal(out, network->prefix_length);
    }
}

void ip_endpoint_print(struct text *out, const struct ip_endpoint *endpoint)
{
    char bytes[IP_ENDPOINT_TEXT_SIZE];

    text_add_bytes(out, bytes, ip_endpoint_put(bytes, endpoint));
}
