/* The text is read line by line, as libc does it: the keyword stands in the first column, blanks
 * follow, the address ends at the next blank, and whatever is behind it is ignored.
 */
#include "dns/resolv_conf.h"

#include "base/lines.h"

#include <stdint.h>
#include <string.h>

static bool resolv_conf_parse_line(const char *line, size_t length,
                                   struct resolv_server *ret_server)
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
    return resolv_server_parse(line + start, end - start, ret_server) == 0;
}

void resolv_conf_parse(const char *text, size_t length, struct resolv_server_list *ret_servers)
{
    struct resolv_server_list found = {.server_count = 0};
    struct lines lines;
    const char *line;
    size_t line_length;

    lines_init(&lines, text, length);
    while (found.server_count < RESOLV_SERVERS_MAX && lines_next(&lines, &line, &line_length)) {
        if (resolv_conf_parse_line(line, line_length, &found.servers[found.server_count]))
            found.server_count++;
    }
    if (found.server_count == 0) {
        static const uint8_t loopback[4] = {127, 0, 0, 1};

        found.servers[0] =
            (struct resolv_server){.endpoint = {ip_address_from_v4(loopback), RESOLV_SERVER_PORT}};
        found.server_count = 1;
    }
    *ret_servers = found;
}
