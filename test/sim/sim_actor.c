/* An actor runs from an event of its own, never from within a call of the program under test: what
 * happens at its connection only plans a run a little later, which reads what there is and goes on
 * with the script as far as it gets.
 */
#include "sim_actor.h"

#include "sim_internal.h"

#include <errno.h>
#include <string.h>

enum { LATENCY_US = 20, PIECE = 16384, PACED_PIECE = 1000, PATTERN_PERIOD = 65521 };

/* Numbers without a rhythm, of a prime length: any shift shows. */
static const unsigned char *pattern_table(void)
{
    static unsigned char table[PATTERN_PERIOD + PIECE];
    static bool is_filled;

    for (size_t i = 0; !is_filled && i < sizeof(table); i++)
        table[i] = (unsigned char)((i % PATTERN_PERIOD * 2654435761u) >> 13);
    is_filled = true;
    return table;
}

/* At most PIECE of them. */
const unsigned char *sim_pattern(enum sim_side side, size_t at)
{
    return pattern_table() + (at + (side == SIM_CLIENT ? 0 : 4711)) % PATTERN_PERIOD;
}

static void run(void *self);

static void plan(struct sim_actor *actor)
{
    if (actor->is_planned || actor->is_closed)
        return;
    actor->is_planned = true;
    sim_after(LATENCY_US, run, actor);
}

