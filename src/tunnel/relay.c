/* A relay is two halves, which share one piece of code and differ by an index. Whatever happens (a
 * stream became ready, a deadline passed, the next turn came) ends in relay_drive: move bytes both
 * ways within a budget, pass on ends, then say what to wait for. What comes next is derived from
 * the state, in
 * relay_drive's callees; while bytes flow freely, as they did before, there is nothing to derive
 * anew. In a relay with a gate, all of this begins after the bytes have passed it (relay_gate.c).
 *
 * The surprises:
 *  - A reset must not overtake bytes: it is passed on only when our stash and pipe are empty and
 * the receiving side has acknowledged everything; so it may have to wait, looking again and again.
 *  - Once a write to an end has failed, the kernel has told its error; reading then shows a plain
 *    end. That end counts as reset all the same, except after EPIPE, because then its FIN had come
 *    before.
 *  - A sink that can't be written does not end the relay: its source is read and dropped until the
 *    other direction is done. If that direction is done already, the end that failed has reset; its
 *    FIN is passed on first, because otherwise what it sent would look cut off.
 *  - A throttled half does not read before its time; no event tells of that, only the deadline.
 */
#include "tunnel/relay.h"

#include "access/limits_bandwidth.h"
#include "net/stream.h"
#include "tunnel/pump.h"
#include "tunnel/relay_gate.h"
#include "tunnel/relief.h"
#include "tunnel/tunnel_env.h"

#include <errno.h>

/* Bytes a direction may move in one turn: one full pipe. Measured with an eighth and with twice of
 * it, the delay of small exchanges beside bulk flows is the same. */
static const size_t budget_bytes = PIPE_BYTES;

/* Keepalive begins after this time. Most tunnels have ended by then, and never need the calls. */
static const uint64_t old_after_ms = 30 * 1000;
static const uint16_t reset_wait_first_ms = 10;
static const uint16_t reset_wait_most_ms = 1000;
static const uint64_t reset_patience_ms = 15 * 1000;

static bool half_is_done(const struct half *half)
{
    return half->is_source_ended && half->is_sink_ended;
}

/* Bytes that were read but not written yet are lost: their sink takes no more. */
static void half_drop_pending(struct relay *relay, unsigned from)
{
    stash_drop(relay, from);
    half_return_pipe(relay_env_of(relay), &relay->halves[from]);
}

void relay_sink_failed(struct relay *relay, unsigned from, int error)
{
    struct half *half = &relay->halves[from];

    half->is_sink_ended = true;
    half->is_sink_broken = true;
    half->is_sink_cut_off = error != -EPIPE;
    /* An end whose FIN was read has nothing more to tell us; this is how we learn of its reset. */
    if (half_is_done(&relay->halves[!from]))
        relay->is_reset[!from] = true;
    half_drop_pending(relay, from);
}

static void relay_note_end(struct relay *relay, enum closed_by closed_by)
{
    if (relay->closed_by == CLOSED_BY_COUNT)
        relay->closed_by = (uint8_t)closed_by;
}

void relay_source_ended(struct relay *relay, unsigned from, bool is_reset)
{
    relay->halves[from].is_source_ended = true;
    if (trace_is_wanted(relay->env->trace))
        tunnel_trace_source_ended(relay, from, is_reset);
    if (!is_reset) {
        relay_note_end(relay, from == RELAY_CLIENT ? CLOSED_BY_CLIENT_EOF : CLOSED_BY_TARGET_EOF);
        return;
    }
    relay_note_end(relay, from == RELAY_CLIENT ? CLOSED_BY_CLIENT_RESET : CLOSED_BY_TARGET_RESET);
    relay->is_reset[from] = true;
    relay_sink_failed(relay, !from, -ECONNRESET);
}

static void half_flush(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    uint64_t bytes_before = half->bytes;

    if (half->stash != NULL)
        pump_copy_flush(relay, from);
    if (half->stash == NULL && half_is_pending(half))
        pump_splice_flush(relay, from);
    if (half->bytes != bytes_before)
        relay->active_ms = loop_now_ms(relay->env->loop);
}

