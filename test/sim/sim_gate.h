/* A gate for first bytes (tunnel/relay_gate.h), which the simulation puts into every plan of a
 * relay that a scenario wants one for: opening_hand_over is wrapped. It watches the gate's
 * contract, and that nothing passes before it has decided.
 */
#ifndef SIM_SIM_GATE_H
#define SIM_SIM_GATE_H

#include "sim_actor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_gate_script {
    size_t bytes_max; /* 0: there is no gate */
    uint64_t wait_ms;
    size_t up, down; /* that it wants to see before it decides */
    bool is_denying; /* then it ends the relay; else, and at the last look, it lets them pass */
    bool is_denying_at_last; /* only what is not complete at the last look */
};

void sim_gate_use(const struct sim_gate_script *script, const struct sim_actor *client,
                  const struct sim_actor *target);
/* A broken contract, or NULL. */
const char *sim_gate_problem(void);
/* Nothing may have reached either end: it has not let anything pass, or it never began. */
bool sim_gate_is_shut(void);

#endif
