/* Names of states, and the last words of a process that broke a contract. These are written by
 * __assert_fail, the function that `assert` calls: it writes to standard error and aborts, and with
 * it this folder needs no IO of its own.
 */
#include "base/state.h"

#include "base/short_id.h"
#include "base/text.h"

enum { CONCERNS_MAX = 8 }; /* are printed; in practice they nest two or three deep */

/* What the thread is working on now; `outer` leads to what that is part of. NULL when nothing was
 * entered. */
static _Thread_local const struct state_concern *innermost;

/* While a contract fails, a state may be out of range: that must not be a second failure. */
static const char *state_name_or_what(const struct state_table *table, unsigned state)
{
    return state < table->count ? table->rows[state].name : "no state";
}

const char *state_name(const struct state_table *table, unsigned state)
{
    REQUIRE(state < table->count);
    return table->rows[state].name;
}

static void state_add_subject(struct text *out, const struct state_table *table, uint64_t id)
{
    text_add(out, table->what);
    if (id != 0) {
        text_add_char(out, ' ');
        short_id_print(out, id);
    }
    text_add(out, ": ");
}

void state_concern_enter(struct state_concern *concern, const struct state_table *table,
                         const uint8_t *state, uint64_t id)
{
    concern->outer = innermost;
    concern->table = table;
    concern->state = state;
    concern->id = id;
    innermost = concern;
}

void state_concern_leave(const struct state_concern *concern)
{
    REQUIRE(innermost == concern);
    innermost = concern->outer;
}

_Noreturn void contract_fail(const char *problem, const char *file, unsigned line,
                             const char *function)
{
    const struct state_concern *concern = innermost;
    char buffer[1024];
    struct text text;

    innermost = NULL; /* in case what follows breaks a contract as well */
    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, problem);
    for (unsigned i = 0; concern != NULL && i < CONCERNS_MAX; i++, concern = concern->outer) {
        text_add(&text, i == 0 ? " (in work: " : ", ");
        state_add_subject(&text, concern->table, concern->id);
        text_add(&text, state_name_or_what(concern->table, *concern->state));
        if (concern->outer == NULL || i == CONCERNS_MAX - 1)
            text_add_char(&text, ')');
    }
    __assert_fail(buffer, file, line, function);
}

_Noreturn void state_refuse_move(const struct state_table *table, unsigned from, unsigned to,
                                 uint64_t id)
{
    char buffer[256];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    state_add_subject(&text, table, id);
    text_add(&text, state_name_or_what(table, from));
    text_add(&text, " -> ");
    text_add(&text, state_name_or_what(table, to));
    text_add(&text, " is no edge");
    contract_fail(buffer, __FILE__, __LINE__, __func__);
}
