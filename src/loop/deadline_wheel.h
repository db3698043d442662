/* A hierarchical timing wheel with slots of 1, 64, 4096, ... ms: setting and cancelling take
 * constant time.
 */
#ifndef LOOP_DEADLINE_WHEEL_H
#define LOOP_DEADLINE_WHEEL_H

#include "base/list.h"
#include "loop/loop.h"

#include <stdint.h>

enum { WHEEL_LEVELS = 6, WHEEL_SLOTS = 64 };
#define DEADLINE_NEVER UINT64_MAX

struct deadline_wheel {
    uint64_t time_ms; /* all deadlines up to here have been handed out */
    uint64_t
        quiet_until_ms; /* no slot is reached before that; a removal leaves this bound as it is */
    uint64_t occupied[WHEEL_LEVELS];
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void deadline_wheel_init(struct deadline_wheel *wheel, uint64_t now_ms);
void deadline_wheel_add(struct deadline_wheel *wheel, struct deadline *deadline);
void deadline_wheel_remove(struct deadline_wheel *wheel, struct deadline *deadline);
/* Moves everything due at `now_ms` or before to the end of `due`, in the order of time. */
void deadline_wheel_advance(struct deadline_wheel *wheel, uint64_t now_ms, struct list *due);
/* Returns a time before which nothing is due, or DEADLINE_NEVER when nothing is set. */
uint64_t deadline_wheel_next(const struct deadline_wheel *wheel);

#endif
