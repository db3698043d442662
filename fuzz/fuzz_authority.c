/* Targets: what is accepted has one form, which parses to the same value, and libc agrees on
 * literals. The same bytes go to the parsers of endpoints and networks. */
#include "wire/authority.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_name(const struct authority *authority)
{
    CHECK(authority->host_length > 0 && authority->host[authority->host_length - 1] != '.');
    for (size_t i = 0; i < authority->host_length; i++)
        CHECK(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", authority->host[i]));
    CHECK(!strstr(authority->host, "..") && authority->host[0] != '.');
    /* Nothing that libc takes for an address. */
    struct in_addr v4;
    CHECK(inet_aton(authority->host, &v4) == 0);
}

static void check_literal(const struct authority *authority)
{
    uint8_t bytes[16] = {0};
    int family = authority->address.family == IP_V4 ? AF_INET : AF_INET6;

    CHECK(inet_pton(family, authority->host, bytes) == 1);
    CHECK(memcmp(bytes, authority->address.bytes, sizeof(bytes)) == 0);
    CHECK(!authority_host_is_localhost(authority->host, authority->host_length));
}

static void check_authority(const char *bytes, size_t size)
{
    struct authority authority;
    struct authority again;
    char buffer[AUTHORITY_TEXT_SIZE];
    struct text printed;

    enum authority_error error = authority_parse(bytes, size, &authority);
    CHECK(error == AUTHORITY_OK || strlen(authority_error_text(error)) > 0);
    if (error != AUTHORITY_OK)
        return;
    CHECK(authority.port > 0);
    CHECK(strlen(authority.host) == authority.host_length);
    if (authority.address.family == IP_NONE)
        check_name(&authority);
    else
        check_literal(&authority);

    text_init(&printed, buffer, sizeof(buffer));
    authority_print(&printed, &authority);
    CHECK(!printed.is_truncated);
    CHECK(authority_parse(buffer, printed.length, &again) == AUTHORITY_OK);
    CHECK(strcmp(again.host, authority.host) == 0 && again.port == authority.port);
    CHECK(ip_address_equals(&again.address, &authority.address));
}

static void check_endpoint(const char *bytes, size_t size)
{
    struct ip_endpoint endpoint;
    struct ip_endpoint again;
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text printed;

    if (ip_endpoint_parse(bytes, size, &endpoint) < 0)
        return;
    text_init(&printed, buffer, sizeof(buffer));
    ip_endpoint_print(&printed, &endpoint);
    CHECK(!printed.is_truncated);
    CHECK(ip_endpoint_parse(buffer, printed.length, &again) == 0);
    CHECK(ip_address_equals(&again.address, &endpoint.address) && again.port == endpoint.port);
}

static void check_network(const char *bytes, size_t size)
{
    struct ip_network network;
    struct ip_network again;
    char buffer[IP_ENDPOINT_TEXT_SIZE];
    struct text printed;

    if (ip_network_parse(bytes, size, &network) < 0)
        return;
    CHECK(ip_network_contains(&network, &network.address));
    text_init(&printed, buffer, sizeof(buffer));
    ip_address_print(&printed, &network.address);
    text_add_char(&printed, '/');
    text_add_decimal(&printed, network.prefix_length);
    CHECK(ip_network_parse(buffer, printed.length, &again) == 0);
    CHECK(ip_address_equals(&again.address, &network.address));
    CHECK(again.prefix_length == network.prefix_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_authority((const char *)data, size);
    check_endpoint((const char *)data, size);
    check_network((const char *)data, size);
    return 0;
}
