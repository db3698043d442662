/* Scenarios drawn by seed: chunks, pauses, half-closes, resets, buffer sizes, pumps, races. A third
 * of them have a gate for first bytes. Half of them are free of resets and dead ends; of those
 * every byte must arrive.
 */
#include "sim_tunnel.h"

#include <errno.h>

enum { ACTS_MAX = 24, TURNS_MAX = 6 };

static struct sim_act acts[2][ACTS_MAX];
static struct sim_scenario drawn;
static uint64_t state;

static uint64_t draw(uint64_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % limit;
}

static size_t draw_size(void)
{
    static const size_t scales[] = {10, 3000, 70000, 300000};

    return 1 + draw(scales[draw(4)]);
}

static struct sim_tcp_sizes draw_sizes(void)
{
    static const size_t sizes[] = {500, 4096, 65536, 262144};

    return (struct sim_tcp_sizes){sizes[draw(4)], sizes[draw(4)]};
}

static unsigned add(unsigned side, unsigned count, struct sim_act act)
{
    acts[side][count] = act;
    return count + 1;
}

/* Sends, pauses and bouts of deafness. The bytes that it sends are added to `*total`. */
static unsigned draw_turns(unsigned side, unsigned count, size_t *total)
{
    uint64_t turns = draw(TURNS_MAX);

    for (uint64_t i = 0; i < turns; i++) {
        struct sim_act act = {.kind = ACT_SEND, .size = draw_size()};

        switch (draw(6)) {
        case 0:
            act = (struct sim_act){.kind = ACT_WAIT, .ms = 1 + draw(3000)};
            break;
        case 1:
            count = add(side, count, (struct sim_act){.kind = ACT_STOP_READING});
            count = add(side, count, (struct sim_act){.kind = ACT_WAIT, .ms = 1 + draw(3000)});
            act = (struct sim_act){.kind = ACT_START_READING};
            break;
        case 2:
            act = (struct sim_act){.kind = ACT_SEND_PACED, .size = 1 + draw(9000), .ms = draw(300)};
            break;
        case 3:
            *total += 1;
            count = add(side, count, (struct sim_act){.kind = ACT_URGENT});
            break;
        }
        *total += act.kind == ACT_SEND || act.kind == ACT_SEND_PACED ? act.size : 0;
        count = add(side, count, act);
    }
    return count;
}

/* How a script stops: with its FIN, with the other's, or not at all. */
static unsigned draw_ending(unsigned side, unsigned count, bool is_rude)
{
    static const enum sim_act_kind rude[] = {ACT_RESET, ACT_CLOSE, ACT_AWAIT_END, ACT_SHUT};
    uint64_t choice = draw(4);

    if (is_rude)
        count = add(side, count, (struct sim_act){.kind = rude[choice]});
    else if (choice > 0)
        count = add(side, count, (struct sim_act){.kind = choice == 1 ? ACT_AWAIT_END : ACT_SHUT});
    return add(side, count, (struct sim_act){.kind = ACT_END});
}

static void draw_scripts(bool is_rude)
{
    static const char head[] = "CONNECT host.example:443 HTTP/1.1\r\nHost: x\r\n\r\n";
    struct sim_act text = {
        .kind = ACT_TEXT, .text = head, .size = draw(2) * (1 + draw(60)), .ms = draw(100)};
    unsigned count = add(SIM_CLIENT, 0, text);

    if (draw(2))
        count = add(SIM_CLIENT, count, (struct sim_act){.kind = ACT_AWAIT_ANSWER});
    count = draw_turns(SIM_CLIENT, count, &drawn.up);
    draw_ending(SIM_CLIENT, count, is_rude);
    count = draw_turns(SIM_TARGET, 0, &drawn.down);
    draw_ending(SIM_TARGET, count, is_rude);
}

static void draw_dial(bool is_rude)
{
    static const char *const texts[] = {"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"};
    static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, SIM_ROUTE_BLACKHOLE};
    unsigned good = (unsigned)draw(4);

    for (unsigned i = 0; i < 4; i++) {
        bool is_good = i == good && !(is_rude && draw(4) == 0);
        struct sim_lookup *lookup = &drawn.lookups[i / 2];

        lookup->delay_ms = draw(3) * draw(400);
        lookup->addresses[i % 2] = texts[i];
        drawn.routes[i] = (struct sim_route){
            .address = texts[i],
            .port = 443,
            .delay_ms = draw(600),
            .error = is_good || draw(3) == 0 ? 0 : errors[draw(4)],
        };
    }
    if (is_rude && draw(8) == 0)
        drawn.lookups[draw(2)] =
            (struct sim_lookup){.status = RESOLVER_NXDOMAIN, .delay_ms = draw(1000)};
}

static struct sim_gate_script draw_gate(bool is_rude)
{
    return (struct sim_gate_script){
        .bytes_max = 1 + draw(20000),
        .wait_ms = 1 + draw(3000),
        .up = draw(9000),
        .down = draw(2) * draw(3000),
        .is_denying = is_rude && draw(4) == 0,
        .is_denying_at_last = is_rude && draw(2),
    };
}

const struct sim_scenario *sim_draw_scenario(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15u;
    draw(2);
    bool is_rude = draw(2);
    drawn = (struct sim_scenario){
        .name = "soak",
        .client = acts[SIM_CLIENT],
        .target = acts[SIM_TARGET],
        .mode = (enum relay_mode)draw(3),
        .client_sizes = draw_sizes(),
        .product_sizes = draw_sizes(),
        .target_sizes = draw_sizes(),
        .pipes = 1 + (unsigned)draw(3),
        .has_no_story = is_rude,
        .status = 200,
    };
    if (is_rude && draw(4) == 0)
        drawn.drain_at_ms = 1 + draw(5000);
    draw_dial(is_rude);
    draw_scripts(is_rude);
    if (draw(3) == 0)
        drawn.gate = draw_gate(is_rude);
    return &drawn;
}