static bool half_can_write(const struct relay *relay, unsigned from)
{
    return half_sink(relay, from)->ready & STREAM_WRITABLE;
}

/* True while the half must not read yet. Some clients drop bytes that come in one piece with the
 * success, so the target is not read in the turn in which the success was written. */
static bool half_is_held(const struct relay *relay, unsigned from)
{
    return from == RELAY_TARGET && relay->started_turn == loop_turn_number(relay->env->loop);
}

static ALWAYS_INLINE bool half_can_read(const struct relay *relay, unsigned from)
{
    const struct half *half = &relay->halves[from];

    if (half->is_source_ended || !(half_source(relay, from)->ready & STREAM_READABLE))
        return false;
    return half->is_sink_ended || half_can_write(relay, from);
}

static bool half_is_throttled(const struct relay *relay, unsigned from)
{
    return relay->throttle != NULL &&
           throttle_is_waiting(relay->throttle, from, loop_now_ms(relay->env->loop));
}

/* Returns true when the throttle lets the half read now, or when there is no throttle. */
static bool half_has_bandwidth(struct relay *relay, unsigned from)
{
    return relay->throttle == NULL ||
           throttle_admits(relay->throttle, from, loop_now_ms(relay->env->loop));
}

/* Bandwidth that was granted and is not needed, because the source is empty, is given back. */
static void half_spend(struct relay *relay, unsigned from, ssize_t count)
{
    if (relay->throttle == NULL)
        return;
    if (count > 0)
        throttle_spend(relay->throttle, from, (size_t)count);
    if (!(half_source(relay, from)->ready & STREAM_READABLE))
        throttle_give_back(relay->throttle, from);
}

/* A half becomes bulk by reads that fill the buffer, and ceases to be by a pause of more than a
 * second or two. */
static bool half_is_bulk(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    uint16_t now = half_clock(relay);

    if (relay_env_of(relay)->limits.mode == RELAY_SPLICE)
        return true;
    if (half->full_reads < PROMOTE_AFTER)
        return false;
    if ((uint16_t)(now - half->moved_at) > 1) {
        half->full_reads = 0;
        relay_trace(relay, from, "no bulk any more");
    }
    half->moved_at = now;
    return half->full_reads > 0;
}

static ssize_t half_pump(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];

    bool is_spliced = half_is_bulk(relay, from) && !half->is_pipe_refused && !half->is_sink_ended;
    return is_spliced ? pump_splice(relay, from) : pump_copy(relay, from);
}

static bool half_can_flush(const struct relay *relay, unsigned from)
{
    return half_is_pending(&relay->halves[from]) && half_can_write(relay, from);
}

/* Moves what can be moved within the budget. */
static void half_move(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    size_t moved = 0;

    while (moved < budget_bytes) {
        if (half_can_flush(relay, from))
            half_flush(relay, from);
        if (half_is_pending(half) || !half_can_read(relay, from) || relay->is_out_of_memory ||
            !half_has_bandwidth(relay, from))
            return;
        ssize_t count = half_pump(relay, from);
        half_spend(relay, from, count);
        if (count == -EAGAIN)
            return;
        relay->active_ms = loop_now_ms(relay->env->loop);
        if (count <= 0) {
            /* After a failed write the kernel has no error left to tell: the end is a reset. */
            relay_source_ended(relay, from, count < 0 || relay->halves[!from].is_sink_cut_off);
            return;
        }
        moved += (size_t)count;
    }
}

/* True when something is left to do for which no event will come: the budget was used up, or one
 * half changed what the other one may do. */
static bool relay_has_more_to_move(const struct relay *relay)
{
    for (unsigned from = 0; from < RELAY_ENDS; from++) {
        bool may_read = !half_is_pending(&relay->halves[from]) && half_can_read(relay, from) &&
                        !half_is_throttled(relay, from);

        if (half_can_flush(relay, from) || may_read)
            return true;
    }
    return false;
}

