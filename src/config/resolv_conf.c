/* Line by line, as libc reads it: the keyword stands in the first column, blanks follow, the
 * address ends at the next blank, and whatever is behind it is ignored.
 */
#include "config/resolv_conf.h"

#include "config/lines.h"

#include <string.h>

static bool parse_server(const char *text, size_t length, struct ip_endpoint *ret_server)
{
    if (ip_endpoint_parse(text, length, ret_server) == 0)
        return ret_server->port != 0;
    if (ip_address_parse(text, length, &ret_server->address) < 0)
        return false;
    ret_server->port = RESOLV_CONF_PORT;
    return true;
}

static bool parse_line(const char *line, size_t length, struct ip_endpoint *ret_server)
{
    static const char keyword[] = "nameserver";
    size_t start = sizeof(keyword) - 1;

    if (length <= start || memcmp(line, keyword, start) != 0 || !byte_is_blank(line[start]))
        return false;
    while (start < length && byte_is_blank(line[start]))
        start++;
    size_t end = start;
    while (end < length && !byte_is_blank(line[end]))
        end++;
    return parse_server(line + start, end - start, ret_server);
}

void resolv_conf_parse(const char *text, size_t length, struct resolv_conf *ret_conf)
{
    struct resolv_conf conf = {.server_count = 0};
    struct lines lines;
    const char *line;
    size_t line_length;

    lines_init(&lines, text, length);
    while (conf.server_count < RESOLV_CONF_SERVERS_MAX && lines_next(&lines, &line, &line_length)) {
        if (parse_line(line, line_length, &conf.servers[conf.server_count]))
            conf.server_count++;
    }
    if (conf.server_count == 0) {
        static const uint8_t loopback[4] = {127, 0, 0, 1};

        conf.servers[0].address = ip_address_from_v4(loopback);
        conf.servers[0].port = RESOLV_CONF_PORT;
        conf.server_count = 1;
    }
    *ret_conf = conf;
}

bool resolv_conf_equals(const struct resolv_conf *a, const struct resolv_conf *b)
{
    if (a->server_count != b->server_count)
        return false;
    for (size_t i = 0; i < a->server_count; i++)
        if (a->servers[i].port != b->servers[i].port ||
            !ip_address_equals(&a->servers[i].address, &b->servers[i].address))
            return false;
    return true;
}
