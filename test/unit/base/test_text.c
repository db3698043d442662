/* base/text: cut, never overrun, never a hole. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

static void starts_empty(void **state)
{
    char buffer[1] = {'x'};
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    assert_string_equal(text.start, "");
    assert_int_equal(text.length, 0);
    assert_false(text.is_truncated);
    text_add(&text, "");
    assert_false(text.is_truncated);
    text_add_char(&text, 'a');
    assert_true(text.is_truncated);
    assert_string_equal(buffer, "");
}

static void adds_pieces(void **state)
{
    char buffer[64];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "port ");
    text_add_decimal(&text, 10800);
    text_add_char(&text, ',');
    text_add_bytes(&text, "abcdef", 3);
    text_add_bytes(&text, NULL, 0);
    assert_string_equal(buffer, "port 10800,abc");
    assert_int_equal(text.length, strlen(buffer));
}

static void prints_numbers(void **state)
{
    static const struct {
        uint64_t number;
        unsigned width;
        const char *expected;
    } rows[] = {
        {0, 1, "0"},
        {9, 1, "9"},
        {10, 1, "10"},
        {7, 3, "007"},
        {123, 3, "123"},
        {1234, 3, "1234"},
        {0, 4, "0000"},
        {UINT64_MAX, 1, "18446744073709551615"},
        {1, 20, "00000000000000000001"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char buffer[32];
        struct text text;
        text_init(&text, buffer, sizeof(buffer));
        text_add_padded(&text, rows[i].number, rows[i].width);
        assert_string_equal(buffer, rows[i].expected);
    }
}

/* For every size: the text is the longest prefix that fits, and nothing behind it is touched. */
static void cuts_at_every_size(void **state)
{
    static const char whole[] = "ab12345cde";

    for (size_t size = 1; size <= sizeof(whole) + 2; size++) {
        char buffer[32];
        struct text text;
        memset(buffer, '#', sizeof(buffer));
        text_init(&text, buffer, size);
        text_add(&text, "ab");
        text_add_decimal(&text, 12345);
        text_add_char(&text, 'c');
        text_add_bytes(&text, "de", 2);

        size_t expected = size - 1 < strlen(whole) ? size - 1 : strlen(whole);
        assert_int_equal(text.length, expected);
        assert_memory_equal(buffer, whole, expected);
        assert_int_equal(buffer[expected], '\0');
        assert_int_equal(text.is_truncated, expected < strlen(whole));
        for (size_t i = size; i < sizeof(buffer); i++)
            assert_int_equal(buffer[i], '#');
    }
}

static void leaves_no_hole(void **state)
{
    char buffer[4];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "ab");
    text_add(&text, "cdef");
    text_add(&text, "");
    text_add_char(&text, 'x');
    assert_string_equal(buffer, "abc");
    assert_true(text.is_truncated);
}

static void measures_characters(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } rows[] = {
        {"a\x80", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbfx", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},
        {"\xc1\x80", 0},
        {"\xc2", 0},
        {"\xc2x", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xe1\x80", 0},
        {"\xe1\x80x", 0},
        {"\xf0\x8f\x80\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xf1\x80\x80", 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(text_utf8_length(rows[i].bytes, strlen(rows[i].bytes)), rows[i].length);
    assert_int_equal(text_utf8_length("", 1), 1); /* a NUL is a character */
}

static void counts_lines(void **state)
{
    static const struct {
        const char *bytes;
        size_t whole;
        size_t count;
    } rows[] = {
        {"", 0, 0},     {"a", 0, 0},         {"\n", 1, 1},
        {"a\nb", 2, 1}, {"a\n\nbc\n", 6, 3}, {"a\nb\nc", 4, 2},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        size_t length = strlen(rows[i].bytes);

        assert_int_equal(text_whole_lines(rows[i].bytes, length), rows[i].whole);
        assert_int_equal(text_count_lines(rows[i].bytes, length), rows[i].count);
    }
    assert_int_equal(text_whole_lines("a\nb\n", 3), 2); /* not beyond the length */
    assert_int_equal(text_count_lines("a\nb\n", 3), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),   cmocka_unit_test(adds_pieces),
        cmocka_unit_test(prints_numbers), cmocka_unit_test(cuts_at_every_size),
        cmocka_unit_test(leaves_no_hole), cmocka_unit_test(measures_characters),
        cmocka_unit_test(counts_lines),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
