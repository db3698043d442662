/* wire/authority: the table, and what must hold of every accepted target. */
#include "wire/authority.h"

#include "support/cases.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const char *const error_names[] = {
    [AUTHORITY_OK] = "ok",
    [AUTHORITY_NO_PORT] = "no-port",
    [AUTHORITY_BAD_PORT] = "bad-port",
    [AUTHORITY_USERINFO] = "userinfo",
    [AUTHORITY_BARE_IPV6] = "bare-ipv6",
    [AUTHORITY_ZONE_ID] = "zone-id",
    [AUTHORITY_BAD_IPV6] = "bad-ipv6",
    [AUTHORITY_NUMERIC_NAME] = "numeric-name",
    [AUTHORITY_NOT_ASCII] = "not-ascii",
    [AUTHORITY_URL] = "url",
    [AUTHORITY_BAD_NAME] = "bad-name",
};
static_assert(ARRAY_LENGTH(error_names) == AUTHORITY_ERROR_COUNT, "a name for every error");

static enum authority_error parse(const char *bytes, size_t length, struct authority *ret_authority)
{
    /* A copy of exactly `length` bytes, so that a sanitizer sees a read behind them. */
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum authority_error error = authority_parse(copy, length, ret_authority);
    free(copy);
    return error;
}

static struct authority authority_of(const char *text)
{
    struct authority authority;

    assert_int_equal(parse(text, strlen(text), &authority), AUTHORITY_OK);
    return authority;
}

static void check_case(struct case_row *row)
{
    struct authority authority;
    char buffer[AUTHORITY_TEXT_SIZE];
    struct text printed;
    const char *expected = row->columns[0].bytes;

    text_init(&printed, buffer, sizeof(buffer));
    enum authority_error error = parse(row->columns[1].bytes, row->columns[1].length, &authority);
    if (error == AUTHORITY_OK)
        authority_print(&printed, &authority);
    const char *found = error == AUTHORITY_OK ? buffer : error_names[error];
    if (strcmp(found, expected) != 0)
        case_fail(row, "%s: found %s, expected %s", row->columns[1].bytes, found, expected);
    if (error == AUTHORITY_OK && strlen(authority.host) != authority.host_length)
        case_fail(row, "host_length is %u", authority.host_length);
}

static void follows_the_table(void **state)
{
    cases_check("authority.cases", 2, NULL, check_case);
}

static void tells_literals_from_names(void **state)
{
    struct authority name = authority_of("1.2.3.4.example:1");
    struct authority v4 = authority_of("192.0.2.1:1");
    struct authority v6 = authority_of("[2001:db8::1]:1");
    struct authority mapped = authority_of("[::ffff:192.0.2.1]:1");

    assert_int_equal(name.address.family, IP_NONE);
    assert_int_equal(v4.address.family, IP_V4);
    assert_string_equal(v4.host, "192.0.2.1");
    assert_int_equal(v6.address.family, IP_V6);
    assert_string_equal(v6.host, "2001:db8::1");
    assert_string_equal(mapped.host, "192.0.2.1");
    assert_true(ip_address_equals(&mapped.address, &v4.address));
}

/* The longest of everything: 253 bytes of name, with a trailing dot, labels of 63, five digits. */
static void takes_the_longest_name(void **state)
{
    char text[AUTHORITY_HOST_MAX + 1 + 7];
    char buffer[AUTHORITY_TEXT_SIZE];
    struct text printed;

    memset(text, 'a', AUTHORITY_HOST_MAX);
    for (size_t dot = 63; dot < AUTHORITY_HOST_MAX; dot += 64)
        text[dot] = '.';
    memcpy(text + AUTHORITY_HOST_MAX, ".:65535", 8);
    struct authority authority = authority_of(text);
    assert_int_equal(authority.host_length, AUTHORITY_HOST_MAX);
    text_init(&printed, buffer, sizeof(buffer));
    authority_print(&printed, &authority);
    assert_false(printed.is_truncated);
    assert_int_equal(printed.length, AUTHORITY_HOST_MAX + 6);
}

static void leaves_the_result_alone_on_error(void **state)
{
    struct authority authority = {.port = 7};

    assert_int_equal(parse("example.com:80x", 15, &authority), AUTHORITY_BAD_PORT);
    assert_int_equal(authority.port, 7);
    assert_int_equal(authority.host_length, 0);
}

static void knows_localhost(void **state)
{
    static const struct {
        const char *text;
        bool expected;
    } rows[] = {
        {"localhost:1", true},
        {"LOCALHOST.:1", true},
        {"a.localhost:1", true},
        {"a.b.LocalHost.:1", true},
        {"xlocalhost:1", false},
        {"-localhost:1", false},
        {"localhost.example:1", false},
        {"localhos:1", false},
        {"localhost-:1", false},
        {"ocalhost:1", false},
        {"127.0.0.1:1", false},
        {"[::1]:1", false},
        {"l:1", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct authority authority = authority_of(rows[i].text);
        assert_int_equal(authority_host_is_localhost(authority.host, authority.host_length),
                         rows[i].expected);
    }
}

/* One printable line without a full stop, as the answer's body and its details want it. */
static void explains_every_error(void **state)
{
    for (int error = AUTHORITY_OK + 1; error < AUTHORITY_ERROR_COUNT; error++) {
        const char *text = authority_error_text((enum authority_error)error);
        size_t length = strlen(text);
        assert_in_range(length, 20, 300);
        assert_int_not_equal(text[length - 1], '.');
        for (size_t i = 0; i < length; i++)
            assert_in_range(text[i], ' ', '~');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_table),
        cmocka_unit_test(tells_literals_from_names),
        cmocka_unit_test(takes_the_longest_name),
        cmocka_unit_test(leaves_the_result_alone_on_error),
        cmocka_unit_test(knows_localhost),
        cmocka_unit_test(explains_every_error),
    };
    return cmocka_run_group_tests_name("wire/authority", tests, NULL, NULL);
}
