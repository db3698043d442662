/* Values of a query: what is decoded, what is refused, the bounds. */
#include "wire/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char value[8];

static int read_value(const char *query, const char *name)
{
    return query_value((struct view){query, strlen(query)}, name, value, sizeof(value));
}

static void expect(const char *query, const char *expected)
{
    int length = read_value(query, "a");

    if (length < 0)
        fail_msg("%s: %d", query, length);
    assert_int_equal(length, strlen(expected));
    assert_string_equal(value, expected);
}

static void values_are_decoded(void **state)
{
    expect("a=b", "b");
    expect("a=", "");
    expect("x=y&a=b&a=c", "b");
    expect("aa=1&ba=2&a=3", "3");
    expect("a&a=b", "b");
    expect("&&a=b&", "b");
    expect("a=x+y%20z", "x y z");
    expect("a=%41%6a%6A", "Ajj");
    expect("a=%26%3D%25", "&=%");
    expect("a=b=c", "b=c");
    expect("a=%c3%bc", "\xc3\xbc");
    expect("a=1234567", "1234567");
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const queries[] = {"", "&", "a", "A=b", "b=a=1", "%61=b", "aa=b", "=a"};

    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++)
        assert_int_equal(read_value(queries[i], "a"), -ENOENT);
    assert_int_equal(query_value((struct view){0}, "a", value, sizeof(value)), -ENOENT);
}

static void broken_escapes_and_controls_are_refused(void **state)
{
    static const char *const queries[] = {"a=%",     "a=%4",    "a=%4g",  "a=%g4",
                                          "a=%%41",  "a=%&b=1", "a=%4&b", "a=%00",
                                          "a=x%0ay", "a=%7f",   "a=%1f"};

    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++)
        assert_int_equal(read_value(queries[i], "a"), -EINVAL);
}

static void what_does_not_fit_is_refused(void **state)
{
    assert_int_equal(read_value("a=12345678", "a"), -ENAMETOOLONG);
    assert_int_equal(read_value("a=%31%32%33%34%35%36%37%38", "a"), -ENAMETOOLONG);
}

/* An escape that the query ends in the middle of is not completed by what lies behind. */
static void nothing_behind_is_read(void **state)
{
    assert_int_equal(query_value((struct view){"a=%41", 4}, "a", value, sizeof(value)), -EINVAL);
    assert_int_equal(query_value((struct view){"a=b", 1}, "a", value, sizeof(value)), -ENOENT);
    assert_int_equal(query_value((struct view){"a=bc", 3}, "a", value, sizeof(value)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_decoded),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(broken_escapes_and_controls_are_refused),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(nothing_behind_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
