/* What is escaped, how each style does it, and that a cut leaves no character in half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/escape.h"

#include <string.h>

static void expect(const char *string, enum escape_style style, const char *wanted)
{
    char buffer[256];
    struct text out;

    text_init(&out, buffer, sizeof(buffer));
    escape_add(&out, string, strlen(string), sizeof(buffer) - 1, style);
    assert_string_equal(buffer, wanted);
}

static void expect_all(const char *string, const char *wanted)
{
    expect(string, ESCAPE_JSON, wanted);
    expect(string, ESCAPE_LOGFMT, wanted);
    expect(string, ESCAPE_PLAIN, wanted);
    expect(string, ESCAPE_EXACT, wanted);
}

static void test_what_stands_for_itself(void **state)
{
    expect_all("", "");
    expect_all("a z~", "a z~");
    expect_all("k\xc3\xa4se \xe2\x82\xac \xf0\x9f\x9a\x87",
               "k\xc3\xa4se \xe2\x82\xac \xf0\x9f\x9a\x87");
}

static void test_harmful_characters(void **state)
{
    expect_all("a\nb\rc\td\x01\x1b", "a\\nb\\rc\\td\\u0001\\u001b");
    expect_all("\x7f\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\u007f\\u0080\\u009b\\u009f\xc2\xa0");
    expect_all("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa7\\u2028\\u2029");
    expect_all("\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf", "\\u202a\\u202e\xe2\x80\xaf");
    expect_all("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
               "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa");
    expect_all("\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90\xd8\x9c",
               "\xe2\x80\x8d\\u200e\\u200f\xe2\x80\x90\\u061c");
}

static void test_styles(void **state)
{
    static const char string[] = "\"\\\xff\xc3|\xed\xa0\x80";

    expect(string, ESCAPE_JSON, "\\\"\\\\\\u00ff\\u00c3|\\u00ed\\u00a0\\u0080");
    expect(string, ESCAPE_LOGFMT, "\\\"\\\\\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd");
    expect(string, ESCAPE_PLAIN, "\"\\\\xff\\xc3|\\xed\\xa0\\x80");
    expect(string, ESCAPE_EXACT, "\\\"\\\\\xff\xc3|\xed\xa0\x80");
}

static void test_cuts(void **state)
{
    static const char string[] = "a\xc3\xa4\x01z";
    static const struct {
        size_t limit;
        const char *wanted;
    } rows[] = {
        {3, "..."},
        {4, "a..."},
        {5, "a..."},
        {6, "a\xc3\xa4..."},
        {11, "a\xc3\xa4..."},
        {12, "a\xc3\xa4\\u0001z"}, /* whether the mark will be needed is not looked at */
    };
    char buffer[32];
    struct text out;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        text_init(&out, buffer, sizeof(buffer));
        escape_add(&out, string, sizeof(string) - 1, rows[i].limit, ESCAPE_JSON);
        assert_string_equal(buffer, rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stands_for_itself),
        cmocka_unit_test(test_harmful_characters),
        cmocka_unit_test(test_styles),
        cmocka_unit_test(test_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
