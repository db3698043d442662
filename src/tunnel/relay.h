/* A relay carries both directions of a tunnel: it passes on bytes, half-closes and resets from one
 * end to the other, and ends the tunnel when a deadline passes.
 *
 * Every byte is passed on unchanged, in order, once. FIN stays FIN (half-close is relayed), a reset
 * stays a reset and never overtakes bytes. While it is idle a relay owns no buffer and no pipe.
 */
#ifndef TUNNEL_RELAY_H
#define TUNNEL_RELAY_H

#include "base/contract.h"
#include "loop/loop.h"
#include "observe/access_log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipe;
struct relay_gate;
struct stash;
struct stream;
struct throttle;
struct tunnel_env;

enum relay_end { RELAY_CLIENT, RELAY_TARGET, RELAY_ENDS };

/* One direction; its index is that of the end it reads from. */
struct half {
    struct stash *stash; /* bytes that were read and could not be written yet; else NULL */
    struct pipe *pipe;   /* lent, with bytes that were spliced and could not be written yet */
    uint64_t bytes;      /* passed on */
    uint16_t moved_at;   /* by half_clock: when bulk was last moved */
    uint8_t full_reads;  /* in a row */
    bool is_pipe_refused;
    bool is_source_ended; /* its end or an error was read */
    bool is_sink_ended;   /* FIN was passed on, or writing failed: what still comes is dropped */
    bool is_sink_broken;  /* writing failed */
    bool is_sink_cut_off; /* ... and no FIN of that end had come: what it sent may lack the rest */
};

struct relay {
    struct tunnel_env *env;
    struct throttle *throttle; /* NULL: as fast as it can */
    struct relay_gate *gate;   /* NULL: none, or the bytes have passed it */
    struct stream *ends[RELAY_ENDS];
    struct half halves[RELAY_ENDS];
    struct deadline deadline;
    struct task again; /* the work budget of a turn was used up, or the target was held */
    void (*on_ended)(struct relay *relay, enum closed_by closed_by);
    uint64_t started_ms;
    uint64_t active_ms;    /* when a byte or an end was last seen */
    uint32_t started_turn; /* the loop's turn in which the success was written; the target is not
                              read in it */
    uint32_t reset_unacknowledged; /* when a reset that waits was last looked at */
    uint16_t reset_wait_ms;        /* 0: no reset waits to be passed on */
    uint8_t closed_by;             /* enum closed_by; CLOSED_BY_COUNT until the first end is seen */
    bool is_reset[RELAY_ENDS];     /* this end reset its connection */
    bool is_out_of_memory;
    bool is_old;     /* the dialled end was told */
    bool is_flowing; /* both ways, unhindered: wants and deadline are set for that */
};

/* What a relay starts with. */
struct relay_plan {
    struct stream *ends[RELAY_ENDS]; /* taken */
    /* What an end sent already goes to the other one before anything else; copied. Length 0: none.
     */
    struct relay_early {
        const void *bytes;
        size_t length;
    } early[RELAY_ENDS];
    struct throttle *throttle; /* NULL: as fast as it can; stays the caller's */
    /* NULL when there is no gate. Otherwise the first bytes of both ends, with the early ones, have
     * to pass it (relay_gate.h). on_passed is called when they have, maybe from within; the gate is
     * not used any more then. */
    struct relay_gate *gate;
    void (*on_passed)(struct relay *relay);
    /* Called once, maybe from within relay_start; both streams are closed by then. */
    void (*on_ended)(struct relay *relay, enum closed_by closed_by);
};

/* Starts the relay. Nothing is sent to the client in this turn, because some clients drop what
 * comes in one piece with the success. Returns 0, or -ENOMEM, and then nothing was taken. */
int relay_start(struct relay *relay, struct tunnel_env *env,
                const struct relay_plan *plan) MUST_CHECK;
/* Closes both ends now, with a reset when `is_reset`; on_ended is not called. */
void relay_stop(struct relay *relay, bool is_reset);
/* Returns the payload bytes that came from `from` and were passed on so far. */
uint64_t relay_bytes(const struct relay *relay, enum relay_end from);
/* Returns the bytes in the kernel's send queues of both ends: passed on, but not acknowledged. */
uint64_t relay_unacknowledged(const struct relay *relay);

#endif
