/* An entry is an address first (`10.0.0.1`, `fd00::/8`), a name otherwise. Names go through
 * wire/authority, so that a list and a request spell them alike.
 */
#include "config/list_entry.h"

#include "config/suggest.h"

#include <errno.h>
#include <string.h>

enum { QUOTED_MAX = 80 };

static int fail(struct text *message, const char *text, size_t length, const char *why)
{
    text_add_char(message, '\'');
    text_add_bytes(message, text, length < QUOTED_MAX ? length : QUOTED_MAX);
    text_add(message, length < QUOTED_MAX ? "' " : "...' ");
    text_add(message, why);
    return -EINVAL;
}

static int fail_name(struct text *message, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return fail(message, text, length,
                        "is not ASCII; write a name's encoded form, as in xn--bcher-kva.example");
    if (length == 1 && text[0] == '*')
        return fail(
            message, text, length,
            "is no host; write *.example.com for all names below it, or `to any` in a rule");
    if (memchr(text, '*', length) != NULL)
        return fail(message, text, length,
                    "has a * in the wrong place; write *.example.com for all names below it");
    if (memchr(text, '/', length) != NULL)
        return fail(message, text, length,
                    "is neither a CIDR block nor a host name; write 10.0.0.0/8, or example.com");
    if (length > 0 && text[0] == '.')
        return fail(message, text, length,
                    "is not a host name; write *.example.com for all names below it");
    return fail(message, text, length,
                "is not a host name: letters, digits, - and _ in labels of 1 to 63 bytes");
}

static int parse_name(const char *text, size_t length, struct list_entry *entry,
                      struct text *message)
{
    char target[AUTHORITY_TEXT_SIZE];
    bool is_suffix = length > 2 && text[0] == '*' && text[1] == '.';
    size_t start = is_suffix ? 2 : 0;
    size_t host_length = length - start;

    if (host_length == 0 || host_length > AUTHORITY_HOST_MAX + 1)
        return fail_name(message, text, length);
    memcpy(target, text + start, host_length);
    target[host_length] = ':';
    target[host_length + 1] = '1';
    enum authority_error error = authority_parse(target, host_length + 2, &entry->authority);
    if (error == AUTHORITY_NUMERIC_NAME)
        return fail(message, text, length,
                    "looks like a number but is no IPv4 address; write four decimal parts, as in "
                    "192.0.2.1");
    if (error != AUTHORITY_OK || entry->authority.address.family != IP_NONE)
        return fail_name(message, text, length);
    entry->kind = is_suffix ? LIST_ENTRY_SUFFIX : LIST_ENTRY_NAME;
    return 0;
}

static int fail_colon(struct text *message, const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    size_t host_length = (size_t)(colon - text);

    if (text[0] == '[')
        return fail(message, text, length, "has brackets; write the address alone, as in ::1");
    if (memchr(colon + 1, ':', length - host_length - 1) != NULL)
        return fail(message, text, length, "is not an IPv6 address");
    if (length > host_length + 2 && memcmp(colon, "://", 3) == 0)
        return fail(message, text, length, "is a URL; write its host name alone");
    return fail(message, text, length,
                "has a port; write the host alone (a rule has `port` for the other)");
}

int list_entry_parse(const char *text, size_t length, struct list_entry *ret_entry,
                     struct text *message)
{
    int error = ip_network_parse(text, length, &ret_entry->network);

    if (error == 0) {
        ret_entry->kind = LIST_ENTRY_NETWORK;
        return 0;
    }
    if (error == -ERANGE) {
        fail(message, text, length, "has bits set behind the prefix");
        suggest_network(message, text, length);
        return -EINVAL;
    }
    if (memchr(text, ':', length) != NULL)
        return fail_colon(message, text, length);
    return parse_name(text, length, ret_entry, message);
}
