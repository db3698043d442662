/* A producer copies a whole line with its newline into the ring and then publishes it by moving
 * `head`; only the other side moves `tail`. So a ring always holds whole lines, and no side ever
 * waits for the other.
 *
 * A producer that finds the ring empty begins at its first byte again, so that a ring which is
 * emptied often uses only the same few pages. The consumer reads `origin` after a new `head`, and
 * the ring is not empty until the consumer has moved `tail` there, so `origin` never changes while
 * the consumer uses it.
 */
#include "observe/line_ring.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int line_ring_init(struct line_ring *ring, size_t size)
{
    REQUIRE(size > 0 && (size & (size - 1)) == 0);
    *ring = (struct line_ring){.size = size, .bytes = malloc(size)};
    return ring->bytes != NULL ? 0 : -ENOMEM;
}

void line_ring_finish(struct line_ring *ring)
{
    free(ring->bytes);
    ring->bytes = NULL;
}

static size_t place_of(const struct line_ring *ring, size_t position)
{
    size_t origin = atomic_load_explicit(&ring->origin, memory_order_relaxed);

    return (position - origin) & (ring->size - 1);
}

/* Copies the line and its newline into the ring, around its end if need be. */
static void copy_in(struct line_ring *ring, size_t position, const char *bytes, size_t length)
{
    size_t start = place_of(ring, position);
    size_t first = length < ring->size - start ? length : ring->size - start;

    /* This is not memcpy, because gcc turns that into `rep movsq`, whose start takes longer than
     * copying a line. */
    memmove(ring->bytes + start, bytes, first);
    if (first < length)
        memmove(ring->bytes, bytes + first, length - first);
    ring->bytes[(start + length) & (ring->size - 1)] = '\n';
}

bool line_ring_put(struct line_ring *ring, const char *line, size_t length)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    if (ring->size - (head - tail) < length + 1) {
        uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
        atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
        return false;
    }
    if (head == tail)
        atomic_store_explicit(&ring->origin, head, memory_order_relaxed);
    copy_in(ring, head, line, length);
    atomic_store(&ring->head, head + length + 1);
    return true;
}

size_t line_ring_take(struct line_ring *ring, char *buffer, size_t size)
{
    /* Sequentially consistent, not only acquire: a consumer that has announced its sleep must not
     * miss a line that was put before. */
    size_t head = atomic_load(&ring->head);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t length = head - tail < size ? head - tail : size;
    size_t start = place_of(ring, tail);
    size_t first = length < ring->size - start ? length : ring->size - start;

    memcpy(buffer, ring->bytes + start, first);
    memcpy(buffer + first, ring->bytes, length - first);
    length = text_whole_lines(buffer, length);
    atomic_store_explicit(&ring->tail, tail + length, memory_order_release);
    return length;
}

size_t line_ring_length(const struct line_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_relaxed) -
           atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

bool line_ring_is_empty(struct line_ring *ring)
{
    return atomic_load(&ring->head) == atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

uint64_t line_ring_dropped(const struct line_ring *ring)
{
    return atomic_load_explicit(&ring->dropped, memory_order_relaxed);
}
