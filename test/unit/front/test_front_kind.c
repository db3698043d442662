/* front/front_kind: which row a client's first bytes choose, and that the metrics can name each. */
#include "front/front_private.h"

#include "base/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* ---- a table of its own: everybody else, AB..., A... ---- */

static enum front_match match_word(const char *word, const char *bytes, size_t length)
{
    size_t known = length < strlen(word) ? length : strlen(word);

    if (memcmp(bytes, word, known) != 0)
        return FRONT_MATCH_NO;
    return known < strlen(word) ? FRONT_MATCH_MORE : FRONT_MATCH_YES;
}

static enum front_match match_ab(const char *bytes, size_t length)
{
    return match_word("AB", bytes, length);
}

static enum front_match match_a(const char *bytes, size_t length)
{
    return match_word("A", bytes, length);
}

static const struct front_kind kinds[] = {
    {.size = 100},
    {.size = 300, .match = match_ab},
    {.size = 200, .match = match_a},
};

static const struct front_kind *first_kind(void)
{
    return &kinds[0];
}

static const struct front_kind *ab_kind(void)
{
    return &kinds[1];
}

static const struct front_kind *a_kind(void)
{
    return &kinds[2];
}

static size_t row_count;

const struct front_row *front_rows(size_t *ret_count)
{
    static const struct front_row rows[] = {{"first", first_kind}, {"ab", ab_kind}, {"a", a_kind}};

    *ret_count = row_count;
    return rows;
}

/* ---- the tests ---- */

static void test_first_bytes(void **state)
{
    static const struct {
        const char *bytes;
        const struct front_kind *kind;
    } rows[] = {
        {"A", NULL}, /* the row before may still have it */
        {"AB", &kinds[1]}, {"ABC", &kinds[1]}, {"AC", &kinds[2]},
        {"B", &kinds[0]},  {"\n", &kinds[0]},
    };
    static struct front front;

    row_count = 3;
    front_use_rows(&front);
    assert_int_equal(front.conn_size, 300);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_ptr_equal(front_kind_of(&front, rows[i].bytes, strlen(rows[i].bytes)), rows[i].kind);
}

static void test_without_a_choice_no_byte_is_looked_at(void **state)
{
    static struct front front;

    row_count = 1;
    front_use_rows(&front);
    assert_ptr_equal(front_kind_of(&front, "A", 1), &kinds[0]);
    assert_int_equal(front.conn_size, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_bytes),
        cmocka_unit_test(test_without_a_choice_no_byte_is_looked_at),
    };
    return cmocka_run_group_tests_name("front/front_kind", tests, NULL, NULL);
}
