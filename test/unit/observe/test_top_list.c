/* Heavy names are found among many, in bounded memory, and nobody is said to have more than he has.
 */
#include "observe/top_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void add(struct top_list *list, const char *name, uint64_t amount)
{
    top_list_add(list, name, strlen(name), amount);
}

static void names_are_added_up_and_sorted(void **state)
{
    struct top_list list;
    struct top_name names[3];

    assert_int_equal(top_list_init(&list, 5), 0);
    add(&list, "a", 1);
    add(&list, "b", 7);
    add(&list, "", 2);
    add(&list, "d", 3);
    add(&list, "a", 3);
    add(&list, "nothing", 0);
    assert_int_equal(top_list_read(&list, names, 3), 3);
    assert_string_equal(names[0].name, "b");
    assert_string_equal(names[1].name, "a");
    assert_int_equal(names[1].amount, 4);
    assert_string_equal(names[2].name, "d");
    top_list_clear(&list);
    assert_int_equal(top_list_read(&list, names, 3), 0);
    add(&list, "b", 1);
    assert_int_equal(top_list_read(&list, names, 3), 1);
    top_list_finish(&list);
}

/* 100,000 names that come once each hide none of the three that matter. */
static void a_flood_hides_nobody(void **state)
{
    enum { NAMES = 100000, CAPACITY = 64 };
    static const uint64_t heavy[] = {9000, 6000, 4000};
    struct top_list list;
    struct top_name names[CAPACITY];
    char name[32];

    assert_int_equal(top_list_init(&list, CAPACITY), 0);
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "once-%u", i);
        add(&list, name, 1);
        for (size_t j = 0; j < ARRAY_LENGTH(heavy); j++) {
            snprintf(name, sizeof(name), "heavy-%zu", j);
            if (i % (NAMES / 1000) == 0)
                add(&list, name, heavy[j] / 1000);
        }
    }
    assert_int_equal(list.count, CAPACITY);
    size_t count = top_list_read(&list, names, CAPACITY);
    assert_true(count >= ARRAY_LENGTH(heavy));
    for (size_t j = 0; j < ARRAY_LENGTH(heavy); j++) {
        snprintf(name, sizeof(name), "heavy-%zu", j);
        assert_string_equal(names[j].name, name);
        assert_true(names[j].amount <= heavy[j] && names[j].amount > heavy[j] / 2);
    }
    for (size_t i = ARRAY_LENGTH(heavy); i < count; i++)
        assert_int_equal(names[i].amount, 1);
    top_list_finish(&list);
}

static void lists_are_added_up(void **state)
{
    struct top_list one;
    struct top_list other;
    struct top_name names[4];

    assert_int_equal(top_list_init(&one, 4), 0);
    assert_int_equal(top_list_init(&other, 1), 0);
    add(&one, "a", 5);
    add(&other, "a", 2);
    add(&other, "b", 4); /* in the place of a */
    top_list_add_all(&one, &other);
    assert_int_equal(top_list_read(&one, names, 4), 2);
    assert_int_equal(names[0].amount, 5);
    assert_string_equal(names[1].name, "b");
    assert_int_equal(names[1].amount, 4);
    top_list_finish(&one);
    top_list_finish(&other);
}

static void long_names_are_cut(void **state)
{
    struct top_list list;
    struct top_name names[2];
    char name[2 * TOP_LIST_NAME_MAX];

    memset(name, 'n', sizeof(name));
    assert_int_equal(top_list_init(&list, 2), 0);
    top_list_add(&list, name, sizeof(name), 1);
    top_list_add(&list, name, TOP_LIST_NAME_MAX, 1);
    assert_int_equal(top_list_read(&list, names, 2), 1);
    assert_int_equal(strlen(names[0].name), TOP_LIST_NAME_MAX);
    assert_int_equal(names[0].amount, 2);
    top_list_finish(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_added_up_and_sorted),
        cmocka_unit_test(a_flood_hides_nobody),
        cmocka_unit_test(lists_are_added_up),
        cmocka_unit_test(long_names_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
