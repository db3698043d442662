/* Both ends on one thread: which orders come out, in which order, and who holds what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/file_text.h"
#include "worker/mailbox.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct loop *loop; /* of both */
    struct mailbox mailbox;
    struct file_text *file;
    struct file_text *newer;
    unsigned order_letters;
    unsigned report_letters;
};

static void orders_came(struct mailbox *mailbox)
{
    container_of(mailbox, struct fixture, mailbox)->order_letters++;
}

static void reports_came(struct mailbox *mailbox)
{
    container_of(mailbox, struct fixture, mailbox)->report_letters++;
}

static void set_up(struct fixture *fixture)
{
    *fixture = (struct fixture){.loop = NULL};
    assert_int_equal(loop_create(&fixture->loop), 0);
    const struct mailbox_ends ends = {.thread = fixture->loop,
                                      .main = fixture->loop,
                                      .orders_came = orders_came,
                                      .reports_came = reports_came};
    mailbox_init(&fixture->mailbox, &ends);
    fixture->file = file_text_read(-1);
    fixture->newer = file_text_read(-1);
    assert_non_null(fixture->file);
    assert_non_null(fixture->newer);
}

/* The tests' sanitizers and these counts see what was not given back. */
static void tear_down(struct fixture *fixture)
{
    mailbox_finish(&fixture->mailbox);
    assert_int_equal(fixture->file->holders, 1);
    assert_int_equal(fixture->newer->holders, 1);
    file_text_release(fixture->file);
    file_text_release(fixture->newer);
    loop_destroy(fixture->loop);
}

static void put_order(struct fixture *fixture, enum order_kind kind, struct file_text *file)
{
    const struct order order = {.kind = kind, .file = file};

    mailbox_put_order(&fixture->mailbox, &order);
}

static void expect_order(struct fixture *fixture, enum order_kind kind,
                         const struct file_text *file)
{
    struct order order;

    assert_true(mailbox_take_order(&fixture->mailbox, &order));
    assert_int_equal(order.kind, kind);
    assert_ptr_equal(order.file, file);
    order_release(&order);
}

static void test_orders_come_in_the_order_of_their_list(void **state)
{
    struct fixture fixture;
    struct order order;

    set_up(&fixture);
    put_order(&fixture, ORDER_LIST, NULL);
    put_order(&fixture, ORDER_DRAIN, NULL);
    put_order(&fixture, ORDER_USE_HOSTS, fixture.file);
    assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(fixture.order_letters, 1);
    expect_order(&fixture, ORDER_USE_HOSTS, fixture.file);
    expect_order(&fixture, ORDER_DRAIN, NULL);
    expect_order(&fixture, ORDER_LIST, NULL);
    assert_false(mailbox_take_order(&fixture.mailbox, &order));
    tear_down(&fixture);
}

static void test_a_newer_one_takes_the_place_of_an_older(void **state)
{
    struct fixture fixture;
    struct order order;

    set_up(&fixture);
    put_order(&fixture, ORDER_USE_HOSTS, fixture.file);
    put_order(&fixture, ORDER_USE_RESOLV_CONF, fixture.file);
    assert_int_equal(fixture.file->holders, 3);
    put_order(&fixture, ORDER_USE_HOSTS, fixture.newer);
    assert_int_equal(fixture.file->holders, 2);
    assert_int_equal(fixture.newer->holders, 2);
    expect_order(&fixture, ORDER_USE_HOSTS, fixture.newer);
    expect_order(&fixture, ORDER_USE_RESOLV_CONF, fixture.file);
    assert_false(mailbox_take_order(&fixture.mailbox, &order));
    assert_int_equal(loop_turn(fixture.loop), 0);
    tear_down(&fixture);
}

static void test_what_comes_after_a_letter_has_one_of_its_own(void **state)
{
    struct fixture fixture;

    set_up(&fixture);
    put_order(&fixture, ORDER_DRAIN, NULL);
    assert_int_equal(loop_turn(fixture.loop), 0);
    expect_order(&fixture, ORDER_DRAIN, NULL);
    put_order(&fixture, ORDER_END, NULL);
    assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(fixture.order_letters, 2);
    expect_order(&fixture, ORDER_END, NULL);
    tear_down(&fixture);
}

static void test_reports(void **state)
{
    const struct order_answer killed = {.tunnel_count = 7};
    const struct order_answer failed = {.error = -1};
    struct fixture fixture;

    set_up(&fixture);
    mailbox_put_answer(&fixture.mailbox, ORDER_KILL, &killed);
    mailbox_put_sign(&fixture.mailbox, MAILBOX_HAPPENED);
    mailbox_put_answer(&fixture.mailbox, ORDER_APPLY, &failed);
    assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(fixture.report_letters, 1);
    struct mailbox_reports reports = mailbox_take_reports(&fixture.mailbox);
    assert_int_equal(reports.signs, MAILBOX_HAPPENED);
    assert_int_equal(reports.answered, 1U << ORDER_KILL | 1U << ORDER_APPLY);
    assert_int_equal(reports.answers[ORDER_KILL].tunnel_count, 7);
    assert_int_equal(reports.answers[ORDER_APPLY].error, -1);
    reports = mailbox_take_reports(&fixture.mailbox);
    assert_int_equal(reports.answered, 0);
    assert_int_equal(reports.signs, 0);
    mailbox_put_sign(&fixture.mailbox, MAILBOX_DONE);
    assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(fixture.report_letters, 2);
    reports = mailbox_take_reports(&fixture.mailbox);
    assert_int_equal(reports.signs, MAILBOX_DONE);
    tear_down(&fixture);
}

/* Also with letters that are still in the post. */
static void test_what_nobody_took_is_given_back(void **state)
{
    struct fixture fixture;

    set_up(&fixture);
    for (int i = 0; i < 2; i++) {
        const struct order_answer answer = {.lines = strdup("{}\n"), .length = 3};

        assert_non_null(answer.lines);
        mailbox_put_answer(&fixture.mailbox, ORDER_LIST, &answer);
    }
    put_order(&fixture, ORDER_USE_HOSTS, fixture.file);
    put_order(&fixture, ORDER_USE_RESOLV_CONF, fixture.newer);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_come_in_the_order_of_their_list),
        cmocka_unit_test(test_a_newer_one_takes_the_place_of_an_older),
        cmocka_unit_test(test_what_comes_after_a_letter_has_one_of_its_own),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_what_nobody_took_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
