/* One gate, for the one tunnel of a run. It looks at the actors as well: what they have received so
 * far tells whether a byte has gone past it.
 */
#include "sim_gate.h"

#include "sim_script.h"
#include "tunnel/opening.h"
#include "tunnel/relay_gate.h"
#include "tunnel/tunnel_state.h"

#include <string.h>

static struct sim_gate {
    struct relay_gate gate;
    struct relay_gate_ops ops;
    const struct sim_gate_script *script;
    const struct sim_actor *actors[RELAY_ENDS];
    struct tunnel *tunnel; /* NULL: none has come */
    size_t seen[RELAY_ENDS];
    bool has_ended[RELAY_ENDS];
    bool is_decided, is_open;
    const char *problem;
} sim_gate;

static void sim_gate_expect(bool is_well, const char *problem)
{
    if (!is_well && sim_gate.problem == NULL)
        sim_gate.problem = problem;
}

static bool sim_gate_check_side(const struct relay_gate_side *side, unsigned from)
{
    size_t seen = sim_gate.seen[from];
    bool is_news = side->length > seen || (side->is_ended && !sim_gate.has_ended[from]);

    sim_gate_expect(side->length >= seen, "the gate is shown fewer bytes than before");
    sim_gate_expect(side->is_ended || !sim_gate.has_ended[from], "an end is taken back");
    sim_gate_expect(side->length <= sim_gate.ops.bytes_max || seen == 0, "too many bytes are held");
    for (size_t i = 0; i < side->length; i++)
        sim_gate_expect((unsigned char)side->bytes[i] == *sim_pattern((enum sim_side)from, i),
                        "the gate is shown a wrong byte");
    sim_gate_expect(sim_gate.actors[from]->received == 0, "a byte has gone past the gate");
    sim_gate.seen[from] = side->length;
    sim_gate.has_ended[from] = side->is_ended;
    return is_news;
}

static enum relay_gate_answer sim_gate_look(struct relay_gate *gate,
                                            const struct relay_gate_side sides[RELAY_ENDS],
                                            bool is_last, enum closed_by *ret_closed_by)
{
    const struct sim_gate_script *script = sim_gate.script;
    bool is_complete =
        sides[RELAY_CLIENT].length >= script->up && sides[RELAY_TARGET].length >= script->down;
    bool is_news = false;

    for (unsigned from = 0; from < RELAY_ENDS; from++)
        is_news |= sim_gate_check_side(&sides[from], from);
    sim_gate_expect(gate == &sim_gate.gate, "another gate is asked");
    sim_gate_expect(!sim_gate.is_decided, "the gate is asked again");
    sim_gate_expect(is_news || is_last, "the gate is asked for nothing");
    sim_gate_expect(sim_gate.tunnel->opening != NULL, "what the gate needs is gone");
    if (!is_complete && !is_last)
        return RELAY_GATE_MORE;
    sim_gate.is_decided = true;
    sim_gate.is_open = !script->is_denying && (is_complete || !script->is_denying_at_last);
    if (!sim_gate.is_open)
        *ret_closed_by = CLOSED_BY_KILLED;
    return sim_gate.is_open ? RELAY_GATE_PASS : RELAY_GATE_END;
}

/* tunnel/opening.h */
void __real_opening_hand_over(struct tunnel *tunnel, struct relay_plan *plan);
void __wrap_opening_hand_over(struct tunnel *tunnel, struct relay_plan *plan);
void __wrap_opening_hand_over(struct tunnel *tunnel, struct relay_plan *plan)
{
    __real_opening_hand_over(tunnel, plan);
    if (sim_gate.script->bytes_max == 0)
        return;
    sim_gate.tunnel = tunnel;
    plan->gate = &sim_gate.gate;
}

void sim_gate_use(const struct sim_gate_script *script, const struct sim_actor *client,
                  const struct sim_actor *target)
{
    sim_gate = (struct sim_gate){
        .gate = {.ops = &sim_gate.ops},
        .ops = {.look = sim_gate_look, .bytes_max = script->bytes_max, .wait_ms = script->wait_ms},
        .script = script,
        .actors = {client, target},
    };
}

const char *sim_gate_problem(void)
{
    return sim_gate.problem;
}

