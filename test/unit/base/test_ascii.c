/* Every byte: what the C locale says of it, but above 127 nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ascii.h"

#include <limits.h>
#include <string.h>

static void test_every_byte(void **state)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static const char digits[] = "0123456789abcdef";

    for (int i = CHAR_MIN; i <= CHAR_MAX; i++) {
        char byte = (char)i;
        const char *capital = memchr(capitals, byte, sizeof(capitals) - 1);
        char lower = capital != NULL ? letters[capital - capitals] : byte;
        const char *letter = memchr(letters, lower, sizeof(letters) - 1);
        const char *digit = memchr(digits, lower, sizeof(digits) - 1);

        assert_int_equal(ascii_lower(byte), lower);
        assert_int_equal(ascii_is_letter(byte), letter != NULL);
        assert_int_equal(ascii_is_digit(byte), digit != NULL && letter == NULL);
        assert_int_equal(ascii_hex_value(byte), digit != NULL ? digit - digits : -1);
    }
}

static void test_hex_digits(void **state)
{
    for (unsigned number = 0; number < 16; number++) {
        assert_int_equal(ascii_hex_value(ascii_hex_digit(number)), number);
        assert_int_equal(ascii_hex_value(ascii_hex_digit_upper(number)), number);
        assert_int_equal(ascii_hex_digit(0xab0 + number), "0123456789abcdef"[number]);
        assert_int_equal(ascii_hex_digit_upper(number), "0123456789ABCDEF"[number]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_byte),
                                       cmocka_unit_test(test_hex_digits)};
    return cmocka_run_group_tests_name("base/ascii", tests, NULL, NULL);
}
