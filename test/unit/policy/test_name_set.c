/* policy/name_set: names, suffixes, many of them, and memory that runs out. */
#include "policy/name_set.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int allocations_left = -1; /* negative: no limit */
static size_t allocated_bytes;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool may_allocate(size_t size)
{
    if (allocations_left == 0)
        return false;
    if (allocations_left > 0)
        allocations_left--;
    allocated_bytes = allocated_bytes > size ? allocated_bytes : size;
    return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate(count * size) ? __real_calloc(count, size) : NULL;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate(size) ? __real_malloc(size) : NULL;
}

static struct name_set *create(void)
{
    struct name_set *set;

    assert_int_equal(name_set_create(&set), 0);
    return set;
}

static void add(struct name_set *set, const char *name)
{
    bool is_suffix = name[0] == '*';

    name += 2 * is_suffix;
    assert_int_equal(name_set_add(set, name, strlen(name), is_suffix), 0);
}

static bool has(const struct name_set *set, const char *name)
{
    return name_set_contains(set, name, strlen(name));
}

static void tells_names_from_suffixes(void **state)
{
    struct name_set *set = create();

    assert_false(has(set, "a.example"));
    add(set, "a.example");
    add(set, "*.b.example");
    add(set, "*.test");
    assert_true(has(set, "a.example"));
    assert_false(has(set, "x.a.example"));
    assert_false(has(set, "b.example"));
    assert_true(has(set, "x.b.example"));
    assert_true(has(set, "y.x.b.example"));
    assert_false(has(set, "xb.example"));
    assert_false(has(set, "test"));
    assert_true(has(set, "a.test"));
    assert_false(has(set, "a.test.example"));
    assert_false(has(set, "example"));
    assert_false(has(set, ""));
    assert_false(has(set, "a.exampl"));
    assert_false(has(set, "a.examplee"));
    name_set_destroy(set);
}

static void add_host(struct name_set *set, const char *name)
{
    bool is_suffix = name[0] == '*' && name[1] == '.';

    name += 2 * is_suffix;
    assert_int_equal(name_set_add_host(set, name, strlen(name), is_suffix), 0);
}

static void takes_a_star_for_any_one_label(void **state)
{
    struct name_set *set = create();
    char many[300];

    add_host(set, "ec2.*.amazonaws.com");
    add_host(set, "s3.*.amazonaws.com");
    add_host(set, "*.ec2.*.*.cn");
    add_host(set, "*.*.test");
    add_host(set, "*.example");
    add_host(set, "plain.example");
    assert_int_equal(name_set_count(set), 6);
    assert_true(has(set, "ec2.eu-west-1.amazonaws.com"));
    assert_true(has(set, "s3.eu-west-1.amazonaws.com"));
    assert_false(has(set, "sqs.eu-west-1.amazonaws.com"));
    assert_false(has(set, "ec2.amazonaws.com"));
    assert_false(has(set, "ec2..amazonaws.com"));
    assert_false(has(set, "ec2.a.b.amazonaws.com"));
    assert_false(has(set, "x.ec2.eu.amazonaws.com"));
    assert_false(has(set, "ec2.eu.amazonaws.com.evil"));
    assert_true(has(set, "x.ec2.a.b.cn"));
    assert_true(has(set, "y.x.ec2.a.b.cn"));
    assert_false(has(set, "ec2.a.b.cn"));
    assert_true(has(set, "b.a.test"));
    assert_true(has(set, "c.b.a.test"));
    assert_false(has(set, "a.test"));
    assert_true(has(set, "any.example"));
    memset(many, '.', sizeof(many));
    for (size_t i = 0; i <= sizeof(many); i++)
        assert_false(name_set_contains(set, many, i));
    name_set_destroy(set);
}