bool sim_gate_is_shut(void)
{
    return sim_gate.script->bytes_max > 0 && !sim_gate.is_open;
}

/* ---- scenarios ---- */

#define GATE(...) .gate = {.bytes_max = 4096, .wait_ms = 3000, __VA_ARGS__}
#define BOTH_RESET .client_ending = ENDS_WITH_RESET, .target_ending = ENDS_WITH_RESET

static const struct sim_scenario scenarios[] = {
    {
        .name = "gate-passes-early-bytes",
        .client = ACTS(TEXT(HEAD), SEND(700), ANSWER, SEND(100), SHUT),
        .target = ACTS(SEND(300)),
        GATE(.up = 1),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 800,
        .down = 300,
        BOTH_EOF,
        .closed_by = "closed_by=client_eof",
    },
    {
        .name = "gate-waits-for-a-hello-in-pieces",
        .client = ACTS(TEXT(HEAD), ANSWER, PACED(3000, 100), SEND(KIB(100)), SHUT),
        .target = ACTS(AWAIT_BYTES(1), SEND(KIB(100))),
        GATE(.up = 2500),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 3000 + KIB(100),
        .down = KIB(100),
        BOTH_EOF,
        .not_before_ms = 200,
    },
    {
        .name = "gate-holds-early-bytes-and-more",
        .client = ACTS(TEXT(HEAD), SEND(700), ANSWER, WAIT(100), SEND(700), SHUT),
        .target = ACTS(AWAIT_BYTES(1400), SEND(300)),
        GATE(.up = 1000),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 1400,
        .down = 300,
        BOTH_EOF,
    },
    {
        .name = "gate-sees-the-target-speak-first",
        .client = ACTS(TEXT(HEAD), AWAIT_BYTES(400), SEND(100), SHUT),
        .target = ACTS(SEND(400), END, SEND(50)),
        GATE(.down = 400),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 100,
        .down = 450,
        BOTH_EOF,
        .closed_by = "closed_by=client_eof",
    },
    {
        .name = "gate-wants-both-ends",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(500), AWAIT_BYTES(500), SEND(100), SHUT),
        .target = ACTS(WAIT(50), SEND(500)),
        GATE(.up = 500, .down = 500),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 600,
        .down = 500,
        BOTH_EOF,
    },
    {
        .name = "gate-splices-behind-it",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(KIB(600)), SHUT),
        .target = ACTS(END),
        GATE(.up = 100),
        LARGE,
        .mode = RELAY_SPLICE,
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = KIB(600),
        BOTH_EOF,
        .pipes_made = 1,
    },
    {
        .name = "gate-is-full",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(KIB(50)), SHUT),
        .target = ACTS(END, SEND(100)),
        GATE(.up = KIB(50)),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = KIB(50),
        .down = 100,
        BOTH_EOF,
        .not_after_ms = 1000,
        .memory_peak = 128 << 10,
    },
    {
        .name = "gate-passes-when-its-time-is-over",
        .client = ACTS(TEXT(HEAD), ANSWER, WAIT(5000), SEND(10), AWAIT_BYTES(300), SHUT),
        .target = ACTS(AWAIT_BYTES(10), SEND(300)),
        GATE(.up = 500),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 10,
        .down = 300,
        BOTH_EOF,
        .not_before_ms = 8000,
        .not_after_ms = 8100,
    },
    {
        .name = "gate-waits-longer-than-the-relay-would",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(10), AWAIT_BYTES(300), SHUT),
        .target = ACTS(AWAIT_BYTES(10), SEND(300)),
        /* stuck_ms is 900,000 here */
        .gate = {.up = 500, .bytes_max = 4096, .wait_ms = 1000000},
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 10,
        .down = 300,
        BOTH_EOF,
        .not_before_ms = 1000000,
        .not_after_ms = 1000100,
    },
    {
        .name = "gate-is-idle-behind-it",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(100), WAIT(20000), SHUT),
        .target = ACTS(END),
        GATE(.up = 100),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 100,
        BOTH_EOF,
        .look_at_ms = 10000,
    },
    /* ---- ends ---- */
    {
        .name = "gate-fin-before-it-decides",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(100), SHUT),
        .target = ACTS(END, SEND(300)),
        GATE(.up = 200),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 100,
        .down = 300,
        BOTH_EOF,
        .closed_by = "closed_by=client_eof",
        .not_before_ms = 3000,
    },
    {
        .name = "gate-both-ends-have-ended",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(100), SHUT),
        .target = ACTS(SEND(50), WAIT(200), SHUT),
        GATE(.up = 200),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .up = 100,
        .down = 50,
        BOTH_EOF,
        .closed_by = "closed_by=client_eof",
        .not_after_ms = 1000,
    },
    {
        .name = "gate-sees-no-byte",
        .client = ACTS(TEXT(HEAD), ANSWER),
        .target = ACTS(WAIT(1)),
        GATE(.up = 1),
        ONLY_V4,
        DIRECT,
        .status = 200,
        BOTH_EOF,
        .closed_by = "closed_by=idle_timeout",
        .not_before_ms = 3600000,
        .not_after_ms = 3601000,
    },
    {
        .name = "gate-sees-nothing-but-a-fin",
        .client = ACTS(TEXT(HEAD), ANSWER, SHUT),
        .target = ACTS(WAIT(1)),
        GATE(.up = 1),
        ONLY_V4,
        DIRECT,
        .status = 200,
        BOTH_EOF,
        .closed_by = "closed_by=half_closed_timeout",
        .not_before_ms = 60000,
        .not_after_ms = 61000,
    },
    {
        .name = "gate-client-resets",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(100), WAIT(100), RESET),
        .target = ACTS(WAIT(1)),
        GATE(.up = 200),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .target_ending = ENDS_WITH_RESET,
        .closed_by = "closed_by=client_reset",
        .not_after_ms = 1000,
    },
    {
        .name = "gate-target-resets",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(100)),
        .target = ACTS(SEND(50), WAIT(100), RESET),
        GATE(.up = 200),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .client_ending = ENDS_WITH_RESET,
        .closed_by = "closed_by=target_reset",
        .not_after_ms = 1000,
    },
    {
        .name = "gate-is-drained",
        .client = ACTS(TEXT(HEAD), ANSWER, WAIT(35000), SEND(100)),
        .target = ACTS(WAIT(1)),
        GATE(.up = 200),
        ONLY_V4,
        DIRECT,
        .status = 200,
        .drain_at_ms = 100,
        .closed_by = "closed_by=drained",
        .not_before_ms = 30000,
        .not_after_ms = 31000,
    },
    /* ---- refusals ---- */
    {
        .name = "gate-denies",
        .client = ACTS(TEXT(HEAD), ANSWER, PACED(2000, 100)),
        .target = ACTS(SEND(300)),
        GATE(.up = 1500, .is_denying = true),
        ONLY_V4,
        DIRECT,
        .status = 200,
        BOTH_RESET,
        .closed_by = "closed_by=killed",
    },
    {
        .name = "gate-denies-early-bytes",
        .client = ACTS(TEXT(HEAD), SEND(100)),
        .target = ACTS(SEND(300)),
        GATE(.up = 100, .is_denying = true),
        ONLY_V4,
        DIRECT,
        .status = 0,
        .has_no_story = true, /* the reset may destroy the success, which is in the same turn */
        .target_ending = ENDS_WITH_RESET,
    },
    {
        .name = "gate-denies-what-it-can't-tell",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(100)),
        .target = ACTS(WAIT(1)),
        GATE(.up = 200, .is_denying_at_last = true),
        ONLY_V4,
        DIRECT,
        .status = 200,
        BOTH_RESET,
        .closed_by = "closed_by=killed",
        .not_before_ms = 3000,
        .not_after_ms = 3100,
    },
    {
        .name = "gate-lacks-memory",
        .client = ACTS(TEXT(HEAD), ANSWER, SEND(2000)),
        .target = ACTS(WAIT(1)),
        GATE(.up = 3000),
        .stash_bytes = 1000,
        ONLY_V4,
        DIRECT,
        .status = 200,
        BOTH_RESET,
        .closed_by = "closed_by=no_memory",
    },
};

const struct sim_scenario *sim_gates(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(scenarios);
    return scenarios;
}
