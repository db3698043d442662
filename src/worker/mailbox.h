/* A mailbox between the main thread and one tunnel thread: orders go to the thread, answers and
 * signs come back.
 *
 * It is bounded: there is a place for one order and one answer of each kind. In each direction at
 * most one letter (loop/loop.h) is under way; what is put in meanwhile is taken together with it.
 */
#ifndef WORKER_MAILBOX_H
#define WORKER_MAILBOX_H

#include "base/contract.h"
#include "loop/loop.h"
#include "worker/order.h"

#include <pthread.h>
#include <stdbool.h>

struct mailbox;

struct mailbox_ends {
    struct loop *thread; /* of the thread that is given orders */
    struct loop *main;
    void (*orders_came)(struct mailbox *mailbox); /* called on the thread, which takes the orders */
    void (*reports_came)(
        struct mailbox *mailbox); /* called on the main thread, which takes the reports */
};

enum mailbox_sign {
    MAILBOX_HAPPENED = 1, /* there is something to fetch: events, or a turn that was awaited */
    MAILBOX_DONE = 2,     /* the thread ends; nothing comes after that */
};

/* It is embedded in its owner, which container_of finds. All members are private. */
struct mailbox {
    struct mailbox_ends ends;
    struct letter order_letter;
    struct letter report_letter;
    pthread_mutex_t lock; /* protects the members below */
    struct order orders[ORDER_KIND_COUNT];
    struct order_answer answers[ORDER_KIND_COUNT];
    unsigned ordered;  /* a bit per kind */
    unsigned answered; /* a bit per kind */
    unsigned signs;    /* MAILBOX_* */
    bool is_order_posted;
    bool is_report_posted;
};

/* All that came from the thread until now. */
struct mailbox_reports {
    unsigned signs;                                /* MAILBOX_* */
    unsigned answered;                             /* a bit per kind */
    struct order_answer answers[ORDER_KIND_COUNT]; /* of those; each to be released */
};

void mailbox_init(struct mailbox *mailbox, const struct mailbox_ends *ends);
/* Releases what is left. Contract: the thread has ended or never ran, and both loops still exist.
 */
void mailbox_finish(struct mailbox *mailbox);

/* For the main thread: puts an order in, with references to what it names. It replaces an order of
 * the same kind that still waits. */
void mailbox_put_order(struct mailbox *mailbox, const struct order *order);
/* For the thread: takes the next order, which the caller releases. Returns false when there is
 * none. */
bool mailbox_take_order(struct mailbox *mailbox, struct order *ret_order) MUST_CHECK;

/* For the thread: puts an answer in, which the mailbox owns from then on. */
void mailbox_put_answer(struct mailbox *mailbox, enum order_kind kind,
                        const struct order_answer *answer);
void mailbox_put_sign(struct mailbox *mailbox, enum mailbox_sign sign);
/* For the main thread: takes all answers and signs. */
struct mailbox_reports mailbox_take_reports(struct mailbox *mailbox);

#endif
