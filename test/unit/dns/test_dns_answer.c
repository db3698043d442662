/* dns/dns_answer: what messages mean, made with the test's name server and cut at every byte. */
#include "dns/dns_answer.h"

#include "name_server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <ares.h>
#include <stdlib.h>
#include <string.h>

static struct ns_message message;
static struct dns_answer answer;

static void begin(unsigned type, unsigned rcode)
{
    struct ns_question question = {.name = "www.example", .type = type};

    ns_begin(&message, &question, rcode);
}

static void read_as(int status, enum ip_family family)
{
    memset(&answer, 0x5a, sizeof(answer));
    dns_answer_read(status, message.bytes, (int)message.length, family, &answer);
}

static void assert_answer(enum resolver_status status, size_t count, uint32_t ttl_s)
{
    assert_string_equal(resolver_status_name(answer.status), resolver_status_name(status));
    assert_int_equal(answer.count, count);
    assert_int_equal(answer.ttl_s, ttl_s);
}

static void assert_address(size_t index, const char *expected)
{
    char buffer[64];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    ip_address_print(&text, &answer.addresses[index]);
    assert_string_equal(buffer, expected);
}

static void reads_addresses(void **state)
{
    begin(DNS_A, NOERROR);
    ns_add_a(&message, NULL, 200, "192.0.2.1");
    ns_add_a(&message, NULL, 100, "192.0.2.2");
    read_as(ARES_SUCCESS, IP_V4);
    assert_answer(RESOLVER_OK, 2, 100);
    assert_address(0, "192.0.2.1");
    assert_address(1, "192.0.2.2");

    begin(DNS_AAAA, NOERROR);
    ns_add_aaaa(&message, NULL, 60, "2001:db8::1");
    ns_add_aaaa(&message, NULL, 60, "::ffff:192.0.2.9");
    read_as(ARES_SUCCESS, IP_V6);
    assert_answer(RESOLVER_OK, 2, 60);
    assert_address(0, "2001:db8::1");
    assert_address(1, "192.0.2.9"); /* mapped: it is the IPv4 address */
}

static void clamps_ttls(void **state)
{
    static const struct {
        uint32_t ttl_s;
        uint32_t kept_s;
    } rows[] = {{0, 1}, {1, 1}, {300, 300}, {301, 300}, {86400, 300}, {0x80000000, 1}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        begin(DNS_A, NOERROR);
        ns_add_a(&message, NULL, rows[i].ttl_s, "192.0.2.1");
        read_as(ARES_SUCCESS, IP_V4);
        assert_answer(RESOLVER_OK, 1, rows[i].kept_s);
    }
}

static void follows_aliases(void **state)
{
    begin(DNS_A, NOERROR);
    ns_add_cname(&message, NULL, 20, "a.example");
    ns_add_cname(&message, "a.example", 30, "b.example");
    ns_add_a(&message, "b.example", 200, "192.0.2.1");
    read_as(ARES_SUCCESS, IP_V4);
    assert_answer(RESOLVER_OK, 1, 20); /* the TTL of the shortest link */
    assert_address(0, "192.0.2.1");

    begin(DNS_AAAA, NOERROR); /* an alias of a name without an address */
    ns_add_cname(&message, NULL, 20, "a.example");
    ns_add_soa(&message, 12, 900);
    read_as(ARES_SUCCESS, IP_V6);
    assert_answer(RESOLVER_NO_DATA, 0, 12);
}

static void keeps_sixteen(void **state)
{
    begin(DNS_A, NOERROR);
    for (unsigned i = 0; i < 1000; i++)
        ns_add_a(&message, NULL, 60, "192.0.2.1");
    read_as(ARES_SUCCESS, IP_V4);
    assert_answer(RESOLVER_OK, RESOLVER_ADDRESSES_MAX, 60);
}