static void relay_release(struct relay *relay)
{
    for (unsigned from = 0; from < RELAY_ENDS; from++) {
        half_drop_pending(relay, from);
        if (relay->throttle != NULL)
            throttle_give_back(relay->throttle, from);
    }
    deadline_cancel(relay->env->loop, &relay->deadline);
    task_cancel(&relay->again);
}

void relay_end(struct relay *relay, enum closed_by closed_by, bool reset_client, bool reset_target)
{
    relay_release(relay);
    stream_close(relay->ends[RELAY_CLIENT], reset_client);
    stream_close(relay->ends[RELAY_TARGET], reset_target);
    relay->on_ended(relay, closed_by);
}

static void half_pass_on_fin(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    const struct half *other = &relay->halves[!from];
    bool is_gone = other->is_sink_broken; /* the source; we learnt of it only after its FIN */

    if (!half->is_source_ended || half->is_sink_ended || half_is_pending(half) ||
        relay->is_reset[from])
        return;
    /* When the other direction is done already, closing sends the FIN; a reset would not. */
    if ((!half_is_done(other) || is_gone) && stream_shutdown_write(half_sink(relay, from)) < 0)
        half->is_sink_broken = true;
    half->is_sink_ended = true;
    relay->is_reset[from] = is_gone;
}

/* A reset of `from` must reach the other end behind all bytes. Returns true when the relay has
 * ended. */
static bool half_pass_on_reset(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    uint64_t now_ms = loop_now_ms(relay->env->loop);

    if (half_is_pending(half))
        return false;
    if (half->is_sink_broken) {
        relay_end(relay, relay->closed_by, false, false);
        return true;
    }
    size_t count = stream_unacknowledged(half_sink(relay, from));
    uint32_t unacknowledged = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    bool is_moving = relay->reset_wait_ms == 0 || unacknowledged < relay->reset_unacknowledged;
    relay->reset_unacknowledged = unacknowledged;
    if (is_moving)
        relay->active_ms = now_ms;
    if (unacknowledged > 0 && now_ms - relay->active_ms < reset_patience_ms) {
        unsigned doubled =
            relay->reset_wait_ms == 0 ? reset_wait_first_ms : 2u * relay->reset_wait_ms;
        relay->reset_wait_ms =
            doubled < reset_wait_most_ms ? (uint16_t)doubled : reset_wait_most_ms;
        return false;
    }
    bool is_reset = unacknowledged == 0;
    relay_end(relay, relay->closed_by, is_reset && from == RELAY_TARGET,
              is_reset && from == RELAY_CLIENT);
    return true;
}

/* Passes on ends. Returns true when the relay has ended. */
static bool relay_settle(struct relay *relay)
{
    if (relay->is_out_of_memory) {
        relay_end(relay, CLOSED_BY_NO_MEMORY, true, true);
        return true;
    }
    for (unsigned from = 0; from < RELAY_ENDS; from++) {
        half_pass_on_fin(relay, from);
        if (relay->is_reset[from])
            return half_pass_on_reset(relay, from);
    }
    if (half_is_done(&relay->halves[0]) && half_is_done(&relay->halves[1])) {
        relay_end(relay, relay->closed_by, false, false);
        return true;
    }
    return false;
}

/* True when bytes wait (in adit, or in the source's queue) and the sink takes none. */
static bool half_is_stuck(const struct relay *relay, unsigned from)
{
    const struct half *half = &relay->halves[from];

    if (half->is_sink_ended)
        return false;
    return half_is_pending(half) || (!half->is_source_ended && !half_can_write(relay, from) &&
                                     (half_source(relay, from)->ready & STREAM_READABLE));
}

static void relay_want(struct relay *relay)
{
    for (unsigned end = 0; end < RELAY_ENDS; end++) {
        const struct half *outward = &relay->halves[end]; /* reads from this end */
        unsigned wanted = 0;

        if (!outward->is_source_ended && !half_is_stuck(relay, end))
            wanted |= STREAM_READABLE;
        if (half_is_stuck(relay, !end)) {
            wanted |= STREAM_WRITABLE;
            relief_watch(relay->env->relief);
        }
        stream_want(relay->ends[end], wanted);
    }
}

