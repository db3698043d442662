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

static bool knows(struct view host)
{
    static const char *const names[] = {"dash.corp.example", "box"};

    return http_guard_knows_host(host, names, ARRAY_LENGTH(names));
}

static void our_hosts_are_known(void **state)
{
    static const char *const hosts[] = {
        "localhost",          "LocalHost:1",          "localhost.", "a.b.localhost:65535",
        "127.0.0.1",          "127.0.0.1:80",         "192.0.2.1",  "[::1]",
        "[::1]:80",           "[2001:db8::1]:9",      "box",        "BOX:10801",
        "Dash.Corp.Example.", "dash.corp.example:443"};

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++)
        if (!knows(view_of(hosts[i])))
            fail_msg("not known: %s", hosts[i]);
}

static void others_are_not(void **state)
{
    static const char *const hosts[] = {"",
                                        "a.example",
                                        "a.example:80",
                                        "box.example",
                                        "corp.example",
                                        "a.dash.corp.example",
                                        "dash.corp.example.evil.example",
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
        if (knows(view_of(hosts[i])))
            fail_msg("known: %s", hosts[i]);
    assert_false(knows(view_of(NULL)));
    /* A page without names lends none. */
    assert_false(http_guard_knows_host(view_of("box"), NULL, 0));
    assert_false(http_guard_knows_host(view_of(""), NULL, 0));
}

static void a_long_host_is_not_known(void **state)
{
    char host[1000];

    memset(host, 'a', sizeof(host));
    assert_false(knows((struct view){host, sizeof(host)}));
}

/* What may not go into a line of text does not come back. */
static void a_refusal_says_what_to_write(void **state)
{
    static const struct {
        const char *host;
        const char *name;
        const char *setting;
    } rows[] = {
        {"Dash.example:80", "dash.example is no name", "add `name dash.example` to `admin`"},
        {NULL, "the Host is no name", "add `name dash.example.com` to `admin`"},
        {"a\"b", "the Host is no name", "add `name dash.example.com` to `admin`"},
        {"<b>", "the Host is no name", "add `name dash.example.com` to `admin`"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char line[1024];
        struct text text;

        text_init(&text, line, sizeof(line));
        http_guard_explain(&text, view_of(rows[i].host));
        assert_non_null(strstr(line, rows[i].name));
        assert_non_null(strstr(line, rows[i].setting));
    }
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
        cmocka_unit_test(our_hosts_are_known),      cmocka_unit_test(others_are_not),
        cmocka_unit_test(a_long_host_is_not_known), cmocka_unit_test(a_refusal_says_what_to_write),
        cmocka_unit_test(origins_are_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
