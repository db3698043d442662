/* Each side stores its own word and then loads the other's, all sequentially consistent: the taking
 * side clears `is_woken` and then looks into the ring; the writing side fills the ring and then
 * looks at `is_woken`. So an awaited line never stays in the ring without a wake-up.
 */
#include "observe/event_feed.h"

#include "base/text.h"

/* A second of 400 refusals, when nobody is awaiting them. */
enum { RING_BYTES = 128 * 1024 };

int event_feed_init(struct event_feed *feed, void (*wake)(void *self), void *self)
{
    *feed = (struct event_feed){.wake = wake, .self = self};
    return line_ring_init(&feed->lines, RING_BYTES);
}

void event_feed_finish(struct event_feed *feed)
{
    line_ring_finish(&feed->lines);
}

void event_feed_write(struct event_feed *feed, const struct access_record *record, uint64_t wall_ms)
{
    char line[EVENT_LINE_MAX];
    struct text text;

    text_init(&text, line, sizeof(line));
    text_add_char(&text, (char)('0' + record->event));
    access_log_format(&text, LOG_FORMAT_JSON, record, wall_ms);
    line_ring_put(&feed->lines, line, text.length);
    bool is_awaited = atomic_load(&feed->awaited) & 1U << record->event;
    if (!is_awaited && line_ring_length(&feed->lines) < RING_BYTES / 2)
        return;
    if (!atomic_load(&feed->is_woken) && !atomic_exchange(&feed->is_woken, true))
        feed->wake(feed->self);
}

void event_feed_want(struct event_feed *feed, uint32_t wanted, uint32_t awaited)
{
    atomic_store(&feed->awaited, awaited);
    atomic_store(&feed->wanted, wanted);
}

size_t event_feed_take(struct event_feed *feed, char *buffer, size_t size)
{
    REQUIRE(size >= EVENT_LINE_MAX);
    atomic_store(&feed->is_woken, false);
    return line_ring_take(&feed->lines, buffer, size);
}

uint64_t event_feed_dropped(const struct event_feed *feed)
{
    return line_ring_dropped(&feed->lines);
}
