/* Between the main thread and one other: orders that way, answers and signs this way.
 *
 * Bounded: a place for one order and one answer of each kind. A letter (loop/loop.h) is under way
 * at most once each way; what comes meanwhile joins it.
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
    void (*orders_came)(struct mailbox *mailbox);  /* on the thread: takes them */
    void (*reports_came)(struct mailbox *mailbox); /* on the main thread: takes them */
};

enum mailbox_sign {
    MAILBOX_HAPPENED = 1, /* there is something to fetch: events, or a turn that was awaited */
    MAILBOX_DONE = 2,     /* the thread ends; nothing comes after that */
};

/* Embedded in its owner, reached by container_of. All private. */
struct mailbox {
    struct mailbox_ends ends;
    struct letter order_letter;
    struct letter report_letter;
    pthread_mutex_t lock; /* over the rest */
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
/* When the thread has ended, or never ran, and while both loops are still there. */
void mailbox_finish(struct mailbox *mailbox);

/* On the main thread. Holds what the order names; takes the place of one of its kind that still
 * waits. */
void mailbox_put_order(struct mailbox *mailbox, const struct order *order);
/* On the thread: the next one, for the caller to release. False: there is none. */
bool mailbox_take_order(struct mailbox *mailbox, struct order *ret_order) MUST_CHECK;

/* On the thread. Takes what the answer holds. */
void mailbox_put_answer(struct mailbox *mailbox, enum order_kind kind,
                        const struct order_answer *answer);
void mailbox_put_sign(struct mailbox *mailbox, enum mailbox_sign sign);
/* On the main thread. */
struct mailbox_reports mailbox_take_reports(struct mailbox *mailbox);

#endif
