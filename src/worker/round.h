/* Waits until all threads that were asked have answered.
 *
 *   round_begin(round);
 *   for each thread that can answer: ask it, round_await(round);
 *   round_asked_all(round);
 *   for each answer, and for each thread that ends without one: round_answered(...)
 *
 * With the last of them `completed` is called: within round_answered, or within round_asked_all
 * when no thread was asked. The round may be begun anew from there. All of this is for one thread,
 * the one that asks.
 */
#ifndef WORKER_ROUND_H
#define WORKER_ROUND_H

#include <stdbool.h>

struct order_answer; /* worker/order.h */
struct round;

struct round_handlers {
    /* What the thread of that index found; may be NULL. What it takes of the answer it sets to
     * NULL. Not called for a thread that ended. */
    void (*answered)(struct round *round, unsigned index, struct order_answer *answer);
    void (*completed)(struct round *round);
};

/* Embedded in its owner, reached by container_of. */
struct round {
    const struct round_handlers *handlers;
    unsigned awaited; /* answers, and one more until all have been asked; 0: no round goes on */
};

/* `handlers` outlive the round. */
void round_init(struct round *round, const struct round_handlers *handlers);
bool round_is_under_way(const struct round *round);
/* Contract: none is under way. */
void round_begin(struct round *round);
/* One more answer will come. */
void round_await(struct round *round);
/* No other thread will be asked. */
void round_asked_all(struct round *round);
/* `answer` is NULL: the thread ended, and says nothing. Contract: it was awaited, and had not
 * answered. */
void round_answered(struct round *round, unsigned index, struct order_answer *answer);

#endif
