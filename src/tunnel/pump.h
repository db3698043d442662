/* A pump moves the bytes of one direction: by copying through the thread's buffer, or by splice
 * through a pipe that is lent for each move. This header declares both pumps, and what relay.c,
 * relay_gate.c and the pumps share. Private to the relay.
 *
 * Both pumps return the number of bytes moved or dropped (> 0), 0 at the source's end, -EAGAIN when
 * the source is empty or the sink is full, or the source's negative errno. When the sink fails,
 * they do not return that, but record it in the half (relay_sink_failed).
 */
#ifndef TUNNEL_PUMP_H
#define TUNNEL_PUMP_H

#include "access/limits_bandwidth.h"
#include "base/contract.h"
#include "observe/counters.h"
#include "tunnel/pipe_pool.h"
#include "tunnel/relay.h"
#include "tunnel/relay_env.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* So many full reads in a row make a direction count as bulk. With 16, 1 MB costs a fifth more CPU;
 * with 1, the slowest of several flows is delayed. */
#define PROMOTE_AFTER 2

/* So many bytes are read at once while it is not known whether a direction is bulk. */
#define COPY_BYTES (64 * 1024)
/* Where there is no pipe, bulk is copied in larger pieces: fewer calls for the same bytes. */
#define COPY_BULK_BYTES (256 * 1024)

struct stash {
    size_t offset;
    size_t length; /* from `offset` */
    char bytes[];
};

struct relay_env {
    struct loop *loop;
    struct counters *counters;
    struct log_ring *log;
    struct relay_limits limits;
    size_t stashed; /* bytes in all stashes of the thread */
    struct pipe_pool pool;
    struct deadline tick; /* closes pipes that nobody needs, while there are any */
    char *buffer;         /* COPY_BULK_BYTES: what is in it never outlives a call */
};

/* Traces a step. Contract: when tracing is on, `relay` is embedded in a tunnel. */
static inline void relay_trace(const struct relay *relay, unsigned from, const char *what)
{
    if (trace_is_wanted(relay->env->trace))
        tunnel_trace_relay(relay, from, what);
}

static inline struct relay_env *relay_env_of(const struct relay *relay)
{
    return relay->env->relays;
}

static inline struct stream *half_source(const struct relay *relay, unsigned from)
{
    return relay->ends[from];
}

static inline struct stream *half_sink(const struct relay *relay, unsigned from)
{
    return relay->ends[!from];
}

static inline bool half_is_pending(const struct half *half)
{
    return half->stash != NULL || (half->pipe != NULL && half->pipe->length > 0);
}

/* Returns roughly seconds: some lower bits of the loop's time, for times that need not be exact. */
static inline uint16_t half_clock(const struct relay *relay)
{
    return (uint16_t)(loop_now_ms(relay->env->loop) / 1024);
}

/* Returns how much of `size` may be read at once. */
static inline size_t half_read_size(const struct relay *relay, unsigned from, size_t size)
{
    if (relay->throttle == NULL || throttle_granted(relay->throttle, from) > size)
        return size;
    return throttle_granted(relay->throttle, from);
}

/* Counts `count` bytes that were passed on. */
static inline void half_count(struct relay *relay, unsigned from, size_t count)
{
    relay->halves[from].bytes += count;
    counter_add(relay->env->counters, from == RELAY_CLIENT ? COUNTER_BYTES_UP : COUNTER_BYTES_DOWN,
                count);
}

/* Records that writing to the sink of `from` failed: pending bytes are dropped, and so is what
 * still comes from the source. */
void relay_sink_failed(struct relay *relay, unsigned from, int error);

/* Records that `from` was read to its end or, when `is_reset`, to a reset. */
void relay_source_ended(struct relay *relay, unsigned from, bool is_reset);
/* Closes both ends and calls on_ended. */
void relay_end(struct relay *relay, enum closed_by closed_by, bool reset_client, bool reset_target);
/* Starts a relay that has a gate; relay_begin follows when the bytes have passed the gate. */
void relay_gate_start(struct relay *relay);
/* Lets bytes flow from now on. The relay may end from within this call. */
void relay_begin(struct relay *relay);
/* Returns for how many milliseconds the relay may be without activity in its present state;
 * *ret_closed_by is what ends it after that time. */
uint64_t relay_patience_ms(const struct relay *relay, enum closed_by *ret_closed_by);
uint64_t relay_next_look_ms(const struct relay *relay);
/* Tells the dialled end that the relay is old, once it is. */
void relay_note_age(struct relay *relay);

ssize_t pump_copy(struct relay *relay, unsigned from);
ssize_t pump_splice(struct relay *relay, unsigned from);

/* Write as many of the pending bytes as the sink takes. */
void pump_copy_flush(struct relay *relay, unsigned from);
void pump_splice_flush(struct relay *relay, unsigned from);

/* Keeps bytes for later; nothing may be kept yet. Returns 0 or -ENOMEM. */
int stash_put(struct relay *relay, unsigned from, const char *bytes, size_t length) MUST_CHECK;
/* Does the same when bytes may be kept already; the new ones go behind them. */
int stash_append(struct relay *relay, unsigned from, const char *bytes, size_t length) MUST_CHECK;
void stash_drop(struct relay *relay, unsigned from);

/* Gives the pipe back, if the direction has one; bytes inside are lost. */
void half_return_pipe(struct relay_env *env, struct half *half);
void relay_env_return_pipe(struct relay_env *env, struct pipe *pipe);

#endif
