/* Basic credentials: what is taken, every way to be malformed, the bounds. */
#include "wire/basic_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct basic_credentials found;

static bool parse(const char *value)
{
    return basic_auth_parse(value, strlen(value), &found);
}

static void assert_found(const char *value, const char *user, const char *password)
{
    if (!parse(value))
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

static void anything_else_is_refused(void **state)
{
    static const char *const values[] = {
        "",
        "Basic",
        "Basic ",
        "Basi YTpi",
        "Basic\tYTpi",
        "BasicYTpi",
        "Bearer YTpi",
        "Basic YTpi=",
        "Basic YTp",
        "Basic YTo",      /* no padding */
        "Basic YTp=",     /* bits that encode nothing */
        "Basic Oh==",     /* the same, two digits */
        "Basic Y=pi",     /* padding inside */
        "Basic =Tpi",     /* ... */
        "Basic YTpiYT==", /* canonical? "a:ba" would be YTpiYQ== */
        "Basic ====",
        "Basic YTpi YTpi",
        "Basic YTpi ",
        "Basic YTp-",
        "Basic YTp\xff",
        "Basic YWI=",     /* no colon */
        "Basic AGE6Yg==", /* a NUL */
        "Basic YTpiAA==", /* ... at the end */
        "Basic YTpiCg==", /* a newline */
        "Basic YTpifw==", /* DEL */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        memset(&found, 'x', sizeof(found));
        if (parse(values[i]))
            fail_msg("taken: %s", values[i]);
        for (size_t at = 0; at < sizeof(found); at++)
            assert_int_equal(((const char *)&found)[at], 0);
    }
}

/* Reads no byte behind the value. */
static void the_length_counts(void **state)
{
    (void)state;
    assert_false(basic_auth_parse("Basic YTpi", 5, &found));
    assert_false(basic_auth_parse("Basic YTpi", 6, &found));
    assert_false(basic_auth_parse("Basic YTpi", 9, &found));
    assert_true(basic_auth_parse("Basic YTpiYTpi", 10, &found));
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
    assert_true(parse(value));
    assert_int_equal(found.user_length, BASIC_USER_MAX);
    assert_int_equal(found.password_length, BASIC_PASSWORD_MAX);
    spell(value, 85, "YTph", 42); /* "a:a" */
    assert_false(parse(value));
    spell(value, 84, "OmFh", 43);
    assert_false(parse(value));
    spell(value, 150, "YTph", 1);
    assert_false(parse(value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_length_counts),
        cmocka_unit_test(both_parts_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
