/* base/client_key: which addresses count as one client. */
#include "base/client_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct client_key key_of(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, strlen(text), &address), 0);
    return client_key_of(&address);
}

static void is_one_client(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool is_one;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.1", "::ffff:10.0.0.1", true},
        {"10.0.0.1", "::ffff:10.0.0.2", false},
        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"fe80::1", "fe80::2", true},
        {"127.0.0.1", "127.255.255.254", true},
        {"127.0.0.1", "::ffff:127.9.9.9", true},
        {"127.0.0.1", "128.0.0.1", false},
        {"127.0.0.1", "::1", false},
        {"::1", "::1", true},
        {"32.1.13.184", "2001:db8::", false}, /* the same bytes */
        {"0.0.0.0", "::", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct client_key a = key_of(rows[i].a);
        struct client_key b = key_of(rows[i].b);

        assert_int_equal(client_key_equals(&a, &b), rows[i].is_one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_one_client)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
