/* The zone is removed from the text first; the rest is then an ordinary address or endpoint, which
 * base/ can parse. */
#include "wire/resolv_server.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static bool is_link_local(const struct ip_address *address)
{
    return address->family == IP_V6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

/* The bytes that an interface's name may have and that the configuration takes without quotes. */
static bool is_zone_byte(char byte)
{
    return byte > ' ' && byte <= '~' && strchr("%/[],;{}\"\\#$", byte) == NULL;
}

/* Removes `%ZONE` from the text, if it is there, and leaves the rest: an address, or
 * `[ADDRESS]:PORT`. `ret_rest` has room for RESOLV_SERVER_TEXT_SIZE bytes. */
static bool take_zone(const char *text, size_t length, char *ret_rest, size_t *ret_length,
                      char ret_zone[RESOLV_SERVER_ZONE_SIZE])
{
    const char *end = text + length;
    const char *sign = memchr(text, '%', length);
    size_t zone_length = 0;

    if (length >= RESOLV_SERVER_TEXT_SIZE)
        return false;
    if (sign == NULL)
        sign = end;
    else
        while (sign + 1 + zone_length < end && is_zone_byte(sign[1 + zone_length]))
            zone_length++;
    if (sign < end && (zone_length == 0 || zone_length >= RESOLV_SERVER_ZONE_SIZE))
        return false;
    size_t before = (size_t)(sign - text);
    size_t taken = sign < end ? 1 + zone_length : 0;
    memcpy(ret_rest, text, before);
    memcpy(ret_rest + before, sign + taken, length - before - taken);
    *ret_length = length - taken;
    memcpy(ret_zone, sign < end ? sign + 1 : "", zone_length);
    ret_zone[zone_length] = '\0';
    return true;
}

int resolv_server_parse(const char *text, size_t length, struct resolv_server *ret_server)
{
    static const uint8_t loopback_v4[4] = {127, 0, 0, 1};
    static const uint8_t loopback_v6[16] = {[15] = 1};
    char rest[RESOLV_SERVER_TEXT_SIZE];
    size_t rest_length;
    struct resolv_server server;
    struct ip_address *address = &server.endpoint.address;

    if (!take_zone(text, length, rest, &rest_length, server.zone))
        return -EINVAL;
    if (ip_address_parse(rest, rest_length, address) == 0)
        server.endpoint.port = RESOLV_SERVER_PORT;
    else if (ip_endpoint_parse(rest, rest_length, &server.endpoint) < 0 ||
             server.endpoint.port == 0)
        return -EINVAL;
    if (server.zone[0] != '\0' && !is_link_local(address))
        return -EINVAL;
    if (ip_address_is_unspecified(address))
        *address = address->family == IP_V4 ? ip_address_from_v4(loopback_v4)
                                            : ip_address_from_v6(loopback_v6);
    *ret_server = server;
    return 0;
}

void resolv_server_print(struct text *out, const struct resolv_server *server)
{
    if (server->zone[0] == '\0') {
        ip_endpoint_print(out, &server->endpoint);
        return;
    }
    text_add_char(out, '[');
    ip_address_print(out, &server->endpoint.address);
    text_add_char(out, '%');
    text_add(out, server->zone);
    text_add(out, "]:");
    text_add_decimal(out, server->endpoint.port);
}

bool resolv_server_needs_zone(const struct resolv_server *server)
{
    return server->zone[0] == '\0' && is_link_local(&server->endpoint.address);
}

static bool server_equals(const struct resolv_server *a, const struct resolv_server *b)
{
    return ip_endpoint_equals(&a->endpoint, &b->endpoint) && strcmp(a->zone, b->zone) == 0;
}

bool resolv_server_list_equals(const struct resolv_server_list *a,
                               const struct resolv_server_list *b)
{
    if (a->server_count != b->server_count)
        return false;
    for (size_t i = 0; i < a->server_count; i++)
        if (!server_equals(&a->servers[i], &b->servers[i]))
            return false;
    return true;
}
