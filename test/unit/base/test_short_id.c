/* base/short_id: there and back, for ids of any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/short_id.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

static void comes_back(void **state)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        uint64_t id = (UINT64_C(1) << bits) | (UINT64_C(0x123456789abcdef) >> (63 - bits));
        uint64_t parsed = 0;
        char buffer[SHORT_ID_MAX + 1];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        short_id_print(&text, id);
        assert_false(text.is_truncated);
        assert_int_equal(text.length, bits / 5 + 1);
        assert_null(strpbrk(buffer, "ilou"));
        assert_int_equal(short_id_parse(buffer, text.length, &parsed), 0);
        assert_true(parsed == id);
    }
}

static void nothing_else_is_one(void **state)
{
    static const char *const others[] = {
        "", "0", "01", "i", "7A", "7 ", "zzzzzzzzzzzzz", "10000000000000"};
    uint64_t id;

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_int_equal(short_id_parse(others[i], strlen(others[i]), &id), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(nothing_else_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
