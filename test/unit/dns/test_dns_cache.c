/* dns/dns_cache: keys, expiry, the bound and who goes first. */
#include "dns/dns_cache.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct dns_cache cache;

static int start(void **state)
{
    dns_cache_init(&cache);
    return 0;
}

static int stop(void **state)
{
    dns_cache_flush(&cache);
    return 0;
}

/* A hash that makes different names collide. */
static struct dns_key key_of(const char *name, enum ip_family family)
{
    return (struct dns_key){name, strlen(name), family, strlen(name)};
}

static struct dns_answer answer_of(uint8_t last_byte, uint32_t ttl_s)
{
    uint8_t bytes[4] = {192, 0, 2, last_byte};
    struct dns_answer answer = {.status = RESOLVER_OK, .ttl_s = ttl_s, .count = 1};

    answer.addresses[0] = ip_address_from_v4(bytes);
    return answer;
}

static void put(const char *name, enum ip_family family, uint8_t last_byte, uint32_t ttl_s,
                uint64_t now_ms)
{
    struct dns_key key = key_of(name, family);
    struct dns_answer answer = answer_of(last_byte, ttl_s);

    dns_cache_insert(&cache, &key, &answer, now_ms);
}

/* The last byte of the address, or -1. */
static int get(const char *name, enum ip_family family, uint64_t now_ms)
{
    struct dns_key key = key_of(name, family);
    struct dns_answer answer;

    if (!dns_cache_lookup(&cache, &key, now_ms, &answer))
        return -1;
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.status, RESOLVER_OK);
    return answer.addresses[0].bytes[3];
}

static void tells_keys_apart(void **state)
{
    put("a.example", IP_V4, 1, 10, 0);
    put("b.example", IP_V4, 2, 10, 0);
    put("a.example", IP_V6, 3, 10, 0);
    assert_int_equal(get("a.example", IP_V4, 0), 1);
    assert_int_equal(get("b.example", IP_V4, 0), 2);
    assert_int_equal(get("a.example", IP_V6, 0), 3);
    assert_int_equal(get("b.example", IP_V6, 0), -1);
    assert_int_equal(get("c.example", IP_V4, 0), -1);
    put("a.example", IP_V4, 4, 10, 0);
    assert_int_equal(get("a.example", IP_V4, 0), 4);
    assert_int_equal(cache.count, 3);
}

static void forgets_in_time(void **state)
{
    struct dns_key key = key_of("a", IP_V4);
    struct dns_answer answer;

    put("a", IP_V4, 1, 10, 5000);
    assert_int_equal(get("a", IP_V4, 14999), 1);
    assert_true(dns_cache_lookup(&cache, &key, 14999, &answer));
    assert_int_equal(answer.ttl_s, 1);
    assert_true(dns_cache_lookup(&cache, &key, 5000, &answer));
    assert_int_equal(answer.ttl_s, 10);
    assert_int_equal(get("a", IP_V4, 15000), -1);
    assert_int_equal(cache.count, 0);
}

static void keeps_nothing_for_no_time(void **state)
{
    put("a", IP_V4, 1, 10, 0);
    put("a", IP_V4, 2, 0, 0);
    assert_int_equal(get("a", IP_V4, 0), -1);
    assert_int_equal(cache.count, 0);
}

static void keeps_negative_answers(void **state)
{
    struct dns_key key = key_of("gone", IP_V6);
    struct dns_answer answer;

    dns_answer_init(&answer, RESOLVER_NXDOMAIN);
    dns_cache_insert(&cache, &key, &answer, 0);
    answer = answer_of(1, 1);
    assert_true(dns_cache_lookup(&cache, &key, 4999, &answer));
    assert_int_equal(answer.status, RESOLVER_NXDOMAIN);
    assert_int_equal(answer.count, 0);
    assert_false(dns_cache_lookup(&cache, &key, 5000, &answer));
}

static void drops_what_was_not_used_for_longest(void **state)
{
    char name[16];

    for (unsigned i = 0; i < DNS_CACHE_ANSWERS_MAX; i++) {
        struct dns_answer answer = answer_of((uint8_t)i, 10);

        snprintf(name, sizeof(name), "%u", i);
        struct dns_key key = {name, strlen(name), IP_V4, i};
        dns_cache_insert(&cache, &key, &answer, 0);
    }
    struct dns_key zero = {"0", 1, IP_V4, 0}, one = {"1", 1, IP_V4, 1}, two = {"2", 1, IP_V4, 2};
    struct dns_answer answer;

    assert_int_equal(cache.count, DNS_CACHE_ANSWERS_MAX);
    assert_true(dns_cache_lookup(&cache, &zero, 0, &answer));
    put("new", IP_V4, 1, 10, 0);
    assert_int_equal(cache.count, DNS_CACHE_ANSWERS_MAX);
    assert_true(dns_cache_lookup(&cache, &zero, 0, &answer));
    assert_false(dns_cache_lookup(&cache, &one, 0, &answer));
    assert_true(dns_cache_lookup(&cache, &two, 0, &answer));
    assert_int_equal(get("new", IP_V4, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_keys_apart, start, stop),
        cmocka_unit_test_setup_teardown(forgets_in_time, start, stop),
        cmocka_unit_test_setup_teardown(keeps_nothing_for_no_time, start, stop),
        cmocka_unit_test_setup_teardown(keeps_negative_answers, start, stop),
        cmocka_unit_test_setup_teardown(drops_what_was_not_used_for_longest, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
