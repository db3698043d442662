/* The one place that reads host:port.
 *
 * First the text is cut into host and port, then each part is read strictly: a host in brackets is
 * IPv6 or wrong, any other host is a dotted quad or a name. The surprise: what looks like a number
 * but is no strict quad (`127.1`, `0x7f.1`, `2130706433`, `127.0.0.1.`) is refused instead of being
 * looked up, because an inet_aton behind us would dial 127.0.0.1 for it.
 */
#include "wire/authority.h"

#include "base/ascii.h"

#include <string.h>

#define LABEL_MAX 63

static const char *const error_texts[] = {
    [AUTHORITY_OK] = "",
    [AUTHORITY_NO_PORT] = "the target has no port: write host:port, as in example.com:443",
    [AUTHORITY_BAD_PORT] =
        "the target must be host:port with a port of 1 to 65535 in plain digits, "
        "and nothing behind it",
    [AUTHORITY_USERINFO] = "the target must be host:port without a user name: "
                           "credentials go into Proxy-Authorization",
    [AUTHORITY_BARE_IPV6] = "an IPv6 address in the target needs brackets, as in [2001:db8::1]:443",
    [AUTHORITY_ZONE_ID] = "an IPv6 address in the target can't have a zone id (%...): leave it out",
    [AUTHORITY_BAD_IPV6] = "what stands in the target's brackets is not an IPv6 address, "
                           "or something other than :port follows them",
    [AUTHORITY_NUMERIC_NAME] = "the target's host looks like a number but is no IPv4 address: "
                               "write four decimal parts, as in 192.0.2.1",
    [AUTHORITY_NOT_ASCII] = "the target's host is not ASCII: write a name in its encoded form, as "
                            "in xn--bcher-kva.example",
    [AUTHORITY_URL] = "the target is a URL: write host:port alone, as in example.com:443",
    [AUTHORITY_BAD_NAME] =
        "the target's host is not a DNS name: letters, digits, - and _ in labels "
        "of 1 to 63 bytes, 253 bytes in all",
};
static_assert(ARRAY_LENGTH(error_texts) == AUTHORITY_ERROR_COUNT, "a text for every error");

const char *authority_error_text(enum authority_error error)
{
    REQUIRE(error < AUTHORITY_ERROR_COUNT);
    return error_texts[error];
}

static bool has_byte(const char *text, size_t length, char byte)
{
    return length > 0 && memchr(text, byte, length);
}

/* Parses the port. 0 is refused because nothing can be dialled there. */
static enum authority_error parse_port(const char *text, size_t length, uint16_t *ret_port)
{
    uint16_t port;

    if (length == 0)
        return AUTHORITY_NO_PORT;
    if (ip_port_parse(text, length, &port) < 0 || port == 0)
        return AUTHORITY_BAD_PORT;
    *ret_port = port;
    return AUTHORITY_OK;
}

/* Writes the address's own spelling as the host. */
static void set_literal(struct authority *authority, const struct ip_address *address)
{
    authority->host_length = (uint8_t)ip_address_put(authority->host, address);
    authority->host[authority->host_length] = '\0';
    authority->address = *address;
}

/* -- names */

/* True for what inet_aton or a URL parser reads as a number: all digits, or 0x followed by hex
 * digits or by nothing. */
static bool label_is_number(const char *label, size_t length)
{
    bool is_hex = length >= 2 && label[0] == '0' && label[1] == 'x';

    for (size_t i = is_hex ? 2 : 0; i < length; i++) {
        if (!ascii_is_digit(label[i]) && !(is_hex && label[i] >= 'a' && label[i] <= 'f'))
            return false;
    }
    return true;
}

/* False when a byte is not ASCII. The host is then most likely UTF-8, which is not verified. */
static bool host_is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return false;
    }
    return true;
}

static bool authority_is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || ascii_is_digit(byte) || byte == '-' || byte == '_';
}

static enum authority_error authority_parse_name(const char *text, size_t length,
                                                 struct authority *authority)
{
    size_t label_start = 0;

    if (length > 0 && text[length - 1] == '.')
        length--;
    if (length == 0 || length > AUTHORITY_HOST_MAX)
        return AUTHORITY_BAD_NAME;
    for (size_t i = 0; i < length; i++) {
        char byte = ascii_lower(text[i]);
        if (byte == '.') {
            if (i == label_start)
                return AUTHORITY_BAD_NAME;
            label_start = i + 1;
        } else if (!authority_is_name_byte(byte) || i - label_start == LABEL_MAX) {
            return AUTHORITY_BAD_NAME;
        }
        authority->host[i] = byte;
    }
    if (label_start == length)
        return AUTHORITY_BAD_NAME;
    if (label_is_number(authority->host + label_start, length - label_start))
        return AUTHORITY_NUMERIC_NAME;
    authority->host[length] = '\0';
    authority->host_length = (uint8_t)length;
    return AUTHORITY_OK;
}

/* -- the two forms */

static enum authority_error parse_bracketed(const char *text, size_t length,
                                            struct authority *authority)
{
    const char *bracket = memchr(text, ']', length);
    struct ip_address address;

