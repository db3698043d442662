/* The two sides meet as those of an event feed do (observe/event_feed.c): each stores, and then
 * loads the other's word, so no line lies there unseen.
 */
#include "observe/trace.h"

#include "observe/line.h"
#include "observe/log.h"
#include "observe/logfmt.h"
#include "system/clock.h"

enum { TRACE_TARGET_MAX = 512 };

static_assert(LOGFMT_TIME_SIZE + SHORT_ID_MAX + IP_ENDPOINT_TEXT_SIZE + TRACE_TARGET_MAX +
                      TRACE_WHAT_MAX + 5 * LINE_FIELD_MAX + LINE_PIECE_SIZE <
                  TRACE_LINE_MAX,
              "a line has room");
static_assert(TRACE_LINE_MAX <= LINE_SIZE, "and is made there");

static const struct line_piece trace_time = LINE_TEXT("time");
static const struct line_piece trace_id = LINE_TEXT("id");
static const struct line_piece trace_client = LINE_TEXT("client");
static const struct line_piece trace_target = LINE_TEXT("target");
static const struct line_piece trace_what = LINE_TEXT("what");

int trace_init(struct trace *trace, void (*wake)(void *self), void *self)
{
    *trace = (struct trace){.wake = wake, .self = self};
    return line_ring_init(&trace->lines, TRACE_RING_BYTES);
}

void trace_finish(struct trace *trace)
{
    line_ring_finish(&trace->lines);
}

void trace_write(struct trace *trace, const struct trace_step *step)
{
    struct logfmt_date date = {0};
    char bytes[LINE_SIZE];
    struct line line;
    const char *start;

    line_begin(&line, bytes, LOG_FORMAT_JSON);
    line_add_time(&line, &trace_time, &date, clock_wall_ms());
    line_add_id(&line, &trace_id, step->id);
    line_add_endpoint(&line, &trace_client, &step->client);
    line_add_bytes(&line, &trace_target, step->target, step->target_length, TRACE_TARGET_MAX);
    line_add_text(&line, &trace_what, step->what, TRACE_WHAT_MAX);
    size_t length = line_end(&line, &start);
    line_ring_put(&trace->lines, start, length);
    if (!atomic_load(&trace->is_woken) && !atomic_exchange(&trace->is_woken, true))
        trace->wake(trace->self);
}

void trace_want(struct trace *trace, bool is_wanted)
{
    atomic_store(&trace->is_wanted, is_wanted);
}

size_t trace_take(struct trace *trace, char *buffer, size_t size)
{
    REQUIRE(size >= TRACE_LINE_MAX);
    atomic_store(&trace->is_woken, false);
    return line_ring_take(&trace->lines, buffer, size);
}

uint64_t trace_dropped(const struct trace *trace)
{
    return line_ring_dropped(&trace->lines);
}