static void reads_the_soa_of_negative_answers(void **state)
{
    static const struct {
        uint32_t ttl_s;
        uint32_t minimum_s;
        uint32_t kept_s;
    } rows[] = {{900, 12, 12}, {12, 900, 12}, {900, 900, 30}, {0, 900, 5}, {900, 1, 5}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        begin(DNS_A, NXDOMAIN);
        ns_add_soa(&message, rows[i].ttl_s, rows[i].minimum_s);
        read_as(ARES_ENOTFOUND, IP_V4);
        assert_answer(RESOLVER_NXDOMAIN, 0, rows[i].kept_s);
        read_as(ARES_ENODATA, IP_V4);
        assert_answer(RESOLVER_NO_DATA, 0, rows[i].kept_s);
    }
    begin(DNS_A, NXDOMAIN);
    read_as(ARES_ENOTFOUND, IP_V4);
    assert_answer(RESOLVER_NXDOMAIN, 0, 5);
    dns_answer_read(ARES_ENOTFOUND, NULL, 0, IP_V4, &answer);
    assert_answer(RESOLVER_NXDOMAIN, 0, 5);
}

static void maps_failures(void **state)
{
    static const struct {
        int ares_status;
        enum resolver_status status;
        uint32_t ttl_s;
    } rows[] = {
        {ARES_ESERVFAIL, RESOLVER_SERVFAIL, 1},    {ARES_EREFUSED, RESOLVER_SERVFAIL, 1},
        {ARES_ENOTIMP, RESOLVER_SERVFAIL, 1},      {ARES_EFORMERR, RESOLVER_SERVFAIL, 1},
        {ARES_ECONNREFUSED, RESOLVER_SERVFAIL, 1}, {ARES_ETIMEOUT, RESOLVER_TIMEOUT, 1},
        {ARES_ENOMEM, RESOLVER_FAILED, 0},         {ARES_EBADNAME, RESOLVER_FAILED, 1},
        {ARES_EBADRESP, RESOLVER_FAILED, 1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        dns_answer_read(rows[i].ares_status, NULL, 0, IP_V6, &answer);
        assert_answer(rows[i].status, 0, rows[i].ttl_s);
        assert_int_equal(dns_answer_is_conclusive(&answer), 0);
    }
}

/* Exactly sized copies, so that ASan sees a read beyond. */
static void survives_every_cut(void **state)
{
    begin(DNS_A, NOERROR);
    ns_add_cname(&message, NULL, 20, "a.example");
    ns_add_soa(&message, 900, 12);
    for (size_t length = 0; length < message.length; length++) {
        unsigned char *copy = malloc(length + 1);

        memcpy(copy + 1, message.bytes, length);
        dns_answer_read(ARES_ENOTFOUND, copy + 1, (int)length, IP_V4, &answer);
        assert_answer(RESOLVER_NXDOMAIN, 0, 5);
        dns_answer_read(ARES_SUCCESS, copy + 1, (int)length, IP_V4, &answer);
        assert_int_not_equal(answer.status, RESOLVER_OK);
        free(copy);
    }
}

/* Any byte changed to any of a few values: an answer, no crash. */
static void survives_changed_bytes(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};

    begin(DNS_A, NOERROR);
    ns_add_a(&message, NULL, 60, "192.0.2.1");
    ns_add_soa(&message, 900, 12);
    struct ns_message original = message;
    for (size_t at = 0; at < message.length; at++) {
        for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
            message.bytes[at] = values[i];
            read_as(ARES_SUCCESS, IP_V4);
            assert_true(answer.status < RESOLVER_STATUS_COUNT);
            assert_true(answer.count <= 1 && answer.ttl_s <= 300);
            read_as(ARES_ENODATA, IP_V4);
            assert_true(answer.ttl_s >= 5 && answer.ttl_s <= 30);
        }
        message.bytes[at] = original.bytes[at];
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(clamps_ttls),
        cmocka_unit_test(follows_aliases),
        cmocka_unit_test(keeps_sixteen),
        cmocka_unit_test(reads_the_soa_of_negative_answers),
        cmocka_unit_test(maps_failures),
        cmocka_unit_test(survives_every_cut),
        cmocka_unit_test(survives_changed_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
