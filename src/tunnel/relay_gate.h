/* A gate sees the first bytes of both ends before any of them is passed on. It serves to find out
 * which protocol is spoken inside a tunnel before bytes flow. Until it has decided, the bytes of
 * both ends are held (in struct relay's stashes). Then all of them go on, in order, once; or none
 * ever does.
 *
 * Held bytes count with the thread's other stashes, but are not drawn from a throttle.
 */
#ifndef TUNNEL_RELAY_GATE_H
#define TUNNEL_RELAY_GATE_H

#include "observe/access_log.h"
#include "tunnel/relay.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay_gate;

enum relay_gate_answer {
    RELAY_GATE_MORE, /* not decided yet */
    RELAY_GATE_PASS, /* it is not asked any more */
    RELAY_GATE_END,  /* the relay ends, both ends with a reset */
};

/* What an end has sent so far, from its first byte on. */
struct relay_gate_side {
    const char *bytes; /* valid during the call */
    size_t length;     /* 0: nothing yet */
    bool is_ended;     /* its FIN came behind them */
};

struct relay_gate_ops {
    /* Looks at what came: bytes or an end. With `is_last` nothing more will be shown (both ends
     * have ended, one of them has sent bytes_max, or wait_ms have passed), and the answer must not
     * be RELAY_GATE_MORE. *ret_closed_by is set and read only with RELAY_GATE_END. */
    enum relay_gate_answer (*look)(struct relay_gate *gate,
                                   const struct relay_gate_side sides[RELAY_ENDS], bool is_last,
                                   enum closed_by *ret_closed_by);
    size_t bytes_max; /* held of each end; early bytes may be more */
    uint64_t wait_ms; /* from the first byte of either end. As long as there is none, the relay's
                         timeouts count, and end it unasked, as a reset of either end does */
};

/* Embedded in its owner, who makes it for one relay. It must live until the relay's on_passed or
 * on_ended. */
struct relay_gate {
    const struct relay_gate_ops *ops;
    /* Private. */
    void (*on_passed)(struct relay *relay);
    bool has_bytes; /* one came, at first_ms */
    uint64_t first_ms;
};

#endif
