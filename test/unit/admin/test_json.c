/* Strings as JSON: what is escaped, and that a cut leaves none in half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/json.h"
#include "base/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *string, const char *wanted)
{
    char buffer[256];
    struct text out;

    text_init(&out, buffer, sizeof(buffer));
    json_add_string(&out, string);
    assert_string_equal(buffer, wanted);
    assert_false(out.is_truncated);
}

static void test_escapes(void **state)
{
    expect("", "\"\"");
    expect("a \"b\" \\ c", "\"a \\\"b\\\" \\\\ c\"");
    expect("a\nb\tc\x7f", "\"a\\nb\\tc\\u007f\"");
    expect("käse \xf0\x9f\x9a\x87", "\"käse \xf0\x9f\x9a\x87\"");
}

static void test_bytes_that_are_no_utf8(void **state)
{
    expect("\xff", "\"\\u00ff\"");
    expect("k\xe4se", "\"k\\u00e4se\"");
    expect("\xc3", "\"\\u00c3\"");
    expect("\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""); /* a surrogate */
    expect("\xc0\xaf", "\"\\u00c0\\u00af\"");            /* overlong */
}

static void test_a_cut(void **state)
{
    static const char string[] = "a\xff\xc3\xa4\"b";
    static const char whole[] = "\"a\\u00ff\xc3\xa4\\\"b\"";
    static const size_t cuts[] = {0, 1, 2, 2, 2, 2, 2, 2, 8, 8, 10, 10, 12, 13, 14};
    char buffer[32];
    struct text out;

    for (size_t room = 0; room < sizeof(whole); room++) {
        text_init(&out, buffer, room + 1);
        json_add_string(&out, string);
        assert_int_equal(out.length, cuts[room]);
        assert_memory_equal(buffer, whole, out.length);
        assert_int_equal(out.is_truncated, room < sizeof(whole) - 1);
    }
}

static void test_members(void **state)
{
    char buffer[128];
    struct text out;

    text_init(&out, buffer, sizeof(buffer));
    text_add(&out, "{");
    json_add_member(&out, "a \"b\"", "{");
    json_add_number(&out, "n", UINT64_MAX);
    json_add_exact_member(&out, "e", "\xff");
    json_add_name(&out, "o");
    text_add(&out, "{");
    json_add_number(&out, "first", 0);
    text_add(&out, "}}");
    assert_string_equal(buffer, "{\"a \\\"b\\\"\":\"{\",\"n\":18446744073709551615,\"e\":\"\xff\","
                                "\"o\":{\"first\":0}}");
}

static void test_of_any_length(void **state)
{
    char *bytes = NULL;
    char string[5000];
    size_t length;
    FILE *out = open_memstream(&bytes, &length);

    assert_non_null(out);
    json_write_string(out, "\xff\xc3\xa4\n");
    memset(string, '"', sizeof(string) - 1);
    string[sizeof(string) - 1] = '\0';
    json_write_string(out, string);
    assert_int_equal(fclose(out), 0);
    assert_memory_equal(bytes, "\"\\u00ff\xc3\xa4\\n\"\"\\\"", 15);
    assert_int_equal(length, 12 + 2 + 2 * (sizeof(string) - 1));
    free(bytes);
}

static void expect_read(const char *json, const char *wanted)
{
    struct json_reader reader;
    char name[16];
    char value[64];

    json_reader_init(&reader, json, strlen(json));
    assert_int_equal(json_next(&reader, name, sizeof(name), value, sizeof(value)), wanted != NULL);
    if (wanted != NULL)
        assert_string_equal(value, wanted);
}

/* As any writer of JSON may have it. */
static void test_what_is_read(void **state)
{
    expect_read("{\"a\":\"k\\u00e4se \\u2028\\ud83d\\ude87\"}",
                "k\xc3\xa4se \xe2\x80\xa8\xf0\x9f\x9a\x87");
    expect_read("{\"a\":\"\\b\\f\\n\\r\\t\\\"\\\\\\/\"}", "\b\f\n\r\t\"\\/");
    expect_read("{\"a\":\"\xff\"}", "\xff");
    expect_read("{\"a\":\"\\u0000\"}", NULL);
    expect_read("{\"a\":\"\\ud83d\"}", NULL);
    expect_read("{\"a\":\"\\ud83dxude87\"}", NULL);
    expect_read("{\"a\":\"\\ud83d\\u0041\"}", NULL);
    expect_read("{\"a\":\"\\ude87\"}", NULL);
    expect_read("{\"a\":\"\\x\"}", NULL);
    expect_read("{\"a\":\"\\u00\"}", NULL);
}

/* What adit says to itself comes out as it went in. */
static void test_exact(void **state)
{
    static const char string[] = "k\xe4se \"\\ \n\x7f\xc2\x85\xe2\x80\xae\xff\xc3\xa4";
    char buffer[256];
    struct text out;

    text_init(&out, buffer, sizeof(buffer));
    text_add(&out, "{\"a\":");
    json_add_exact(&out, string);
    text_add(&out, "}");
    expect_read(buffer, string);
}

static void test_find(void **state)
{
    static const char json[] = "{\"ok\":true,\"killed\":3,\"error\":\"no\"}{\"more\":1}";
    char value[8];

    assert_true(json_find(json, sizeof(json) - 1, "killed", value, sizeof(value)));
    assert_string_equal(value, "3");
    assert_true(json_find(json, sizeof(json) - 1, "error", value, sizeof(value)));
    assert_string_equal(value, "no");
    assert_false(json_find(json, sizeof(json) - 1, "kill", value, sizeof(value)));
    assert_false(json_find(json, sizeof(json) - 1, "more", value, sizeof(value)));
    assert_false(json_find("[]", 2, "ok", value, sizeof(value)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),       cmocka_unit_test(test_bytes_that_are_no_utf8),
        cmocka_unit_test(test_a_cut),         cmocka_unit_test(test_members),
        cmocka_unit_test(test_of_any_length), cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_exact),         cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
