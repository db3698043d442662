/* dns/resolv_conf: nameserver lines, and nothing else. */
#include "dns/resolv_conf.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

static void reads_name_servers(void **state)
{
    static const struct {
        const char *text;
        const char *servers;
    } rows[] = {
        {"nameserver 192.0.2.1\n", "192.0.2.1:53"},
        {"nameserver 192.0.2.1", "192.0.2.1:53"},
        {"nameserver\t192.0.2.1  # the router\r\n", "192.0.2.1:53"},
        {"nameserver 2001:DB8::1\nnameserver 192.0.2.2\n", "[2001:db8::1]:53 192.0.2.2:53"},
        {"search example.com\noptions ndots:5\nnameserver 192.0.2.1\n", "192.0.2.1:53"},
        {"#nameserver 192.0.2.1\n;nameserver 192.0.2.2\nnameserver 192.0.2.3\n", "192.0.2.3:53"},
        {" nameserver 192.0.2.1\nnameserver 192.0.2.2\n", "192.0.2.2:53"},
        {"nameservers 192.0.2.1\nNAMESERVER 192.0.2.1\nnameserver 192.0.2.2", "192.0.2.2:53"},
        {"nameserver 192.0.2.1:5353\nnameserver [::1]:5353\n", "192.0.2.1:5353 [::1]:5353"},
        {"nameserver ::ffff:192.0.2.1\n", "192.0.2.1:53"},
        {"nameserver 192.0.2.01\nnameserver host\nnameserver 192.0.2.1:0\n", "127.0.0.1:53"},
        /* this machine */
        {"nameserver 0.0.0.0\n", "127.0.0.1:53"},
        {"nameserver ::\nnameserver 0.0.0.0:5353\n", "[::1]:53 127.0.0.1:5353"},
        {"nameserver [::]:5353\nnameserver ::ffff:0.0.0.0\n", "[::1]:5353 127.0.0.1:53"},
        /* an interface, by name or number */
        {"nameserver fe80::1%eth0\nnameserver 192.0.2.2\n", "[fe80::1%eth0]:53 192.0.2.2:53"},
        {"nameserver FEBF::1%br-lan.7\n", "[febf::1%br-lan.7]:53"},
        {"nameserver [fe80::1%2]:5353 # two\n", "[fe80::1%2]:5353"},
        {"nameserver fe80::1%123456789012345\n", "[fe80::1%123456789012345]:53"},
        {"nameserver fe80::1%1234567890123456\n", "127.0.0.1:53"},
        {"nameserver fe80::1%\nnameserver [fe80::1]%eth0:53\n", "127.0.0.1:53"},
        {"nameserver fe80::1%a%b\nnameserver fe80::1%a/b\nnameserver %eth0\n", "127.0.0.1:53"},
        {"nameserver 192.0.2.1%eth0\nnameserver 2001:db8::1%eth0\n", "127.0.0.1:53"},
        {"nameserver fe80::1%eth0:53\n", "[fe80::1%eth0:53]:53"},
        {"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
         "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53"},
        {"\xef\xbb\xbfnameserver 192.0.2.1\r\nnameserver 192.0.2.2\n", "192.0.2.1:53 192.0.2.2:53"},
        {"nameserver\nnameserver \nnameserver", "127.0.0.1:53"},
        {"", "127.0.0.1:53"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct resolv_server_list conf;
        char buffer[256];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        resolv_conf_parse(rows[i].text, strlen(rows[i].text), &conf);
        for (size_t j = 0; j < conf.server_count; j++) {
            if (j > 0)
                text_add_char(&text, ' ');
            resolv_server_print(&text, &conf.servers[j]);
        }
        assert_string_equal(buffer, rows[i].servers);
    }
}

static void takes_a_nul_for_a_letter(void **state)
{
    static const char text[] = "nameserver 192.0.2.1\0\nnameserver 192.0.2.2\n";
    struct resolv_server_list conf;

    resolv_conf_parse(text, sizeof(text) - 1, &conf);
    assert_int_equal(conf.server_count, 1);
    assert_int_equal(conf.servers[0].endpoint.address.bytes[3], 2);
}

static void compares(void **state)
{
    static const char one[] = "nameserver 192.0.2.1\n";
    static const char two[] = "nameserver 192.0.2.1\nnameserver 192.0.2.2\n";
    static const char port[] = "nameserver 192.0.2.1:54\n";
    static const char zone[] = "nameserver fe80::1%eth0\n";
    struct resolv_server_list a, b;

    resolv_conf_parse(one, strlen(one), &a);
    resolv_conf_parse(one, strlen(one), &b);
    assert_true(resolv_server_list_equals(&a, &b));
    resolv_conf_parse(two, strlen(two), &b);
    assert_false(resolv_server_list_equals(&a, &b));
    resolv_conf_parse(port, strlen(port), &b);
    assert_false(resolv_server_list_equals(&a, &b));
    resolv_conf_parse("", 0, &b);
    assert_false(resolv_server_list_equals(&a, &b));
    resolv_conf_parse(zone, strlen(zone), &a);
    resolv_conf_parse(zone, strlen(zone), &b);
    assert_true(resolv_server_list_equals(&a, &b));
    b.servers[0].zone[3] = '1';
    assert_false(resolv_server_list_equals(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_name_servers),
        cmocka_unit_test(takes_a_nul_for_a_letter),
        cmocka_unit_test(compares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
