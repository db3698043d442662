/* A page from elsewhere can make a browser send requests here. It can choose neither the Host
 * field, which the browser takes from the name that it resolved, nor the Origin field. So these two
 * tell requests of our own page from those of a stranger's.
 */
#include "admin/http_guard.h"

#include "wire/authority.h"

#include <string.h>
#include <strings.h>

/* Parses `host`, with a port or without. Without one, any port is added, since the parser needs one
 * and only the host is looked at. */
static bool parse_host(struct view host, struct authority *ret_host)
{
    static const char any_port[] = ":80";
    char text[AUTHORITY_TEXT_SIZE + sizeof(any_port)];

    if (host.length == 0 || host.length >= AUTHORITY_TEXT_SIZE)
        return false;
    if (authority_parse(host.start, host.length, ret_host) == AUTHORITY_OK)
        return true;
    memcpy(text, host.start, host.length);
    memcpy(text + host.length, any_port, sizeof(any_port));
    return authority_parse(text, host.length + sizeof(any_port) - 1, ret_host) == AUTHORITY_OK;
}

bool http_guard_knows_host(struct view host, const char *const *names, size_t count)
{
    struct authority asked;

    if (!parse_host(host, &asked))
        return false;
    if (asked.address.family != IP_NONE ||
        authority_host_is_localhost(asked.host, asked.host_length))
        return true;
    for (size_t i = 0; i < count; i++)
        if (strcmp(asked.host, names[i]) == 0)
            return true;
    return false;
}

void http_guard_explain(struct text *out, struct view host)
{
    struct authority asked;
    bool is_name = parse_host(host, &asked);

    text_add(out, is_name ? asked.host : "the Host");
    text_add(out, " is no name of this admin page: use its address, the machine's own name or "
                  "localhost, or add `name ");
    text_add(out, is_name ? asked.host : "dash.example.com");
    text_add(out, "` to `admin` in the configuration");
}

bool http_guard_is_same_origin(struct view origin, struct view host)
{
    static const char *const schemes[] = {"http://", "https://"};

    if (origin.start == NULL)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        size_t length = strlen(schemes[i]);

        if (origin.length == length + host.length &&
            memcmp(origin.start, schemes[i], length) == 0 &&
            strncasecmp(origin.start + length, host.start, host.length) == 0)
            return true;
    }
    return false;
}
