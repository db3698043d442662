/* Waits until all threads that were asked have answered.
 *
 *   round_begin(round);
 *   for each thread that can answer: ask it, round_await(round);
 *   round_asked_all(round);
 *   for each answer, and for each thread that ends without one: round_answered(...)
 *
 * `completed` is called with the last answer, from within round_answered, or from within
 * round_asked_all when no answer is missing by then. It may begin the round anew. All of this is
 * for one thread, the one that asks.
 */
#ifndef WORKER_ROUND_H
#define WORKER_ROUND_H

#include <stdbool.h>

struct order_answer; /* worker/order.h */
struct round;

struct round_handlers {
    /* Is given the answer of the thread with that index. What it takes out of the answer it sets to
     * NULL there. It is not called for a thread that has ended. The pointer may be NULL. */
    void (*answered)(struct round *round, unsigned index, struct order_answer *answer);
    void (*completed)(struct round *round);
};

/* It is embedded in its owner, which container_of finds. */
struct round {
    const struct round_handlers *handlers;
    unsigned awaited; /* missing answers, and 1 more until all were asked; 0: no round goes on */
};

/* Sets up a round that is not under way. `handlers` must outlive it. */
void round_init(struct round *round, const struct round_handlers *handlers);
bool round_is_under_way(const struct round *round);
/* Begins the round. Contract: it is not under way. */
void round_begin(struct round *round);
/* Says that one more answer will come. */
void round_await(struct round *round);
/* Says that no other thread will be asked. */
void round_asked_all(struct round *round);
/* Counts the answer of a thread; NULL says that the thread has ended without one. Contract: its
 * answer was awaited and had not come. */
void round_answered(struct round *round, unsigned index, struct order_answer *answer);

#endif
