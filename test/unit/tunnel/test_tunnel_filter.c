/* Filters of tunnels: what each spelling means, and what can't be meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/short_id.h"
#include "observe/access_log.h"
#include "tunnel/tunnel_filter.h"

#include <errno.h>
#include <string.h>

static struct access_record record_of(const char *user, const char *target)
{
    return (struct access_record){.id = 0x1234567890abcdef,
                                  .user = user,
                                  .target = target,
                                  .target_length = strlen(target),
                                  .up_bytes = 1000,
                                  .down_bytes = 24};
}

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        const char *target;
        bool is_match;
    } rows[] = {
        {"example.com", "example.com:443", true},
        {"EXAMPLE.com.", "example.com:443", true},
        {"example.com", "www.example.com:443", false},
        {"example.com", "example.org:443", false},
        {"example.co", "example.com:443", false},
        {"*.example.com", "www.example.com:443", true},
        {"*.Example.com", "a.b.example.com:443", true},
        {"*.example.com", "example.com:443", false},
        {"*.example.com", "badexample.com:443", false},
        {"*.com", "example.com:443", true},
        {".example.com", "example.com:443", true},
        {".Example.com.", "a.b.example.com:443", true},
        {".example.com", "badexample.com:443", false},
        {"ec2.*.amazonaws.com", "ec2.eu-west-1.amazonaws.com:443", true},
        {"ec2.*.amazonaws.com", "ec2.amazonaws.com:443", false},
        {"ec2.*.amazonaws.com", "ec2.a.b.amazonaws.com:443", false},
        {"*.ec2.*.amazonaws.com", "x.y.ec2.eu.amazonaws.com:443", true},
        {"*.ec2.*.amazonaws.com", "ec2.eu.amazonaws.com:443", false},
        {".ec2.*.amazonaws.com", "ec2.eu.amazonaws.com:443", true},
        {"10.0.0.0/8", "10.1.2.3:443", true},
        {"10.0.0.0/8", "11.1.2.3:443", false},
        {"10.0.0.0/8", "a.example:443", false},
        {"fd00::/8", "[fd00::1]:443", true},
        {"127.0.0.1", "127.0.0.1:80", true},
        {"127.0.0.1", "127.0.0.11:80", false},
        {"::1", "[::1]:80", true},
        {"[::1]", "[::1]:80", true},
        {"0:0::1", "[::1]:80", true},
        {"::ffff:10.0.0.1", "10.0.0.1:80", true},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct tunnel_filter filter = {.min_bytes = 0};
        struct access_record record = record_of(NULL, rows[i].target);

        assert_int_equal(tunnel_filter_set_host(&filter, rows[i].host), 0);
        if (tunnel_filter_matches(&filter, &record) != rows[i].is_match)
            fail_msg("%s and %s", rows[i].host, rows[i].target);
    }
}

static void test_malformed(void **state)
{
    static const char *const hosts[] = {
        "",        "*",       "*.",     "a..b",  "a b",    "a:80",  "*.10.0.0", "*.127.0.0.1",
        "127.0.1", "*.[::1]", "user@a", "www.*", "w*.com", "..com", "[a.com]",  "."};
    static const char *const ids[] = {"",
                                      "0",
                                      "01",
                                      "i",
                                      "A",
                                      "a b",
                                      "zzzzzzzzzzzzz",
                                      "1000000000000z",
                                      "-",
                                      "12345\xff",
                                      "g0000000000000",
                                      "*"};
    struct tunnel_filter filter = {.min_bytes = 0};
    char user[BASIC_USER_MAX + 2];

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++)
        if (tunnel_filter_set_host(&filter, hosts[i]) != -EINVAL)
            fail_msg("host %s", hosts[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        if (tunnel_filter_set_id(&filter, ids[i]) != -EINVAL)
            fail_msg("id %s", ids[i]);
    assert_int_equal(tunnel_filter_set_user(&filter, ""), -EINVAL);
    memset(user, 'a', sizeof(user));
    user[BASIC_USER_MAX + 1] = '\0';
    assert_int_equal(tunnel_filter_set_user(&filter, user), -EINVAL);
    user[BASIC_USER_MAX] = '\0';
    assert_int_equal(tunnel_filter_set_user(&filter, user), 0);
}

static void test_ids(void **state)
{
    static const uint64_t ids[] = {1, 31, 32, 0x1234567890abcdef, UINT64_MAX};

    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        struct tunnel_filter filter = {.min_bytes = 0};
        struct access_record record = record_of(NULL, "a:1");
        char buffer[16];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        short_id_print(&text, ids[i]);
        assert_int_equal(tunnel_filter_set_id(&filter, buffer), 0);
        assert_true(filter.id == ids[i]);
        assert_int_equal(tunnel_filter_matches(&filter, &record), ids[i] == record.id);
    }
}

static void test_users_and_bytes(void **state)
{
    struct tunnel_filter filter = {.min_bytes = 1024};
    struct access_record nobody = record_of(NULL, "a:1");
    struct access_record alice = record_of("alice", "a:1");
    struct access_record other = record_of("Alice", "a:1");

    assert_true(tunnel_filter_matches(&filter, &nobody));
    filter.min_bytes++;
    assert_false(tunnel_filter_matches(&filter, &nobody));
    filter.min_bytes = 0;
    assert_int_equal(tunnel_filter_set_user(&filter, "alice"), 0);
    assert_false(tunnel_filter_matches(&filter, &nobody));
    assert_true(tunnel_filter_matches(&filter, &alice));
    assert_false(tunnel_filter_matches(&filter, &other));
    assert_int_equal(tunnel_filter_set_host(&filter, "b"), 0);
    assert_false(tunnel_filter_matches(&filter, &alice));
}

static void test_clients(void **state)
{
    static const struct {
        const char *client;
        const char *address;
        bool is_match;
    } rows[] = {
        {"10.0.0.7", "10.0.0.7", true},        {"10.0.0.7", "10.0.0.70", false},
        {"10.0.0.0/8", "10.255.0.1", true},    {"10.0.0.0/8", "11.0.0.1", false},
        {"0.0.0.0/0", "192.0.2.1", true},      {"0.0.0.0/0", "::1", false},
        {"::ffff:10.0.0.7", "10.0.0.7", true}, {"fd00::/8", "fd12::1", true},
        {"2001:DB8::1", "2001:db8::1", true},  {"::1", "127.0.0.1", false},
    };
    static const char *const bad[] = {"",      "a",  "10.0.0", "10.0.0.0/33", "10.0.0.1:80",
                                      "[::1]", "any"};
    struct tunnel_filter filter = {.min_bytes = 0};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct access_record record = record_of(NULL, "a:1");

        assert_int_equal(
            ip_address_parse(rows[i].address, strlen(rows[i].address), &record.client.address), 0);
        assert_int_equal(tunnel_filter_set_client(&filter, rows[i].client), 0);
        if (tunnel_filter_matches(&filter, &record) != rows[i].is_match)
            fail_msg("%s and %s", rows[i].client, rows[i].address);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (tunnel_filter_set_client(&filter, bad[i]) != -EINVAL)
            fail_msg("client %s", bad[i]);
    assert_int_equal(tunnel_filter_set_client(&filter, "10.0.0.1/8"), -ERANGE);
    assert_false(tunnel_filter_is_pointed(&filter));
}

static void test_rules(void **state)
{
    struct tunnel_filter filter = {.min_bytes = 0};
    struct access_record none = record_of(NULL, "a:1");
    struct access_record web = none;
    struct access_record line = none;
    char long_rule[TUNNEL_FILTER_RULE_MAX + 2];

    web.rule = "web";
    line.rule = "adit.conf:7";
    assert_true(tunnel_filter_matches(&filter, &none));
    assert_int_equal(tunnel_filter_set_rule(&filter, "web"), 0);
    assert_true(tunnel_filter_is_pointed(&filter));
    assert_true(tunnel_filter_matches(&filter, &web));
    assert_false(tunnel_filter_matches(&filter, &line));
    assert_false(tunnel_filter_matches(&filter, &none));
    assert_int_equal(tunnel_filter_set_rule(&filter, "adit.conf:7"), 0);
    assert_true(tunnel_filter_matches(&filter, &line));
    memset(long_rule, 'a', sizeof(long_rule));
    long_rule[TUNNEL_FILTER_RULE_MAX + 1] = '\0';
    assert_int_equal(tunnel_filter_set_rule(&filter, long_rule), -EINVAL);
    assert_int_equal(tunnel_filter_set_rule(&filter, ""), -EINVAL);
}

static void test_equal(void **state)
{
    struct tunnel_filter a = {.min_bytes = 0};
    struct tunnel_filter b = {.min_bytes = 0};

    assert_int_equal(tunnel_filter_set_host(&a, "example.com"), 0);
    assert_false(tunnel_filter_equals(&a, &b));
    assert_int_equal(tunnel_filter_set_host(&b, "EXAMPLE.com"), 0);
    assert_true(tunnel_filter_equals(&a, &b));
    b.min_bytes = 1;
    assert_false(tunnel_filter_equals(&a, &b));
    b = a;
    assert_int_equal(tunnel_filter_set_rule(&b, "web"), 0);
    assert_false(tunnel_filter_equals(&a, &b));
    b = a;
    assert_int_equal(tunnel_filter_set_client(&a, "10.0.0.0/8"), 0);
    assert_false(tunnel_filter_equals(&a, &b));
    assert_int_equal(tunnel_filter_set_client(&b, "10.0.0.0/9"), 0);
    assert_false(tunnel_filter_equals(&a, &b));
    assert_int_equal(tunnel_filter_set_client(&b, "10.0.0.0/8"), 0);
    assert_true(tunnel_filter_equals(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_ids),   cmocka_unit_test(test_users_and_bytes),
        cmocka_unit_test(test_equal), cmocka_unit_test(test_clients),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
