/* The log: one ring of lines per producing thread, one writer thread (log_writer.c), one sink.
 * Nobody takes a lock to write a line.
 *
 * Here are the producers' side, and how the log begins and ends. A producer puts a line into its
 * ring or, if that is full, drops and counts it; a notice is held back when its topic has just
 * spoken.
 *
 * squid's format has room for nothing but requests, so with it notices and the count of what was
 * dropped go to stderr as well: by way of a small ring of their own, and only as that takes them.
 *
 * The surprise: a writer that hangs in write() although it polls before (somebody else filled the
 * pipe after the poll) can't be stopped. log_finish gives up on it and log_destroy then leaves the
 * memory to it; the process is about to end anyway.
 */
#include "observe/log.h"

#include "base/text.h"
#include "observe/line.h"
#include "observe/log_private.h"
#include "observe/log_writer.h"
#include "observe/logfmt.h"
#include "system/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NOTICES_SIZE = 16384,
    STYLE_SHIFT = 8,
    STYLE_EVENTS_MASK = 0xffffff,
};

static const struct line_piece name_time = LINE_TEXT("time");
static const struct line_piece name_level = LINE_TEXT("level");
static const struct line_piece name_message = LINE_TEXT("message");
static const struct line_piece name_held_back = LINE_NUMBER("held_back");

/* ---- producers ---- */

void log_write(struct log_ring *ring, const char *line, size_t length)
{
    if (length > LOG_LINE_MAX - 1)
        length = LOG_LINE_MAX - 1;
    if (line_ring_put(&ring->lines, line, length))
        log_writer_wake(ring->log);
}

void log_put_notice(struct log *log, const char *line, size_t length)
{
    pthread_mutex_lock(&log->notices_lock);
    line_ring_put(&log->notices, line, length);
    pthread_mutex_unlock(&log->notices_lock);
    log_writer_wake(log);
}

/* Returns true when the line may be written, which then says that `*ret_held_back` lines were not;
 * or false when it is to be held back. */
static bool topic_may_speak(struct topic *topic, uint64_t *ret_held_back)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t next = atomic_load(&topic->next_ms);
    if (now < next ||
        !atomic_compare_exchange_strong(&topic->next_ms, &next, now + LOG_TOPIC_PAUSE_MS)) {
        atomic_fetch_add(&topic->held_back, 1);
        return false;
    }
    *ret_held_back = atomic_exchange(&topic->held_back, 0);
    return true;
}

enum { LEVEL_LIMIT = 16 };

void log_add_message(struct text *out, enum log_format format, const char *level,
                     const char *message, const struct line_piece *counted, uint64_t count)
{
    struct logfmt_date date = {0};
    char bytes[LINE_SIZE];
    struct line line;
    const char *start;

    line_begin(&line, bytes, format);
    line_add_time(&line, &name_time, &date, clock_wall_ms());
    line_add_text(&line, &name_level, level, LEVEL_LIMIT);
    line_add_text(&line, &name_message, message, LOG_MESSAGE_LIMIT);
    if (count != 0)
        line_add_number(&line, counted, count);
    size_t length = line_end(&line, &start);
    text_add_bytes(out, start, length);
}

void log_notice(struct log_ring *ring, enum log_topic topic, const char *format, ...)
{
    char message[LOG_LINE_MAX / 2];
    char line[LOG_LINE_MAX];
    uint64_t held_back = 0;
    struct text text;
    va_list arguments;

    REQUIRE((unsigned)topic < LOG_TOPIC_COUNT);
    if (topic != LOG_TOPIC_GENERAL && !topic_may_speak(&ring->log->topics[topic], &held_back))
        return;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    text_init(&text, line, sizeof line);
    struct log_style style = log_style(ring);
    log_add_message(&text, style.format, "notice", message, &name_held_back, held_back);
    if (style.format == LOG_FORMAT_SQUID)
        log_put_notice(ring->log, line, text.length);
    else
        log_write(ring, line, text.length);
}

uint64_t log_dropped(const struct log *log)
{
    uint64_t sum = atomic_load_explicit(&log->left_over, memory_order_relaxed);
    for (size_t i = 0; i < log->ring_count; i++)
        sum += line_ring_dropped(&log->rings[i].lines);
    return sum;
}

/* ---- life ---- */