/* In which turn of the loop the answer came, and in which what is behind it. */
static void note_turns(struct sim_actor *actor)
{
    static const char success[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    size_t arrived = actor->answer_length + actor->received + sim_tcp_waiting(actor->end);

    if (arrived > 0 && actor->turn_of_answer == 0)
        actor->turn_of_answer = sim_waits();
    if (arrived > sizeof(success) - 1 && actor->turn_of_bytes == 0)
        actor->turn_of_bytes = sim_waits();
}

static void changed(void *self)
{
    note_turns(self);
    plan(self);
}

/* ---- receiving ---- */

static void take_answer(struct sim_actor *actor, const char *bytes, size_t length, size_t *ret_used)
{
    size_t used = 0;

    *ret_used = 0;
    while (used < length && !actor->is_established) {
        if (actor->answer_length + 1 < SIM_ANSWER_MAX)
            actor->answer[actor->answer_length++] = bytes[used];
        used++;
        if (actor->head_length > 0 || actor->answer_length < 4 ||
            memcmp(actor->answer + actor->answer_length - 4, "\r\n\r\n", 4) != 0)
            continue;
        actor->head_length = actor->answer_length;
        actor->dials_at_answer = sim_dials_completed();
        actor->is_established = strncmp(actor->answer, "HTTP/1.1 200 ", 13) == 0;
    }
    *ret_used = used;
}

static void check_pattern(struct sim_actor *actor, const unsigned char *bytes, size_t length)
{
    const unsigned char *expected = sim_pattern(actor->expects, actor->received);

    for (size_t i = 0; memcmp(bytes, expected, length) != 0 && i < length; i++) {
        if (bytes[i] != expected[i] && !actor->is_corrupt) {
            actor->is_corrupt = true;
            actor->corrupt_at = actor->received + i;
        }
    }
    actor->received += length;
}

static void note_end(struct sim_actor *actor, bool is_reset)
{
    if (!actor->has_eof && !actor->is_reset)
        actor->ended_ms = sim_now_ms();
    actor->has_eof |= !is_reset;
    actor->is_reset |= is_reset;
}

static void receive(struct sim_actor *actor)
{
    char bytes[PIECE];
    size_t used = 0;

    while (!actor->is_deaf && !actor->has_eof && !actor->is_reset) {
        ssize_t count = sim_tcp_read(actor->end, bytes, sizeof(bytes));

        if (count == -EAGAIN)
            break;
        if (count <= 0) {
            note_end(actor, !sim_tcp_has_fin(actor->end));
            break;
        }
        if (actor->side == SIM_CLIENT)
            take_answer(actor, bytes, (size_t)count, &used);
        check_pattern(actor, (unsigned char *)bytes + used, (size_t)count - used);
        used = 0;
    }
    if (sim_tcp_is_reset(actor->end))
        note_end(actor, true);
}

/* ---- sending ---- */

static bool send_urgent(struct sim_actor *actor)
{
    if (sim_tcp_write_urgent(actor->end, sim_pattern(actor->side, actor->sent), 1) != 1)
        return false;
    actor->sent++;
    return true;
}

/* True when `size` bytes have been taken since the act began. */
static bool send_pattern(struct sim_actor *actor, size_t size)
{
    while (actor->progress < size) {
        size_t count = size - actor->progress < PIECE ? size - actor->progress : PIECE;
        ssize_t taken = sim_tcp_write(actor->end, sim_pattern(actor->side, actor->sent), count);

        if (taken <= 0)
            return false;
        actor->sent += (size_t)taken;
        actor->progress += (size_t)taken;
    }
    return true;
}

static void wait_over(void *self)
{
    struct sim_actor *actor = self;

    actor->is_waiting = false;
    actor->is_wait_over = true;
    plan(actor);
}

/* True when `ms` have passed since the first call for it. */
static bool waited(struct sim_actor *actor, uint64_t ms)
{
    if (ms == 0 || actor->is_wait_over) {
        actor->is_wait_over = false;
        return true;
    }
    if (!actor->is_waiting) {
        actor->is_waiting = true;
        sim_after(ms * 1000, wait_over, actor);
    }
    return false;
}

static bool send_paced(struct sim_actor *actor, const struct sim_act *act)
{
    while (actor->progress < act->size) {
        size_t goal = actor->progress / PACED_PIECE * PACED_PIECE + PACED_PIECE;

        if (!waited(actor, act->ms))
            return false;
        if (!send_pattern(actor, goal < act->size ? goal : act->size))
            return false;
    }
    return true;
}

static bool send_text(struct sim_actor *actor, const struct sim_act *act)
{
    size_t length = strlen(act->text);

    while (actor->progress < length) {
        size_t count = length - actor->progress;

        if (act->size > 0 && count > act->size)
            count = act->size;
        if (actor->progress > 0 && !waited(actor, act->ms))
            return false;
        ssize_t taken = sim_tcp_write(actor->end, act->text + actor->progress, count);
        if (taken <= 0)
            return false;
        actor->progress += (size_t)taken;
    }
    return true;
}

static void echo(struct sim_actor *actor)
{
    if (!actor->is_echo)
        return;
    actor->progress = actor->sent;
    /* Echoed bytes are the client's pattern. */
    actor->side = SIM_CLIENT;
    send_pattern(actor, actor->received);
    actor->side = SIM_TARGET;
    if (actor->has_eof && actor->sent == actor->received && !actor->has_shut) {
        actor->has_shut = true;
        sim_tcp_shutdown(actor->end, SHUT_WR);
    }
}

/* ---- the script ---- */

static void close_end(struct sim_actor *actor, bool is_reset)
{
    if (actor->is_closed)
        return;
    actor->is_closed = true;
    sim_tcp_close(actor->end, is_reset);
}

static bool has_ended(const struct sim_actor *actor)
{
    return actor->has_eof || actor->is_reset;
}

/* True when the act is done. */
static bool play(struct sim_actor *actor, const struct sim_act *act)
{
    switch (act->kind) {
    case ACT_END:
        if (has_ended(actor))
            close_end(actor, false);
        return false;
    case ACT_TEXT:
        return send_text(actor, act);
    case ACT_SEND:
        return send_pattern(actor, act->size);
    case ACT_URGENT:
        return send_urgent(actor);
    case ACT_SEND_PACED:
        return send_paced(actor, act);
    case ACT_WAIT:
        return waited(actor, act->ms);
    case ACT_AWAIT_ANSWER:
        return actor->head_length > 0 || has_ended(actor);
    case ACT_AWAIT_BYTES:
        return actor->received >= act->size || has_ended(actor);
    case ACT_AWAIT_END:
        return has_ended(actor);
    case ACT_SHUT:
        actor->has_shut = true;
        sim_tcp_shutdown(actor->end, SHUT_WR);
        return true;
    case ACT_CLOSE:
    case ACT_RESET:
        close_end(actor, act->kind == ACT_RESET);
        return true;
    case ACT_STOP_READING:
    case ACT_START_READING:
        actor->is_deaf = act->kind == ACT_STOP_READING;
        receive(actor);
        return true;
    case ACT_STALL:
    case ACT_UNSTALL:
        sim_tcp_stall(sim_tcp_peer(actor->end), act->kind == ACT_STALL);
        return true;
    }
    return true;
}

static void run(void *self)
{
    struct sim_actor *actor = self;

    actor->is_planned = false;
    if (actor->is_closed)
        return;
    receive(actor);
    if (actor->is_reset) {
        close_end(actor, false);
        return;
    }
    echo(actor);
    while (!actor->is_closed && play(actor, &actor->script[actor->at])) {
        actor->at++;
        actor->progress = 0;
    }
}

void sim_actor_start(struct sim_actor *actor, struct sim_tcp *end)
{
    actor->end = end;
    sim_tcp_set_actor(end, (struct sim_tcp_actor){.changed = changed, .self = actor});
    plan(actor);
}
