/* A text that is an address or a block (`10.0.0.1`, `fd00::/8`) is that, and a name otherwise.
 * Names go through wire/authority, so that a list and a request spell them alike.
 */
#include "config/list_entry.h"

#include "base/escape.h"
#include "config/diagnostics.h"
#include "config/suggest.h"
#include "policy/name_pattern.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <errno.h>
#include <string.h>

enum { QUOTED_MAX = 80 };

static int list_entry_fail(struct text *message, const char *text, size_t length, const char *why)
{
    text_add_char(message, '\'');
    escape_add(message, text, length, QUOTED_MAX, ESCAPE_PLAIN);
    text_add(message, "' ");
    text_add(message, why);
    return -EINVAL;
}

static bool is_star_alone(const char *text, size_t length)
{
    return length > 0 && text[0] == '*' && (length == 1 || (length == 2 && text[1] == '.'));
}

static int fail_name(struct text *message, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return list_entry_fail(
                message, text, length,
                "is not ASCII; write a name's encoded form, as in xn--bcher-kva.example");
    if (is_star_alone(text, length))
        return list_entry_fail(
            message, text, length,
            "is no host; write *.example.com for all names below it, or `to any` in a rule");
    if (memchr(text, '/', length) != NULL)
        return list_entry_fail(
            message, text, length,
            "is neither a CIDR block nor a host name; write 10.0.0.0/8, or example.com");
    return list_entry_fail(
        message, text, length,
        "is not a host name: letters, digits, - and _ in labels of 1 to 63 bytes");
}

static int fail_star(struct text *message, const char *text, size_t length, bool is_last)
{
    return list_entry_fail(
        message, text, length,
        is_last ? "has a * as its last label, where it would be anybody's domain; name them"
                : "has a * that is only a part of a label; write it for a whole one, as in "
                  "*.example.com for all names below it, or eu.*.example.com");
}

/* Replaces each label `*` by an `x`, so that the rest can be judged like a name. */
static int hide_stars(struct text *message, const char *text, size_t length, char *host,
                      size_t host_length)
{
    for (size_t i = 0; i < host_length; i++) {
        bool is_first = i == 0 || host[i - 1] == '.';
        bool is_last = i + 1 == host_length || (host[i + 1] == '.' && i + 2 == host_length);

        if (host[i] != '*')
            continue;
        if (!is_first || (!is_last && host[i + 1] != '.'))
            return fail_star(message, text, length, false);
        if (is_last)
            return fail_star(message, text, length, true);
        host[i] = 'x';
    }
    return 0;
}

static enum list_entry_kind kind_of(const char *text, size_t length, size_t *ret_start)
{
    bool is_suffix = length > 2 && text[0] == '*' && text[1] == '.';
    bool is_domain = length > 1 && text[0] == '.';

    *ret_start = is_suffix ? 2 : is_domain ? 1 : 0;
    return is_suffix ? LIST_ENTRY_SUFFIX : is_domain ? LIST_ENTRY_DOMAIN : LIST_ENTRY_NAME;
}

static int list_entry_parse_name(const char *text, size_t length, struct list_entry *entry,
                                 struct text *message)
{
    char target[AUTHORITY_TEXT_SIZE];
    size_t start;
    enum list_entry_kind kind = kind_of(text, length, &start);
    size_t host_length = length - start;

    if (host_length == 0 || host_length > AUTHORITY_HOST_MAX + 1 || is_star_alone(text, length))
        return fail_name(message, text, length);
    memcpy(target, text + start, host_length);
    if (hide_stars(message, text, length, target, host_length) < 0)
        return -EINVAL;
    /* The parser of targets wants a port, so any is added. */
    target[host_length] = ':';
    target[host_length + 1] = '1';
    enum authority_error error = authority_parse(target, host_length + 2, &entry->authority);
    if (error == AUTHORITY_NUMERIC_NAME)
        return list_entry_fail(
            message, text, length,
            "looks like a number but is no IPv4 address; write four decimal parts, as in "
            "192.0.2.1");
    if (error != AUTHORITY_OK || entry->authority.address.family != IP_NONE)
        return fail_name(message, text, length);
    for (size_t i = 0; i < host_length; i++)
        if (text[start + i] == '*')
            entry->authority.host[i] = '*';
    entry->kind = kind;
    return 0;
}

