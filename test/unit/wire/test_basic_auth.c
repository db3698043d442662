/* Basic credentials: what is taken, every way to be malformed, the bounds. */
#include "wire/basic_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct basic_credentials found;

static enum basic_auth_result parse(const char *value)
{
    return basic_auth_parse(value, strlen(value), &found);
}

static void assert_found(const char *value, const char *user, const char *password)
{
    if (parse(value) != BASIC_AUTH_OK)
        fail_msg("refused: %s", value);
    assert_string_equal(found.user, user);
    assert_string_equal(found.password, password);
    assert_int_equal(found.user_length, strlen(user));
    assert_int_equal(found.password_length, strlen(password));
}

static void credentials_are_read(void **state)
{
    (void)state;
    assert_found("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"); /* RFC 7617 2 */
    assert_found("Basic dGVzdDoxMjPCow==", "test", "123\xc2\xa3");                /* RFC 7617 2.1 */
    assert_found("bAsIc   YTpi", "a", "b");
    assert_found("Basic YTpiOmM=", "a", "b:c");
    assert_found("Basic Og==", "", "");
    assert_found("Basic YTo=", "a", "");
    assert_found("Basic Pj4+Pz8/Oj4/", ">>>???", ">?"); /* the digits + and / */
}

static void assert_nothing_kept(void)
{
    for (size_t at = 0; at < sizeof(found); at++)
        assert_int_equal(((const char *)&found)[at], 0);
}

static void another_scheme_is_told_apart(void **state)
{
    static const char *const values[] = {
        "",
        "Basi YTpi",
        "BasicYTpi",
        "Basic1 YTpi",
        "Bearer YTpi",
        "Negotiate YTpi",
        "NTLM",
        " Basic",
        "Digest username=\"a\"",
        "\xff",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        memset(&found, 'x', sizeof(found));
        if (parse(values[i]) != BASIC_AUTH_OTHER_SCHEME)
            fail_msg("not another scheme: %s", values[i]);
        assert_nothing_kept();
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const values[] = {
        "Basic",          "Basic ",          "Basic\tYTpi",
        "Basic YTpi=",    "Basic YTp",       "Basic YTo", /* no padding */
        "Basic YTp=",                                     /* bits that encode nothing */
        "Basic Oh==",                                     /* the same, two digits */
        "Basic Y=pi",                                     /* padding inside */
        "Basic =Tpi",                                     /* ... */
        "Basic YTpiYT==",                                 /* canonical? "a:ba" would be YTpiYQ== */
        "Basic ====",     "Basic YTpi YTpi", "Basic YTpi ",
        "Basic YTp-",     "Basic YTp\xff",   "Basic YWI=", /* no colon */
        "Basic AGE6Yg==",                                  /* a NUL */
        "Basic YTpiAA==",                                  /* ... at the end */
        "Basic YTpiCg==",                                  /* a newline */
        "Basic YTpifw==",                                  /* DEL */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        memset(&found, 'x', sizeof(found));
        if (parse(values[i]) != BASIC_AUTH_MALFORMED)
            fail_msg("not malformed: %s", values[i]);
        assert_nothing_kept();
    }
}

/* Reads no byte behind the value. */
static void the_length_counts(void **state)
{
    (void)state;
    assert_int_equal(basic_auth_parse("Basic YTpi", 4, &found), BASIC_AUTH_OTHER_SCHEME);
    assert_int_equal(basic_auth_parse("Basic YTpi", 5, &found), BASIC_AUTH_MALFORMED);
    assert_int_equal(basic_auth_parse("Basic YTpi", 6, &found), BASIC_AUTH_MALFORMED);
    assert_int_equal(basic_auth_parse("Basic YTpi", 9, &found), BASIC_AUTH_MALFORMED);
    assert_int_equal(basic_auth_parse("Basic YTpiYTpi", 10, &found), BASIC_AUTH_OK);
    assert_string_equal(found.password, "b");
}

/* "aaa" is YWFh: three bytes a group. */
static void spell(char *value, size_t user_groups, const char *middle, size_t password_groups)
{
    strcpy(value, "Basic ");
    while (user_groups-- > 0)
        strcat(value, "YWFh");
    strcat(value, middle);
    while (password_groups-- > 0)
        strcat(value, "YWFh");
}

static void both_parts_are_bounded(void **state)
{
    char value[1024];

    (void)state;
    spell(value, 85, "OmFh", 42); /* ":aa" */
    assert_int_equal(parse(value), BASIC_AUTH_OK);
    assert_int_equal(found.user_length, BASIC_USER_MAX);
    assert_int_equal(found.password_length, BASIC_PASSWORD_MAX);
    spell(value, 85, "YTph", 42); /* "a:a" */
    assert_int_equal(parse(value), BASIC_AUTH_MALFORMED);
    spell(value, 150, "YTph", 1);
    assert_int_equal(parse(value), BASIC_AUTH_MALFORMED);
}

/* Whose it was stands in the log; of the password nothing stays. */
static void a_long_password_has_a_user(void **state)
{
    static const char none[BASIC_PASSWORD_MAX + 1];
    char value[1024];

    (void)state;
    spell(value, 1, "OmFh", 43); /* "aaa:aa" */
    assert_int_equal(parse(value), BASIC_AUTH_LONG_PASSWORD);
    assert_string_equal(found.user, "aaa");
    assert_int_equal(found.user_length, 3);
    assert_int_equal(found.password_length, 0);
    assert_memory_equal(found.password, none, sizeof(none));
    strcat(value, "Y\xff=="); /* also when it is over, what follows must be base64 */
    assert_int_equal(parse(value), BASIC_AUTH_MALFORMED);
    assert_nothing_kept();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_length_counts),
        cmocka_unit_test(both_parts_are_bounded),
        cmocka_unit_test(another_scheme_is_told_apart),
        cmocka_unit_test(a_long_password_has_a_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
