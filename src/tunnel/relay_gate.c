/* A relay that has a gate begins here instead of in relay.c: the gate's handlers observe the
 * streams and the deadline, read and hold what comes, and write nothing. So a relay without a gate,
 * or behind one, pays nothing for it. When the gate lets the bytes pass, relay_begin takes over: to
 * relay.c, the bytes that are held look like bytes that a slow sink has left pending, and an end
 * that was read is passed on like any other.
 *
 * A reset of either end ends the relay: the other end has got nothing yet, and gets only the reset.
 */
#include "tunnel/relay_gate.h"

#include "net/stream.h"
#include "tunnel/pump.h"

#include <errno.h>

/* How many bytes of an end are held back. */
static size_t relay_gate_held(const struct relay *relay, unsigned from)
{
    const struct stash *stash = relay->halves[from].stash;

    return stash != NULL ? stash->length : 0;
}

/* How many more bytes of an end the gate may look at. */
static size_t relay_gate_room(const struct relay *relay, unsigned from)
{
    size_t held = relay_gate_held(relay, from);
    size_t bytes_max = relay->gate->ops->bytes_max;

    return held < bytes_max ? bytes_max - held : 0;
}

/* Bytes came. The gate's time (wait_ms) begins with the first of them, from either end. */
static void relay_gate_count(struct relay *relay)
{
    uint64_t now_ms = loop_now_ms(relay->env->loop);

    if (!relay->gate->has_bytes)
        relay->gate->first_ms = now_ms;
    relay->gate->has_bytes = true;
    relay->active_ms = now_ms;
}

/* Returns false when there is no memory, or when the thread's tunnels together already hold as much
 * as they may: both are the same to the tunnel. */
static bool relay_gate_hold(struct relay *relay, unsigned from, size_t length)
{
    const struct relay_env *env = relay_env_of(relay);

    relay_gate_count(relay);
    return env->stashed + length <= env->limits.stash_bytes &&
           stash_append(relay, from, env->buffer, length) == 0;
}

/* Reads and holds what came from one end. Returns true when there is something new to judge: a byte
 * or an end. */
static bool relay_gate_read(struct relay *relay, unsigned from)
{
    const struct half *half = &relay->halves[from];
    struct stream *source = half_source(relay, from);
    bool is_news = false;

    while (!half->is_source_ended && (source->ready & STREAM_READABLE) &&
           relay_gate_room(relay, from) > 0 && !relay->is_out_of_memory) {
        size_t room = relay_gate_room(relay, from);
        ssize_t count =
            stream_read(source, relay_env_of(relay)->buffer, room < COPY_BYTES ? room : COPY_BYTES);

        if (count == -EAGAIN)
            break;
        is_news = true;
        if (count <= 0)
            relay_source_ended(relay, from, count < 0);
        else if (!relay_gate_hold(relay, from, (size_t)count))
            relay->is_out_of_memory = true;
    }
    return is_news;
}

/* Nothing more will be shown to the gate, so it has to decide now: its time has passed, both ends
 * have ended, or one end has sent as much as the gate wants to see. */
static bool relay_gate_is_last(const struct relay *relay)
{
    const struct relay_gate *gate = relay->gate;
    uint64_t now_ms = loop_now_ms(relay->env->loop);

    if (gate->has_bytes && now_ms >= gate->first_ms + gate->ops->wait_ms)
        return true;
    if (relay->halves[RELAY_CLIENT].is_source_ended && relay->halves[RELAY_TARGET].is_source_ended)
        return true;
    return relay_gate_room(relay, RELAY_CLIENT) == 0 || relay_gate_room(relay, RELAY_TARGET) == 0;
}

/* Shows the gate all that is held of both ends. *ret_closed_by is set when the answer is
 * RELAY_GATE_END. */
static enum relay_gate_answer relay_gate_ask(struct relay *relay, enum closed_by *ret_closed_by)
{
    struct relay_gate_side sides[RELAY_ENDS];
    struct relay_gate *gate = relay->gate;
    bool is_last = relay_gate_is_last(relay);

