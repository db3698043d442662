/* Whose Host and whose Origin is ours: what stands between a stranger's page and the admin page. */
#include "admin/http_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct view view_of(const char *text)
{
    return (struct view){text, text != NULL ? strlen(text) : 0};
}

static void our_hosts_are_known(void **state)
{
    static const char *const hosts[] = {"localhost",           "LocalHost:1", "localhost.",
                                        "a.b.localhost:65535", "127.0.0.1",   "127.0.0.1:80",
                                        "192.0.2.1",           "[::1]",       "[::1]:80",
                                        "[2001:db8::1]:9",     "box",         "BOX:10801"};

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++)
        if (!http_guard_knows_host(view_of(hosts[i]), "box"))
            fail_msg("not known: %s", hosts[i]);
}

static void others_are_not(void **state)
{
    static const char *const hosts[] = {"",
                                        "a.example",
                                        "a.example:80",
                                        "box.example",
                                        "xbox",
                                        "box:",
                                        ":80",
                                        "localhost:0",
                                        "localhost:65536",
                                        "localhostx",
                                        "localhost.a",
                                        "127.0.0.1.a.example",
                                        "::1",
                                        "[::1",
                                        "[::1]x",
                                        "[fe80::1%eth0]",
                                        "127.1",
                                        "0x7f.1",
                                        "017700000001",
                                        "a@localhost",
                                        "localhost/",
                                        "localhost localhost",
                                        "box,box"};

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++)
        if (http_guard_knows_host(view_of(hosts[i]), "box"))
            fail_msg("known: %s", hosts[i]);
    assert_false(http_guard_knows_host(view_of(NULL), "box"));
    /* A machine without a name lends it to nobody. */
    assert_false(http_guard_knows_host(view_of(""), ""));
    assert_false(http_guard_knows_host(view_of(":80"), ""));
}

static void a_long_host_is_not_known(void **state)
{
    char host[1000];

    memset(host, 'a', sizeof(host));
    assert_false(http_guard_knows_host((struct view){host, sizeof(host)}, "box"));
}

static void origins_are_compared(void **state)
{
    static const struct {
        const char *origin;
        bool is_same;
    } rows[] = {
        {NULL, true},
        {"http://localhost:10801", true},
        {"https://LOCALHOST:10801", true},
        {"", false},
        {"null", false},
        {"http://localhost", false},
        {"http://localhost:1080", false},
        {"http://localhost:108011", false},
        {"ftp://localhost:10801", false},
        {"localhost:10801", false},
        {"http://evil.example", false},
        {"http://localhost:10801.evil.example", false},
        {"http://evil.example/http://localhost:10801", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (http_guard_is_same_origin(view_of(rows[i].origin), view_of("localhost:10801")) !=
            rows[i].is_same)
            fail_msg("misjudged: %s", rows[i].origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_hosts_are_known),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(a_long_host_is_not_known),
        cmocka_unit_test(origins_are_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
