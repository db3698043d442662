/* Carries whole lines from one thread to another, through bounded memory, without a lock.
 *
 * One thread puts, one takes; a line that finds no room is dropped and counted. The ring wakes
 * nobody: a consumer that sleeps has to arrange that the producer wakes it. Putting is sequentially
 * consistent, so the producer may check afterwards whether the consumer sleeps.
 */
#ifndef OBSERVE_LINE_RING_H
#define OBSERVE_LINE_RING_H

#include "base/contract.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_RING_ALIGNMENT 64 /* a cache line: the two sides do not disturb each other */

/* Members are private. */
struct line_ring {
    _Alignas(LINE_RING_ALIGNMENT) _Atomic size_t head; /* bytes ever put */
    _Atomic size_t origin;                             /* of those, what lies at bytes[0] */
    char *bytes;
    size_t size;
    _Atomic uint64_t dropped;
    _Alignas(LINE_RING_ALIGNMENT) _Atomic size_t tail; /* bytes ever taken */
};

/* `size` is a power of two. Returns 0 or -ENOMEM. */
int line_ring_init(struct line_ring *ring, size_t size) MUST_CHECK;
/* Harmless on a ring that is all zero. */
void line_ring_finish(struct line_ring *ring);

/* Puts a line, which is given without its newline. Returns false when there was no room. */
bool line_ring_put(struct line_ring *ring, const char *line, size_t length);
/* Moves as many whole lines, with their newlines, as there are and fit. Returns the number of
 * bytes. Contract: the longest line fits into the buffer. */
size_t line_ring_take(struct line_ring *ring, char *buffer, size_t size);
size_t line_ring_length(const struct line_ring *ring); /* bytes, for the putting side */
/* Only for the thread that takes. */
bool line_ring_is_empty(struct line_ring *ring);
uint64_t line_ring_dropped(const struct line_ring *ring); /* for anybody */

#endif