    for (unsigned from = 0; from < RELAY_ENDS; from++) {
        const struct half *half = &relay->halves[from];

        sides[from] = (struct relay_gate_side){
            .bytes = half->stash != NULL ? half->stash->bytes : NULL,
            .length = relay_gate_held(relay, from),
            .is_ended = half->is_source_ended,
        };
    }
    enum relay_gate_answer answer = gate->ops->look(gate, sides, is_last, ret_closed_by);
    REQUIRE(answer != RELAY_GATE_MORE || !is_last);
    return answer;
}

/* Waits for more bytes from the ends that have not ended. From the first byte on only the gate's
 * own time counts, before it only the relay's timeouts. */
static void relay_gate_wait(struct relay *relay)
{
    const struct relay_gate *gate = relay->gate;
    uint64_t at_ms =
        gate->has_bytes ? gate->first_ms + gate->ops->wait_ms : relay_next_look_ms(relay);

    for (unsigned end = 0; end < RELAY_ENDS; end++)
        stream_want(relay->ends[end], relay->halves[end].is_source_ended ? 0 : STREAM_READABLE);
    deadline_set(relay->env->loop, &relay->deadline, at_ms);
}

/* Hands over to relay.c, which first writes what is held. on_passed may free the gate, so nothing
 * of it is used afterwards. */
static void relay_gate_open(struct relay *relay)
{
    struct relay_gate *gate = relay->gate;

    relay->gate = NULL;
    deadline_cancel(relay->env->loop, &relay->deadline);
    gate->on_passed(relay);
    relay_begin(relay);
}

/* The gate is asked only when there is something new; without news its answer would be the same. */
static void relay_gate_decide(struct relay *relay, bool is_news)
{
    enum relay_gate_answer answer = RELAY_GATE_MORE;
    enum closed_by closed_by;

    if (is_news)
        answer = relay_gate_ask(relay, &closed_by);
    if (answer == RELAY_GATE_PASS)
        relay_gate_open(relay);
    else if (answer == RELAY_GATE_END)
        relay_end(relay, closed_by, true, true);
    else
        relay_gate_wait(relay);
}

static void relay_gate_drive(struct relay *relay, bool is_news)
{
    for (unsigned from = 0; from < RELAY_ENDS; from++)
        is_news |= relay_gate_read(relay, from);
    if (relay->is_out_of_memory)
        relay_end(relay, CLOSED_BY_NO_MEMORY, true, true);
    else if (relay->is_reset[RELAY_CLIENT] || relay->is_reset[RELAY_TARGET])
        relay_end(relay, relay->closed_by, true, true);
    else
        relay_gate_decide(relay, is_news);
}

static void relay_gate_ready(struct stream *stream, void *self)
{
    (void)stream;
    relay_gate_drive(self, false);
}

/* The deadline serves two waits: for the gate's answer, and for the first byte of a tunnel in which
 * nothing has moved for too long. */
static void relay_gate_waited(struct deadline *deadline)
{
    struct relay *relay = container_of(deadline, struct relay, deadline);
    uint64_t now_ms = loop_now_ms(relay->env->loop);
    enum closed_by closed_by;

    relay_note_age(relay);
    if (!relay->gate->has_bytes &&
        now_ms >= relay->active_ms + relay_patience_ms(relay, &closed_by))
        relay_end(relay, closed_by, false, false);
    else
        relay_gate_drive(relay, relay_gate_is_last(relay));
}

void relay_gate_start(struct relay *relay)
{
    bool is_early = relay_gate_held(relay, RELAY_CLIENT) + relay_gate_held(relay, RELAY_TARGET) > 0;

    deadline_init(&relay->deadline, relay_gate_waited);
    for (unsigned end = 0; end < RELAY_ENDS; end++)
        stream_observe(relay->ends[end], relay_gate_ready, relay);
    if (is_early)
        relay_gate_count(relay);
    relay_gate_drive(relay, is_early);
}
