/* Events of a thread for whoever looks on: JSON lines that go from the thread that carries tunnels
 * to one that shows them.
 *
 * While an event is not wanted it costs a look at one word. What finds no room is dropped and
 * counted. The other side is woken for what is awaited, or when half of the room is taken; once,
 * until it takes.
 */
#ifndef OBSERVE_EVENT_FEED_H
#define OBSERVE_EVENT_FEED_H

#include "base/contract.h"
#include "observe/access_log.h"
#include "observe/line_ring.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Members are private. */
struct event_feed {
    struct line_ring lines;  /* the first byte of each says which event it is */
    _Atomic uint32_t wanted; /* a bit (1 << enum access_event) an event */
    _Atomic uint32_t awaited;
    _Atomic bool is_woken;
    void (*wake)(void *self);
    void *self;
};

/* Longest first: the event's byte, the line, a newline. */
#define EVENT_LINE_MAX (LOG_LINE_MAX + 1)

/* `wake` is called on the thread that writes. 0 or -ENOMEM. */
int event_feed_init(struct event_feed *feed, void (*wake)(void *self), void *self) MUST_CHECK;
/* Harmless on one that is all zero. */
void event_feed_finish(struct event_feed *feed);

/* ---- the writing thread */

static inline bool event_feed_wants(const struct event_feed *feed, enum access_event event)
{
    return atomic_load_explicit(&feed->wanted, memory_order_relaxed) & 1U << event;
}

/* In JSON, as in the log. */
void event_feed_write(struct event_feed *feed, const struct access_record *record,
                      uint64_t wall_ms);

/* ---- the other side */

/* From now on, nearly. Bits (1 << enum access_event). */
void event_feed_want(struct event_feed *feed, uint32_t wanted, uint32_t awaited);
/* As line_ring_take: lines of `enum access_event` + '0', the JSON, a newline. `size` is at least
 * EVENT_LINE_MAX. */
size_t event_feed_take(struct event_feed *feed, char *buffer, size_t size);
uint64_t event_feed_dropped(const struct event_feed *feed); /* for anybody */

#endif