/* A user's name is text. */
static void takes_a_star_in_a_word_as_it_is(void **state)
{
    struct name_set *set = create();

    assert_int_equal(name_set_add(set, "*.example", 9, false), 0);
    assert_true(has(set, "*.example"));
    assert_false(has(set, "a.example"));
    name_set_destroy(set);
}

static void counts_what_is_there(void **state)
{
    struct name_set *set = create();

    assert_int_equal(name_set_count(set), 0);
    add(set, "a.example");
    add(set, "a.example");
    assert_int_equal(name_set_count(set), 1);
    add(set, "*.a.example");
    add(set, "*.a.example");
    assert_int_equal(name_set_count(set), 2);
    name_set_destroy(set);
}

static void takes_the_longest_names(void **state)
{
    static char name[NAME_SET_LENGTH_MAX + 2];
    struct name_set *set = create();

    memset(name, '.', sizeof(name)); /* more labels than are looked at, too */
    assert_int_equal(name_set_add(set, name, NAME_SET_LENGTH_MAX, false), 0);
    assert_true(name_set_contains(set, name, NAME_SET_LENGTH_MAX));
    assert_false(name_set_contains(set, name, NAME_SET_LENGTH_MAX - 1));
    assert_false(name_set_contains(set, name, sizeof(name)));
    name_set_destroy(set);
}

static void name_of(struct text *text, char *buffer, size_t size, size_t number)
{
    text_init(text, buffer, size);
    text_add(text, "host-");
    text_add_decimal(text, number * 7919);
    text_add(text, number % 2 ? ".ads.example" : ".trackers.example.com");
}

static void keeps_a_hundred_thousand(void **state)
{
    enum { COUNT = 100000 };
    struct name_set *set = create();
    char buffer[64];
    struct text name;

    for (size_t i = 0; i < COUNT; i++) {
        name_of(&name, buffer, sizeof(buffer), i);
        assert_int_equal(name_set_add(set, buffer, name.length, i % 3 == 0), 0);
    }
    assert_int_equal(name_set_count(set), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        name_of(&name, buffer, sizeof(buffer), i);
        assert_int_equal(name_set_contains(set, buffer, name.length), i % 3 != 0);
        memmove(buffer + 2, buffer, name.length);
        memcpy(buffer, "x.", 2);
        assert_int_equal(name_set_contains(set, buffer, name.length + 2), i % 3 == 0);
    }
    /* Not a measurement: the largest two pieces are the table and the names. */
    assert_true(2 * allocated_bytes < 100 * COUNT);
    name_set_destroy(set);
}

static void survives_every_allocation_failure(void **state)
{
    int failures = 0;

    for (bool is_done = false; !is_done; failures++) {
        struct name_set *set = NULL;
        char buffer[64];
        struct text name;

        allocations_left = failures;
        int result = name_set_create(&set);
        for (size_t i = 0; result == 0 && i < 100; i++) {
            name_of(&name, buffer, sizeof(buffer), i);
            result = name_set_add(set, buffer, name.length, false);
        }
        for (size_t labels = 1; result == 0 && labels < 10; labels++)
            result = name_set_add_host(set, "*.a.a.a.a.a.a.a.a.a", 2 * labels + 1, false);
        allocations_left = -1;
        is_done = result == 0;
        if (!is_done)
            assert_int_equal(result, -ENOMEM);
        for (size_t i = 0; set && i < name_set_count(set) && i < 100; i++) {
            name_of(&name, buffer, sizeof(buffer), i);
            assert_true(has(set, buffer));
        }
        name_set_destroy(set);
    }
    assert_true(failures > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_names_from_suffixes),
        cmocka_unit_test(takes_a_star_for_any_one_label),
        cmocka_unit_test(takes_a_star_in_a_word_as_it_is),
        cmocka_unit_test(counts_what_is_there),
        cmocka_unit_test(takes_the_longest_names),
        cmocka_unit_test(keeps_a_hundred_thousand),
        cmocka_unit_test(survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("policy/name_set", tests, NULL, NULL);
}