/* Each state of the two halves has its own timeout: idle, half-closed or stuck. */
uint64_t relay_patience_ms(const struct relay *relay, enum closed_by *ret_closed_by)
{
    if (half_is_stuck(relay, RELAY_CLIENT) || half_is_stuck(relay, RELAY_TARGET)) {
        *ret_closed_by = CLOSED_BY_STUCK_TIMEOUT;
        return relay->env->timeouts.stuck_ms;
    }
    if (relay->halves[RELAY_CLIENT].is_source_ended ||
        relay->halves[RELAY_TARGET].is_source_ended) {
        *ret_closed_by = CLOSED_BY_HALF_CLOSED_TIMEOUT;
        return relay->env->timeouts.half_closed_ms;
    }
    *ret_closed_by = CLOSED_BY_IDLE_TIMEOUT;
    return relay->env->timeouts.idle_ms;
}

uint64_t relay_next_look_ms(const struct relay *relay)
{
    enum closed_by ignored;
    uint64_t now_ms = loop_now_ms(relay->env->loop);
    uint64_t at_ms = relay->active_ms + relay_patience_ms(relay, &ignored);
    uint64_t old_ms = relay->started_ms + old_after_ms;

    if (relay->reset_wait_ms != 0 && now_ms + relay->reset_wait_ms < at_ms)
        at_ms = now_ms + relay->reset_wait_ms;
    if (!relay->is_old && old_ms < at_ms)
        at_ms = old_ms;
    for (unsigned from = 0; from < RELAY_ENDS; from++) {
        if (half_is_throttled(relay, from) && throttle_wakes_ms(relay->throttle, from) < at_ms)
            at_ms = throttle_wakes_ms(relay->throttle, from);
    }
    return at_ms;
}

/* Activity only stamps `active_ms`; the deadline is moved forward lazily, when it passes too early.
 */
static void relay_arm(struct relay *relay)
{
    uint64_t at_ms = relay_next_look_ms(relay);

    if (!deadline_is_set(&relay->deadline) || at_ms < relay->deadline.at_ms)
        deadline_set(relay->env->loop, &relay->deadline, at_ms);
}

static ALWAYS_INLINE bool half_is_flowing(const struct relay *relay, unsigned from)
{
    const struct half *half = &relay->halves[from];

    return !half->is_source_ended && !half->is_sink_ended && !half_is_pending(half) &&
           half_can_write(relay, from);
}

/* Both halves are free to move, and the deadline is early enough, also when a reload has changed
 * the timeouts. As long as this stays so, relay_drive need not settle, want or arm anything. */
static bool relay_is_flowing(const struct relay *relay)
{
    return half_is_flowing(relay, RELAY_CLIENT) && half_is_flowing(relay, RELAY_TARGET) &&
           relay->throttle == NULL && !relay->is_out_of_memory &&
           relay->deadline.at_ms <= relay->active_ms + relay->env->timeouts.idle_ms;
}

static void relay_drive(struct relay *relay)
{
    bool was_flowing = relay->is_flowing;

    half_move(relay, RELAY_CLIENT);
    if (!half_is_held(relay, RELAY_TARGET))
        half_move(relay, RELAY_TARGET);
    relay->is_flowing = relay_is_flowing(relay);
    if (!was_flowing || !relay->is_flowing) {
        if (relay_settle(relay))
            return;
        relay_want(relay);
        relay_arm(relay);
    }
    if (relay_has_more_to_move(relay))
        task_post(relay->env->loop, &relay->again);
}

static void relay_end_ready(struct stream *stream, void *self)
{
    (void)stream;
    relay_drive(self);
}

static void relay_next_turn(struct task *task)
{
    struct relay *relay = container_of(task, struct relay, again);

    relay_drive(relay);
}

/* A tunnel that waits for bandwidth is not idle: the time until it may read again counts as
 * activity. */
