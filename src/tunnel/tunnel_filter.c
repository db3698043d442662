/* A filter of tunnels, as `ps` and `kill` take it: every part that is set must match. A host is
 * normalised once, when the filter is made, in the same way as the targets of tunnels were
 * (wire/authority.h), so comparing two hosts is comparing bytes.
 */
#include "tunnel/tunnel_filter.h"

#include "base/short_id.h"
#include "observe/access_log.h"

#include <errno.h>
#include <string.h>

int tunnel_filter_set_id(struct tunnel_filter *filter, const char *id)
{
    return short_id_parse(id, strlen(id), &filter->id);
}

/* An empty value is refused: an empty string in the filter means that the part is not set. */
static int set_string(char *place, const char *value, size_t length_max)
{
    size_t length = strlen(value);

    if (length == 0 || length > length_max)
        return -EINVAL;
    memcpy(place, value, length + 1);
    return 0;
}

int tunnel_filter_set_user(struct tunnel_filter *filter, const char *user)
{
    return set_string(filter->user, user, BASIC_USER_MAX);
}

int tunnel_filter_set_rule(struct tunnel_filter *filter, const char *rule)
{
    return set_string(filter->rule, rule, TUNNEL_FILTER_RULE_MAX);
}

int tunnel_filter_set_client(struct tunnel_filter *filter, const char *client)
{
    int error = ip_network_parse(client, strlen(client), &filter->client);

    filter->has_client = error == 0;
    return error;
}

int tunnel_filter_set_host(struct tunnel_filter *filter, const char *host)
{
    int error = list_entry_parse_host(host, strlen(host), &filter->host);

    filter->has_host = error == 0;
    return error;
}

bool tunnel_filter_is_pointed(const struct tunnel_filter *filter)
{
    return filter->id != 0 || filter->user[0] != '\0' || filter->has_host || filter->has_client ||
           filter->rule[0] != '\0';
}

bool tunnel_filter_is_of_ends(const struct tunnel_filter *filter)
{
    return filter->user[0] == '\0' && filter->rule[0] == '\0' && filter->min_bytes == 0;
}

static bool network_equals(const struct ip_network *a, const struct ip_network *b)
{
    return a->prefix_length == b->prefix_length && ip_address_equals(&a->address, &b->address);
}

bool tunnel_filter_equals(const struct tunnel_filter *a, const struct tunnel_filter *b)
{
    return a->id == b->id && a->min_bytes == b->min_bytes && strcmp(a->user, b->user) == 0 &&
           strcmp(a->rule, b->rule) == 0 && a->has_host == b->has_host &&
           (!a->has_host || list_entry_equals(&a->host, &b->host)) &&
           a->has_client == b->has_client &&
           (!a->has_client || network_equals(&a->client, &b->client));
}

static void begin_part(struct text *out, const char *name)
{
    text_add(out, out->length > 0 ? ", " : "");
    text_add(out, name);
    text_add_char(out, ' ');
}

/* Prints into a buffer of its own first, because begin_part tells from the length of the text
 * whether a comma is needed, and `out` may already hold text. */
void tunnel_filter_print(struct text *out, const struct tunnel_filter *filter)
{
    char buffer[TUNNEL_FILTER_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    if (filter->id != 0) {
        begin_part(&text, "id");
        short_id_print(&text, filter->id);
    }
    if (filter->user[0] != '\0') {
        begin_part(&text, "user");
        text_add(&text, filter->user);
    }
    if (filter->has_client) {
        begin_part(&text, "client");
        ip_network_print(&text, &filter->client);
    }
    if (filter->has_host) {
        begin_part(&text, "host");
        list_entry_print(&text, &filter->host);
    }
    if (filter->rule[0] != '\0') {
        begin_part(&text, "rule");
        text_add(&text, filter->rule);
    }
    if (filter->min_bytes > 0) {
        begin_part(&text, "bytes from");
        text_add_decimal(&text, filter->min_bytes);
    }
    text_add(out, buffer);
}

const char *tunnel_host(const char *target, size_t target_length, size_t *ret_length)
{
    const char *host = target;
    const char *colon = memrchr(host, ':', target_length);
    size_t length = colon != NULL ? (size_t)(colon - host) : target_length;

    if (length >= 2 && host[0] == '[') {
        host++;
        length -= 2;
    }
    *ret_length = length;
    return host;
}

bool tunnel_filter_matches(const struct tunnel_filter *filter, const struct access_record *record)
{
    size_t length;
    const char *host = tunnel_host(record->target, record->target_length, &length);

    if (filter->id != 0 && filter->id != record->id)
        return false;
    if (filter->user[0] != '\0' &&
        (record->user == NULL || strcmp(filter->user, record->user) != 0))
        return false;
    if (filter->has_host && !list_entry_has_host(&filter->host, host, length))
        return false;
    if (filter->has_client && !ip_network_contains(&filter->client, &record->client.address))
        return false;
    if (filter->rule[0] != '\0' &&
        (record->rule == NULL || strcmp(filter->rule, record->rule) != 0))
        return false;
    return record->up_bytes + record->down_bytes >= filter->min_bytes;
}
