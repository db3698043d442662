/* The main thread and one tunnel thread exchange orders and answers here, under one lock. There is
 * a place for each kind of order and of answer, with a bit that says whether it is filled, so the
 * size is bounded and sending needs no memory. A letter wakes the other thread's loop; while one is
 * on its way, no second one is posted.
 */
#include "worker/mailbox.h"

#include "process/file_text.h"
#include "worker/snapshot.h"

#include <stdlib.h>

/* -- what is in it */

/* Takes references, so that a copy of the order may outlive the references of its sender. */
static void order_hold(const struct order *order)
{
    if (order->file != NULL)
        file_text_hold(order->file);
    if (order->snapshot != NULL)
        snapshot_hold(order->snapshot);
}

void order_release(const struct order *order)
{
    file_text_release(order->file);
    snapshot_release(order->snapshot);
}

void order_answer_release(struct order_answer *answer)
{
    free(answer->lines);
    answer->lines = NULL;
}

/* -- letters */

static void mailbox_deliver_orders(struct letter *letter)
{
    struct mailbox *mailbox = container_of(letter, struct mailbox, order_letter);

    pthread_mutex_lock(&mailbox->lock);
    mailbox->is_order_posted = false;
    pthread_mutex_unlock(&mailbox->lock);
    mailbox->ends.orders_came(mailbox);
}

static void mailbox_deliver_reports(struct letter *letter)
{
    struct mailbox *mailbox = container_of(letter, struct mailbox, report_letter);

    mailbox->ends.reports_came(mailbox);
}

/* Contract: the caller holds the lock, which is given up here. */
static void mailbox_post_report(struct mailbox *mailbox)
{
    bool is_posting = !mailbox->is_report_posted;

    mailbox->is_report_posted = true;
    pthread_mutex_unlock(&mailbox->lock);
    if (is_posting)
        letter_post(mailbox->ends.main, &mailbox->report_letter);
}

/* -- orders */

void mailbox_put_order(struct mailbox *mailbox, const struct order *order)
{
    struct order before = {.file = NULL};

    order_hold(order);
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->ordered & 1U << order->kind)
        before = mailbox->orders[order->kind];
    mailbox->orders[order->kind] = *order;
    mailbox->ordered |= 1U << order->kind;
    bool is_posting = !mailbox->is_order_posted;
    mailbox->is_order_posted = true;
    pthread_mutex_unlock(&mailbox->lock);
    order_release(&before);
    if (is_posting)
        letter_post(mailbox->ends.thread, &mailbox->order_letter);
}

bool mailbox_take_order(struct mailbox *mailbox, struct order *ret_order)
{
    pthread_mutex_lock(&mailbox->lock);
    bool is_there = mailbox->ordered != 0;
    if (is_there) {
        unsigned kind = (unsigned)__builtin_ctz(mailbox->ordered);

        *ret_order = mailbox->orders[kind];
        mailbox->ordered &= ~(1U << kind);
    }
    pthread_mutex_unlock(&mailbox->lock);
    return is_there;
}

/* -- reports */

void mailbox_put_answer(struct mailbox *mailbox, enum order_kind kind,
                        const struct order_answer *answer)
{
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->answered & 1U << kind)
        order_answer_release(&mailbox->answers[kind]);
    mailbox->answers[kind] = *answer;
    mailbox->answered |= 1U << kind;
    mailbox_post_report(mailbox);
}

void mailbox_put_sign(struct mailbox *mailbox, enum mailbox_sign sign)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->signs |= (unsigned)sign;
    mailbox_post_report(mailbox);
}

struct mailbox_reports mailbox_take_reports(struct mailbox *mailbox)
{
    struct mailbox_reports reports = {.signs = 0};

    pthread_mutex_lock(&mailbox->lock);
    reports.signs = mailbox->signs;
    reports.answered = mailbox->answered;
    for (unsigned kind = 0; kind < ORDER_KIND_COUNT; kind++)
        if (reports.answered & 1U << kind)
            reports.answers[kind] = mailbox->answers[kind];
    mailbox->signs = 0;
    mailbox->answered = 0;
    mailbox->is_report_posted = false;
    pthread_mutex_unlock(&mailbox->lock);
    return reports;
}

/* -- life */

void mailbox_init(struct mailbox *mailbox, const struct mailbox_ends *ends)
{
    static_assert(ORDER_KIND_COUNT <= 32, "a bit per kind");
    *mailbox = (struct mailbox){.ends = *ends};
    pthread_mutex_init(&mailbox->lock, NULL);
    letter_init(&mailbox->order_letter, mailbox_deliver_orders);
    letter_init(&mailbox->report_letter, mailbox_deliver_reports);
}

void mailbox_finish(struct mailbox *mailbox)
{
    struct mailbox_reports reports = mailbox_take_reports(mailbox);
    struct order order;

    letter_take_back(mailbox->ends.thread, &mailbox->order_letter);
    letter_take_back(mailbox->ends.main, &mailbox->report_letter);
    while (mailbox_take_order(mailbox, &order))
        order_release(&order);
    for (unsigned kind = 0; kind < ORDER_KIND_COUNT; kind++)
        order_answer_release(&reports.answers[kind]);
    pthread_mutex_destroy(&mailbox->lock);
}
