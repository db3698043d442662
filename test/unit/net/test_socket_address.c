/* Socket addresses there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/socket_address.h"

#include <string.h>

static void test_there_and_back(void **state)
{
    static const struct {
        const char *text;
        const char *back; /* NULL: the same */
        socklen_t size;
    } rows[] = {
        {"127.0.0.1:10800", NULL, sizeof(struct sockaddr_in)},
        {"255.1.2.3:65535", NULL, sizeof(struct sockaddr_in)},
        {"[2001:db8::1]:1", NULL, sizeof(struct sockaddr_in6)},
        {"[::]:0", NULL, sizeof(struct sockaddr_in6)},
        {"[::ffff:10.0.0.1]:80", "10.0.0.1:80", sizeof(struct sockaddr_in)},
    };
    char printed[IP_ENDPOINT_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        union socket_address address;
        struct ip_endpoint endpoint;
        struct text out;

        assert_int_equal(ip_endpoint_parse(rows[i].text, strlen(rows[i].text), &endpoint), 0);
        assert_int_equal(socket_address_from_endpoint(&address, &endpoint), rows[i].size);
        endpoint = socket_address_to_endpoint(&address);
        text_init(&out, printed, sizeof(printed));
        ip_endpoint_print(&out, &endpoint);
        assert_string_equal(printed, rows[i].back != NULL ? rows[i].back : rows[i].text);
    }
}

static void test_mapped_addresses_of_the_kernel(void **state)
{
    union socket_address address = {.v6 = {.sin6_family = AF_INET6}};

    address.v6.sin6_addr.s6_addr[10] = 0xff;
    address.v6.sin6_addr.s6_addr[11] = 0xff;
    address.v6.sin6_addr.s6_addr[12] = 127;
    address.v6.sin6_addr.s6_addr[15] = 1;
    struct ip_endpoint endpoint = socket_address_to_endpoint(&address);
    assert_int_equal(endpoint.address.family, IP_V4);
    assert_true(ip_address_is_loopback(&endpoint.address));
}

static void test_other_families(void **state)
{
    union socket_address address = {.any = {.sa_family = AF_UNIX}};

    assert_int_equal(socket_address_to_endpoint(&address).address.family, IP_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_mapped_addresses_of_the_kernel),
        cmocka_unit_test(test_other_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