static int fail_colon(struct text *message, const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    size_t host_length = (size_t)(colon - text);

    if (text[0] == '[')
        return list_entry_fail(message, text, length,
                               "has brackets; write the address alone, as in ::1");
    if (memchr(colon + 1, ':', length - host_length - 1) != NULL)
        return list_entry_fail(message, text, length, "is not an IPv6 address");
    if (length > host_length + 2 && memcmp(colon, "://", 3) == 0)
        return list_entry_fail(message, text, length, "is a URL; write its host name alone");
    return list_entry_fail(message, text, length,
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
        list_entry_fail(message, text, length, "has bits set behind the prefix");
        suggest_network(message, text, length);
        return -EINVAL;
    }
    if (memchr(text, ':', length) != NULL)
        return fail_colon(message, text, length);
    return list_entry_parse_name(text, length, ret_entry, message);
}

int list_entry_parse_host(const char *text, size_t length, struct list_entry *ret_entry)
{
    bool is_bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text ignored;

    text_init(&ignored, buffer, sizeof(buffer));
    int error =
        list_entry_parse(text + is_bracketed, length - 2 * is_bracketed, ret_entry, &ignored);
    if (error == 0 && is_bracketed && memchr(text, ':', length) == NULL)
        return -EINVAL;
    return error;
}

bool list_entry_has_host(const struct list_entry *entry, const char *host, size_t length)
{
    const char *pattern = entry->authority.host;
    size_t pattern_length = entry->authority.host_length;
    struct ip_address address;

    if (entry->kind == LIST_ENTRY_NETWORK)
        return ip_address_parse(host, length, &address) == 0 &&
               ip_network_contains(&entry->network, &address);
    if (entry->kind != LIST_ENTRY_SUFFIX && name_pattern_has(pattern, pattern_length, host, length))
        return true;
    return entry->kind != LIST_ENTRY_NAME &&
           name_pattern_has_below(pattern, pattern_length, host, length);
}

void list_entry_print(struct text *out, const struct list_entry *entry)
{
    static const char *const before[] = {
        [LIST_ENTRY_NAME] = "",
        [LIST_ENTRY_SUFFIX] = "*.",
        [LIST_ENTRY_DOMAIN] = ".",
        [LIST_ENTRY_NETWORK] = "",
    };
    static_assert(ARRAY_LENGTH(before) == LIST_ENTRY_KIND_COUNT, "a sign for every kind");

    text_add(out, before[entry->kind]);
    if (entry->kind == LIST_ENTRY_NETWORK)
        ip_network_print(out, &entry->network);
    else
        text_add(out, entry->authority.host);
}

bool list_entry_equals(const struct list_entry *a, const struct list_entry *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == LIST_ENTRY_NETWORK)
        return a->network.prefix_length == b->network.prefix_length &&
               ip_address_equals(&a->network.address, &b->network.address);
    return strcmp(a->authority.host, b->authority.host) == 0;
}

int list_entry_add(const struct list_entry *entry, struct name_set *names,
                   struct network_set *networks)
{
    const struct authority *name = &entry->authority;
    int error = 0;

    if (entry->kind == LIST_ENTRY_NETWORK)
        return network_set_add(networks, &entry->network);
    if (entry->kind != LIST_ENTRY_SUFFIX)
        error = name_set_add_host(names, name->host, name->host_length, false);
    if (error == 0 && entry->kind != LIST_ENTRY_NAME)
        error = name_set_add_host(names, name->host, name->host_length, true);
    return error;
}
