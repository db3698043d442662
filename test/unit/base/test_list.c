/* base/list: order, removal, moving. */
#include "base/list.h"

#include "base/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct element {
    int number;
    struct list link;
};

static void append_numbers(struct list *head, struct element *elements, int first, int count)
{
    for (int i = 0; i < count; i++) {
        elements[i].number = first + i;
        list_append(head, &elements[i].link);
    }
}

/* Both ways round, `count` elements numbered from 1. */
static void assert_counts_up_to(struct list *head, int count)
{
    int number = 0;

    for (struct list *link = head->next; link != head; link = link->next)
        assert_int_equal(container_of(link, struct element, link)->number, ++number);
    assert_int_equal(number, count);
    for (struct list *link = head->previous; link != head; link = link->previous)
        assert_int_equal(container_of(link, struct element, link)->number, number--);
    assert_int_equal(number, 0);
}

static void appends_in_order(void **state)
{
    struct list head;
    struct element elements[3];

    list_init(&head);
    assert_true(list_is_empty(&head));
    append_numbers(&head, elements, 1, 3);
    assert_false(list_is_empty(&head));
    assert_counts_up_to(&head, 3);
}

static void removes_anywhere_and_twice(void **state)
{
    struct list head;
    struct element elements[4];

    list_init(&head);
    append_numbers(&head, elements, 1, 2);
    append_numbers(&head, elements + 2, 9, 1);
    list_remove(&elements[2].link);
    list_remove(&elements[2].link);
    assert_false(list_is_linked(&elements[2].link));
    assert_true(list_is_linked(&elements[1].link));
    assert_counts_up_to(&head, 2);
    list_remove(&elements[0].link);
    list_remove(&elements[1].link);
    assert_true(list_is_empty(&head));
}

static void moves_all(void **state)
{
    struct list to;
    struct list from;
    struct element elements[5];

    list_init(&to);
    list_init(&from);
    list_move_all(&to, &from);
    assert_true(list_is_empty(&to));
    append_numbers(&from, elements, 1, 2);
    list_move_all(&to, &from);
    assert_true(list_is_empty(&from));
    assert_counts_up_to(&to, 2);
    append_numbers(&from, elements + 2, 3, 3);
    list_move_all(&to, &from);
    assert_true(list_is_empty(&from));
    assert_counts_up_to(&to, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(removes_anywhere_and_twice),
        cmocka_unit_test(moves_all),
    };
    return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