    if (!bracket)
        return AUTHORITY_BAD_IPV6;
    size_t host_length = (size_t)(bracket - text) - 1;
    const char *rest = bracket + 1;
    size_t rest_length = length - host_length - 2;

    if (has_byte(text + 1, host_length, '%'))
        return AUTHORITY_ZONE_ID;
    if (ip_address_parse_v6(text + 1, host_length, &address) < 0)
        return AUTHORITY_BAD_IPV6;
    if (rest_length == 0)
        return AUTHORITY_NO_PORT;
    if (rest[0] != ':')
        return AUTHORITY_BAD_IPV6;
    set_literal(authority, &address);
    return parse_port(rest + 1, rest_length - 1, &authority->port);
}

/* Says what is wrong with a text that has two colons and no brackets: it is an IPv6 address, with
 * or without a port behind it, or it is malformed. */
static enum authority_error explain_colons(const char *text, size_t length)
{
    struct ip_address address;
    size_t last_colon = length - 1;

    while (text[last_colon] != ':')
        last_colon--;
    if (ip_address_parse_v6(text, length, &address) == 0 ||
        ip_address_parse_v6(text, last_colon, &address) == 0)
        return AUTHORITY_BARE_IPV6;
    return has_byte(text, length, '%') ? AUTHORITY_ZONE_ID : AUTHORITY_BAD_PORT;
}

static enum authority_error authority_parse_plain(const char *text, size_t length,
                                                  struct authority *authority)
{
    const char *colon = length > 0 ? memchr(text, ':', length) : NULL;
    struct ip_address address;

    if (!colon)
        return AUTHORITY_NO_PORT;
    size_t host_length = (size_t)(colon - text);
    size_t port_length = length - host_length - 1;
    if (has_byte(colon + 1, port_length, ':'))
        return explain_colons(text, length);

    enum authority_error error = parse_port(colon + 1, port_length, &authority->port);
    if (error != AUTHORITY_OK)
        return error;
    if (ip_address_parse_v4(text, host_length, &address) < 0)
        return authority_parse_name(text, host_length, authority);
    set_literal(authority, &address);
    return AUTHORITY_OK;
}

static bool is_url(const char *text, size_t length)
{
    const char *colon = length > 0 ? memchr(text, ':', length) : NULL;

    return colon != NULL && text + length - colon >= 3 && memcmp(colon, "://", 3) == 0;
}

/* Finds a better reason for a text that was refused: it may be something that people often mistake
 * for a target. */
static enum authority_error telling_error(const char *text, size_t length,
                                          enum authority_error error)
{
    if (is_url(text, length))
        return AUTHORITY_URL;
    return host_is_ascii(text, length) ? error : AUTHORITY_NOT_ASCII;
}

enum authority_error authority_parse(const char *text, size_t length,
                                     struct authority *ret_authority)
{
    struct authority
        authority; /* not zeroed, for speed: nobody reads the bytes behind the host's NUL */
    enum authority_error error;

    authority.address = (struct ip_address){.family = IP_NONE};

    if (has_byte(text, length, '@'))
        return AUTHORITY_USERINFO;
    if (length > 0 && text[0] == '[')
        error = parse_bracketed(text, length, &authority);
    else
        error = authority_parse_plain(text, length, &authority);
    if (error != AUTHORITY_OK)
        return telling_error(text, length, error);
    *ret_authority = authority;
    return AUTHORITY_OK;
}

enum authority_error authority_parse_host(const char *text, size_t length,
                                          struct authority *ret_authority)
{
    char buffer[AUTHORITY_TEXT_SIZE];
    bool is_bare = memchr(text, ':', length) != NULL && text[0] != '[';
    struct authority authority;
    struct text whole;

    text_init(&whole, buffer, sizeof(buffer));
    text_add(&whole, is_bare ? "[" : "");
    text_add_bytes(&whole, text, length);
    text_add(&whole, is_bare ? "]:1" : ":1");
    if (whole.is_truncated)
        return AUTHORITY_BAD_NAME;
    enum authority_error error = authority_parse(buffer, whole.length, &authority);
    if (error != AUTHORITY_OK)
        return error;
    *ret_authority = authority;
    ret_authority->port = 0;
    return AUTHORITY_OK;
}

/* -- using them */

size_t authority_put(char out[AUTHORITY_TEXT_SIZE], const struct authority *authority)
{
    bool is_v6 = authority->address.family == IP_V6;
    char *at = out;

    if (is_v6)
        *at++ = '[';
    memcpy(at, authority->host, authority->host_length);
    at += authority->host_length;
    if (is_v6)
        *at++ = ']';
    *at++ = ':';
    return (size_t)(at - out) + ip_port_put(at, authority->port);
}

void authority_print(struct text *out, const struct authority *authority)
{
    char bytes[AUTHORITY_TEXT_SIZE];

    text_add_bytes(out, bytes, authority_put(bytes, authority));
}

bool authority_host_is_localhost(const char *host, size_t length)
{
    static const char name[] = "localhost";
    const size_t name_length = sizeof(name) - 1;

    if (length < name_length || memcmp(host + length - name_length, name, name_length) != 0)
        return false;
    return length == name_length || host[length - name_length - 1] == '.';
}
