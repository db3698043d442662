/* Tables of states: their names, and which state may follow which.
 *
 * A module with an enum of states has one table of them, a row per state, and one function that
 * changes the state, by state_move. So a move that is not in the table ends the process, with a
 * message that names it, instead of going on with members that are not valid in that state.
 */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include "base/contract.h"

#include <stdbool.h>
#include <stdint.h>

struct state_row {
    const char *name;
    uint32_t next; /* STATE_BIT of each state that may follow */
};

struct state_table {
    const char *what; /* what has these states: "tunnel" */
    const struct state_row *rows;
    unsigned count;
};

#define STATE_BIT(state) (1U << (state)) /* there are 32 at most */

const char *state_name(const struct state_table *table, unsigned state);

static inline bool state_is_allowed(const struct state_table *table, unsigned from, unsigned to)
{
    /* A `to` that is no state has no bit in any row. */
    return from < table->count && table->rows[from].next >> to & 1U;
}

/* Ends the process with a message that names the move. */
COLD _Noreturn void state_refuse_move(const struct state_table *table, unsigned from, unsigned to,
                                      uint64_t id);

/* Changes the state. `id` is the id by which the log calls the object, or 0 when it has none. */
static inline void state_move(const struct state_table *table, uint8_t *state, unsigned to,
                              uint64_t id)
{
    if (!state_is_allowed(table, *state, to))
        state_refuse_move(table, *state, to, id);
    *state = (uint8_t)to;
}

/* ---- what a broken contract concerns ---- */

/* An object that this thread works on. It stands on the stack of the function that handles an event
 * of that object, from enter to leave. All that were entered and not left are printed when a
 * contract breaks. Members are private. */
struct state_concern {
    const struct state_concern *outer;
    const struct state_table *table;
    const uint8_t *state; /* valid until state_concern_leave */
    uint64_t id;
};

void state_concern_enter(struct state_concern *concern, const struct state_table *table,
                         const uint8_t *state, uint64_t id);
void state_concern_leave(const struct state_concern *concern);

#endif
