/* What a thread's tunnels do, step by step, for whoever looks on: JSON lines that go from the
 * thread that carries tunnels to one that shows them.
 *
 * While nobody traces, a step costs a look at one word. What finds no room is dropped and counted.
 */
#ifndef OBSERVE_TRACE_H
#define OBSERVE_TRACE_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "observe/line_ring.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Members are private. */
struct trace {
    struct line_ring lines;
    _Atomic bool is_wanted;
    _Atomic bool is_woken;
    void (*wake)(void *self);
    void *self;
};

/* About 500 steps: fifty tunnels that come at once. A buffer of that size takes all there is. */
#define TRACE_RING_BYTES (128 * 1024)
/* Longest first: the line, a newline. */
#define TRACE_LINE_MAX 2048
/* Of `what`; the rest is cut. */
#define TRACE_WHAT_MAX 256

struct trace_step {
    uint64_t id;
    struct ip_endpoint client;
    const char *target; /* as asked for: outside bytes */
    size_t target_length;
    const char *what; /* for a person; escaped as outside bytes are */
};

/* `wake` is called on the thread that writes. 0 or -ENOMEM. */
int trace_init(struct trace *trace, void (*wake)(void *self), void *self) MUST_CHECK;
/* Harmless on one that is all zero. */
void trace_finish(struct trace *trace);

/* ---- the writing thread */

static inline bool trace_is_wanted(const struct trace *trace)
{
    return atomic_load_explicit(&trace->is_wanted, memory_order_relaxed);
}

COLD void trace_write(struct trace *trace, const struct trace_step *step);

/* ---- the other side */

/* From now on, nearly. */
void trace_want(struct trace *trace, bool is_wanted);
/* As line_ring_take. `size` is at least TRACE_LINE_MAX. */
size_t trace_take(struct trace *trace, char *buffer, size_t size);
uint64_t trace_dropped(const struct trace *trace); /* for anybody */

#endif