static int rings_create(struct log *log, size_t ring_count, size_t ring_size)
{
    log->rings = aligned_alloc(LINE_RING_ALIGNMENT, ring_count * sizeof *log->rings);
    if (log->rings == NULL)
        return -ENOMEM;
    memset(log->rings, 0, ring_count * sizeof *log->rings);
    for (; log->ring_count < ring_count; log->ring_count++) {
        struct log_ring *ring = &log->rings[log->ring_count];
        ring->log = log;
        int error = line_ring_init(&ring->lines, ring_size);
        if (error < 0)
            return error;
    }
    return 0;
}

static void log_free(struct log *log)
{
    log_writer_take_sink(log);
    if (log->owns_sink)
        close(log->sink_fd);
    for (size_t i = 0; i < log->ring_count; i++)
        line_ring_finish(&log->rings[i].lines);
    free(log->rings);
    line_ring_finish(&log->notices);
    pthread_mutex_destroy(&log->notices_lock);
    free(log->batch);
    free(log);
}

int log_create(int sink_fd, size_t ring_count, size_t ring_size, struct log **ret_log)
{
    REQUIRE(ring_count >= 1);
    REQUIRE(ring_size >= LOG_LINE_MAX && (ring_size & (ring_size - 1)) == 0);
    struct log *log = aligned_alloc(_Alignof(struct log), sizeof *log);
    if (log == NULL)
        return -ENOMEM;
    memset(log, 0, sizeof *log);
    log->sink_fd = sink_fd;
    log->notice_fd = sink_fd;
    pthread_mutex_init(&log->notices_lock, NULL);
    log->next_sink_fd = LOG_NO_SINK;
    log->style = (uint32_t)STYLE_EVENTS_MASK << STYLE_SHIFT;
    log->chunk_max = log_writer_chunk_max(sink_fd);
    log->batch = malloc(LOG_BATCH_SIZE);
    if (log->batch == NULL || line_ring_init(&log->notices, NOTICES_SIZE) < 0 ||
        rings_create(log, ring_count, ring_size) != 0) {
        log_free(log);
        return -ENOMEM;
    }
    *ret_log = log;
    return 0;
}

int log_start(struct log *log)
{
    REQUIRE(!log->is_started);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error == 0) {
        error = pthread_create(&log->writer, NULL, log_writer_run, log);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (error == 0) {
        log->is_started = true;
        (void)pthread_setname_np(log->writer, "adit-log");
    }
    return -error;
}

void log_set_sink(struct log *log, int sink_fd, const char *name)
{
    struct text text;

    pthread_mutex_lock(&log->notices_lock);
    text_init(&text, log->sink_name, sizeof log->sink_name);
    text_add(&text, name);
    pthread_mutex_unlock(&log->notices_lock);
    int untaken = atomic_exchange(&log->next_sink_fd, sink_fd);

    if (untaken != LOG_NO_SINK)
        close(untaken);
    log_writer_wake(log);
}

void log_set_style(struct log *log, const struct log_style *style)
{
    uint32_t events = style->events & STYLE_EVENTS_MASK;

    atomic_store(&log->style, events << STYLE_SHIFT | (uint32_t)style->format);
}

struct log_style log_style(const struct log_ring *ring)
{
    uint32_t style = atomic_load_explicit(&ring->log->style, memory_order_relaxed);

    return (struct log_style){
        .format = (enum log_format)(style & ((1U << STYLE_SHIFT) - 1)),
        .events = style >> STYLE_SHIFT,
    };
}

struct logfmt_date *log_date(struct log_ring *ring)
{
    return &ring->date;
}

void log_finish(struct log *log, uint64_t patience_ms)
{
    atomic_store(&log->give_up_ms, clock_monotonic_ms() + patience_ms);
    atomic_store(&log->is_finishing, 1);
    if (log->is_started)
        log_writer_join(log, patience_ms);
    else if (!log->is_abandoned)
        (void)log_writer_run(log); /* never started: this thread does it */
}

void log_destroy(struct log *log)
{
    if (log == NULL)
        return;
    REQUIRE(!log->is_started);
    if (!log->is_abandoned)
        log_free(log);
}

struct log_ring *log_ring_at(struct log *log, size_t index)
{
    REQUIRE(index < log->ring_count);
    return &log->rings[index];
}
