/* Times, and values that must not end where somebody else wants them to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "observe/logfmt.h"
#include "system/clock.h"

#include <string.h>
#include <time.h>

static void assert_time(uint64_t wall_ms, const char *expected)
{
    char buffer[LOGFMT_TIME_SIZE + 1] = "";
    struct logfmt_date date = {0};
    for (int round = 0; round < 2; round++) {
        memset(buffer, 0, sizeof(buffer));
        logfmt_put_time(buffer, &date, wall_ms);
        assert_string_equal(buffer, expected);
    }
}

static void test_times_known(void **state)
{
    assert_time(0, "1970-01-01T00:00:00.000Z");
    assert_time(1, "1970-01-01T00:00:00.001Z");
    assert_time(951782399999, "2000-02-28T23:59:59.999Z");
    assert_time(951782400000, "2000-02-29T00:00:00.000Z");
    assert_time(951868800000, "2000-03-01T00:00:00.000Z");
    assert_time(1795417200123, "2026-11-23T07:00:00.123Z");
    assert_time(4107542399000, "2100-02-28T23:59:59.000Z");
    assert_time(4107542400000, "2100-03-01T00:00:00.000Z"); /* 2100 is no leap year */
}

/* Every day of 400 years and more against libc. */
static void test_times_agree_with_libc(void **state)
{
    for (uint64_t day = 0; day < 150000; day++) {
        char expected[64];
        time_t seconds = (time_t)(day * 86400 + day % 86400);
        struct tm parts;
        assert_non_null(gmtime_r(&seconds, &parts));
        assert_int_equal(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.007Z", &parts), 24);
        assert_time((uint64_t)seconds * 1000 + 7, expected);
    }
}

static void test_wall_clock_is_now(void **state)
{
    uint64_t before = (uint64_t)time(NULL) * 1000;
    uint64_t now = clock_wall_ms();
    assert_true(now >= before - 1000);
    assert_true(now <= before + 60000);
}

static void assert_value_bytes(const char *value, size_t length, size_t limit, const char *expected)
{
    char buffer[8192];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    logfmt_add_value(&text, value, length, limit);
    assert_string_equal(buffer, expected);
    assert_true(text.length <= limit);
}

static void assert_value(const char *value, const char *expected)
{
    assert_value_bytes(value, strlen(value), 512, expected);
}

static void test_values(void **state)
{
    assert_value("example.com:443", "example.com:443");
    assert_value("[2001:db8::1]:443", "[2001:db8::1]:443");
    assert_value("a-b._:/[]@%+,Z9", "a-b._:/[]@%+,Z9");
    assert_value("two words", "\"two words\"");
    assert_value("a=b", "\"a=b\"");
    assert_value("say \"hi\"", "\"say \\\"hi\\\"\"");
    assert_value("back\\slash", "\"back\\\\slash\"");
    assert_value("a\nb\rc\td", "\"a\\nb\\rc\\td\"");
    assert_value("null", "\"null\"");
    assert_value("\x1b[31m", "\"\\u001b[31m\"");
    assert_value("\x7f", "\"\\u007f\"");
    assert_value("\xc3\xa9\xff", "\"\xc3\xa9\\ufffd\"");
    assert_value_bytes("a\0b", 3, 512, "\"a\\u0000b\"");
}

static void test_long_values_are_cut(void **state)
{
    assert_value_bytes("0123456789", 10, 10, "0123456789");
    assert_value_bytes("0123456789a", 11, 10, "0123456...");
    assert_value_bytes("a b", 3, 8, "\"a b\"");
    assert_value_bytes("a bcdef", 7, 8, "\"a b...\"");
    assert_value_bytes("\n\n\n\n", 4, 8, "\"\\n...\"");
    assert_value_bytes("\x01\x01\x01", 3, 8, "\"...\"");
    /* An escape is never cut in half. */
    assert_value_bytes("ab\x01", 3, 9, "\"ab...\"");
}

/* Every byte: the value has no control, and quotes only where it begins and ends. */
static void test_no_byte_breaks_out(void **state)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char value[3] = {'a', (char)byte, 'b'};
        char buffer[64];
        struct text text;
        text_init(&text, buffer, sizeof buffer);
        logfmt_add_value(&text, value, sizeof value, 64);
        if (buffer[0] != '"') {
            assert_int_equal(text.length, 3);
            assert_null(strchr(" \"\\='`;", byte));
            continue;
        }
        assert_int_equal(buffer[text.length - 1], '"');
        for (size_t i = 1; i < text.length - 1; i++) {
            assert_in_range((unsigned char)buffer[i], ' ', '~');
            if (buffer[i] == '\\')
                i++;
            else
                assert_int_not_equal(buffer[i], '"');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_known),         cmocka_unit_test(test_times_agree_with_libc),
        cmocka_unit_test(test_wall_clock_is_now),   cmocka_unit_test(test_values),
        cmocka_unit_test(test_long_values_are_cut), cmocka_unit_test(test_no_byte_breaks_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
