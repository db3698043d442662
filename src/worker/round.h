/* Waits until everybody who was asked has answered.
 *
 *   round_begin(round);
 *   for each one who can answer: ask him, round_await(round);
 *   round_asked_all(round);
 *   for each answer, and for each one who ends without one: round_answered(...)
 *
 * and when the last has, `completed` is called: within round_answered, or within round_asked_all
 * when nobody was asked. The round may be begun anew from there. On one thread.
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
/* Nobody else will be asked. */
void round_asked_all(struct round *round);
/* NULL: he ended, and has nothing to say. Contract: he was awaited, and had not answered. */
void round_answered(struct round *round, unsigned index, struct order_answer *answer);

#endif