static void relay_forgive_throttling(struct relay *relay, uint64_t now_ms)
{
    for (unsigned from = 0; relay->throttle != NULL && from < RELAY_ENDS; from++) {
        uint64_t at_ms = throttle_wakes_ms(relay->throttle, from);

        if (throttle_granted(relay->throttle, from) > 0 && at_ms > relay->active_ms)
            relay->active_ms = at_ms < now_ms ? at_ms : now_ms;
    }
}

void relay_note_age(struct relay *relay)
{
    if (relay->is_old || loop_now_ms(relay->env->loop) < relay->started_ms + old_after_ms)
        return;
    relay->is_old = true;
    stream_grew_old(relay->ends[RELAY_TARGET]);
}

static void relay_look_again(struct deadline *deadline)
{
    struct relay *relay = container_of(deadline, struct relay, deadline);
    uint64_t now_ms = loop_now_ms(relay->env->loop);
    enum closed_by closed_by;

    relay_forgive_throttling(relay, now_ms);
    relay_note_age(relay);
    if (relay->reset_wait_ms == 0 &&
        now_ms >= relay->active_ms + relay_patience_ms(relay, &closed_by)) {
        relay_end(relay, closed_by, false, false);
        return;
    }
    relay->is_flowing = false; /* the deadline has to be set again */
    relay_drive(relay);
}

/* Keeps what an end sent before the relay began. Returns 0, or -ENOMEM, and then nothing is kept.
 */
static int relay_keep_early(struct relay *relay, const struct relay_early *early)
{
    int error = 0;

    for (unsigned from = 0; error == 0 && from < RELAY_ENDS; from++) {
        if (early[from].length > 0)
            error = stash_put(relay, from, early[from].bytes, early[from].length);
    }
    for (unsigned from = 0; error < 0 && from < RELAY_ENDS; from++)
        stash_drop(relay, from);
    return error;
}

void relay_begin(struct relay *relay)
{
    deadline_init(&relay->deadline, relay_look_again);
    for (unsigned end = 0; end < RELAY_ENDS; end++)
        stream_observe(relay->ends[end], relay_end_ready, relay);
    relay_drive(relay);
}

int relay_start(struct relay *relay, struct tunnel_env *env, const struct relay_plan *plan)
{
    uint64_t now_ms = loop_now_ms(env->loop);

    *relay = (struct relay){
        .env = env,
        .throttle = plan->throttle,
        .ends = {plan->ends[RELAY_CLIENT], plan->ends[RELAY_TARGET]},
        .on_ended = plan->on_ended,
        .started_ms = now_ms,
        .started_turn = loop_turn_number(env->loop),
        .active_ms = now_ms,
        .closed_by = CLOSED_BY_COUNT,
    };
    task_init(&relay->again, relay_next_turn);
    for (unsigned from = 0; from < RELAY_ENDS; from++)
        relay->halves[from].is_pipe_refused = env->relays->limits.mode == RELAY_COPY;
    int error = relay_keep_early(relay, plan->early);
    if (error < 0)
        return error;
    if (plan->gate == NULL) {
        relay_begin(relay);
    } else {
        relay->gate = plan->gate;
        relay->gate->on_passed = plan->on_passed;
        relay_gate_start(relay);
    }
    return 0;
}

void relay_stop(struct relay *relay, bool is_reset)
{
    relay_release(relay);
    stream_close(relay->ends[RELAY_CLIENT], is_reset);
    stream_close(relay->ends[RELAY_TARGET], is_reset);
}

uint64_t relay_bytes(const struct relay *relay, enum relay_end from)
{
    return relay->halves[from].bytes;
}

uint64_t relay_unacknowledged(const struct relay *relay)
{
    uint64_t sum = 0;

    for (unsigned end = 0; end < RELAY_ENDS; end++) {
        size_t count = stream_unacknowledged(relay->ends[end]);

        if (count != SIZE_MAX) /* not to be found out */
            sum += count;
    }
    return sum;
}
