/* The log: a ring of lines a producing thread, one writer thread, one sink. Nobody takes a lock.
 *
 * The writer goes round: collect whole lines from all rings into its batch, write the batch, nap
 * for BATCH_PAUSE_MS, again; when it found nothing for LOG_LINGER_MS it goes to sleep on
 * `is_asleep`, a futex. A producer that sees it asleep wakes it: the first line after a pause costs
 * a system call, at a steady rate none does. (Both sides store, then load the other's word, all
 * sequentially consistent: a line can't be published unseen between the writer's last look and its
 * sleep.)
 *
 * The sink may hang, fail, and heal. It may be a stderr that was inherited and is shared, so its
 * flags are not touched: the writer polls before it writes, and to anything but a regular file it
 * writes at most PIPE_BUF bytes of whole lines at once, which a pipe that polls writable takes
 * without blocking and never tears. What could not be written stays in the batch and is tried
 * again; meanwhile the rings fill up, producers drop and count, and the writer tells how many as
 * soon as it can write again.
 *
 * A sink that fails, or takes nothing for STALL_MS, can't say so itself: that goes to the sink that
 * the log began with, which is stderr, unless it is the same file. So does what is lost at the end.
 *
 * squid's format has room for nothing but requests, so with it notices and the count of what was
 * dropped go to stderr as well: by way of a small ring of their own, and only as that takes them.
 *
 * The surprise: a writer that hangs in write() in spite of all that (somebody else filled the pipe
 * after the poll) can't be stopped. log_finish gives up on it and log_destroy then leaves the
 * memory to it; the process is about to end anyway.
 */
#include "observe/log.h"

#include "base/text.h"
#include "observe/line.h"
#include "observe/line_ring.h"
#include "observe/logfmt.h"
#include "system/clock.h"
#include "system/file_identity.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH_SIZE = 65536,
    BATCH_PAUSE_MS = 5,   /* half of the 10 ms within which a line shall stand in the sink */
    LOG_LINGER_MS = 250,  /* without a line before the writer goes to sleep */
    RETRY_PAUSE_MS = 100, /* after an error of the sink */
    POLL_SLICE_MS = 100,  /* how often a writer at a hanging sink looks whether it shall end */
    JOIN_GRACE_MS = 300,  /* beyond the patience: over two slices */
    TOPIC_PAUSE_MS = 5000,
    STALL_MS = 5000, /* before a sink that takes nothing is told of */
    NOTICES_SIZE = 16384,
    SINK_NAME_SIZE = 512,
    NO_SINK = -1,
    STYLE_SHIFT = 8,
    STYLE_EVENTS_MASK = 0xffffff,
};

struct log_ring {
    struct line_ring lines;
    struct log *log;
    struct logfmt_date date; /* the producer's */
};

struct topic {
    _Atomic uint64_t next_ms; /* no line before */
    _Atomic uint64_t held_back;
};

struct log {
    _Atomic int next_sink_fd; /* NO_SINK: none; else the writer takes it */
    _Atomic uint32_t style;   /* events << STYLE_SHIFT | format */
    size_t ring_count;
    struct log_ring *rings;
    struct topic topics[LOG_TOPIC_COUNT];
    pthread_mutex_t notices_lock;   /* of those who put, and of `sink_name` */
    struct line_ring notices;       /* that the format, or the sink, has no place for */
    char sink_name[SINK_NAME_SIZE]; /* of the sink that comes next, or is there */
    int notice_fd;
    _Atomic uint32_t is_asleep;    /* futex: the writer waits for a line */
    _Atomic uint32_t is_finishing; /* futex: naps end early */
    _Atomic uint32_t is_done;      /* futex: the writer touches nothing any more but this word */
    _Atomic uint64_t give_up_ms;   /* valid once is_finishing */
    _Atomic uint64_t left_over;    /* lines that could not be written at the end */
    bool is_started, is_abandoned;
    pthread_t writer;
    /* The writer's own. */
    int sink_fd;
    bool owns_sink;
    bool is_sink_apart; /* not the file of `notice_fd` */
    uint64_t next_complaint_ms;
    size_t chunk_max; /* bytes a write */
    char *batch;
    size_t batch_start, batch_end; /* what of it is still to be written */
    uint64_t reported_drops;
};

static const struct line_piece name_time = LINE_TEXT("time");
static const struct line_piece name_level = LINE_TEXT("level");
static const struct line_piece name_message = LINE_TEXT("message");
static const struct line_piece name_held_back = LINE_NUMBER("held_back");
static const struct line_piece name_dropped = LINE_NUMBER("dropped");

static struct timespec timespec_from_ms(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Sleeps while `*word` is `value`, at most `timeout_ms` (0: for ever). May wake early. */
static void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ms)
{
    struct timespec timeout = timespec_from_ms(timeout_ms);
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ms != 0 ? &timeout : NULL,
                  NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- producers ---- */

static void wake_writer(struct log *log)
{
    if (atomic_load(&log->is_asleep) && atomic_exchange(&log->is_asleep, 0))
        futex_wake(&log->is_asleep);
}

void log_write(struct log_ring *ring, const char *line, size_t length)
{
    if (length > LOG_LINE_MAX - 1)
        length = LOG_LINE_MAX - 1;
    if (line_ring_put(&ring->lines, line, length))
        wake_writer(ring->log);
}

static void put_notice(struct log *log, const char *line, size_t length)
{
    pthread_mutex_lock(&log->notices_lock);
    line_ring_put(&log->notices, line, length);
    pthread_mutex_unlock(&log->notices_lock);
    wake_writer(log);
}

/* True: write it, and say that `*ret_held_back` were not. False: hold this one back. */
static bool topic_may_speak(struct topic *topic, uint64_t *ret_held_back)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t next = atomic_load(&topic->next_ms);
    if (now < next ||
        !atomic_compare_exchange_strong(&topic->next_ms, &next, now + TOPIC_PAUSE_MS)) {
        atomic_fetch_add(&topic->held_back, 1);
        return false;
    }
    *ret_held_back = atomic_exchange(&topic->held_back, 0);
    return true;
}

enum { LEVEL_LIMIT = 16, MESSAGE_LIMIT = LOG_LINE_MAX / 2 };

/* A line of its own; `count` (0: none) goes by the name `counted`. */
static void log_add_message(struct text *out, enum log_format format, const char *level,
                            const char *message, const struct line_piece *counted, uint64_t count)
{
    struct logfmt_date date = {0};
    char bytes[LINE_SIZE];
    struct line line;
    const char *start;

    line_begin(&line, bytes, format);
    line_add_time(&line, &name_time, &date, clock_wall_ms());
    line_add_text(&line, &name_level, level, LEVEL_LIMIT);
    line_add_text(&line, &name_message, message, MESSAGE_LIMIT);
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
        put_notice(ring->log, line, text.length);
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

/* ---- the writer: from the rings to the batch ---- */

static bool rings_are_empty(struct log *log)
{
    for (size_t i = 0; i < log->ring_count; i++) {
        if (!line_ring_is_empty(&log->rings[i].lines))
            return false;
    }
    return true;
}

static void collect_ring(struct log *log, struct log_ring *ring)
{
    size_t room = BATCH_SIZE - LOG_LINE_MAX - log->batch_end; /* the drop report comes last */

    log->batch_end += line_ring_take(&ring->lines, log->batch + log->batch_end, room);
}

static void collect_drop_report(struct log *log)
{
    static const char message[] = "log lines were dropped because the log could not be written";
    uint64_t dropped = log_dropped(log);
    if (dropped == log->reported_drops)
        return;
    struct text text;
    enum log_format format = log_style(&log->rings[0]).format;
    text_init(&text, log->batch + log->batch_end, LOG_LINE_MAX);
    log_add_message(&text, format, "warning", message, &name_dropped,
                    dropped - log->reported_drops);
    log->reported_drops = dropped;
    if (format == LOG_FORMAT_SQUID) {
        put_notice(log, text.start, text.length);
        return;
    }
    text_add_char(&text, '\n');
    log->batch_end += text.length;
}

/* Fills the empty batch. False: there was nothing. */
static bool log_collect(struct log *log)
{
    log->batch_start = 0;
    log->batch_end = 0;
    for (size_t i = 0; i < log->ring_count; i++)
        collect_ring(log, &log->rings[i]);
    collect_drop_report(log);
    return log->batch_end != 0;
}

/* ---- the writer: from the batch to the sink ---- */

static bool must_give_up(struct log *log)
{
    return atomic_load(&log->is_finishing) && clock_monotonic_ms() >= atomic_load(&log->give_up_ms);
}

static size_t choose_chunk_max(int sink_fd)
{
    struct stat status;
    bool is_file = fstat(sink_fd, &status) == 0 && S_ISREG(status.st_mode);
    return is_file ? BATCH_SIZE : PIPE_BUF;
}

static bool is_same_file(int fd, int other_fd)
{
    struct stat status;
    struct stat other;

    return fstat(fd, &status) == 0 && fstat(other_fd, &other) == 0 &&
           file_identity_equals(file_identity_of(&status), file_identity_of(&other));
}

/* The new sink, if there is one. What was collected already goes there, too. */
static void take_next_sink(struct log *log)
{
    int fd = atomic_exchange(&log->next_sink_fd, NO_SINK);

    if (fd == NO_SINK)
        return;
    if (log->owns_sink)
        close(log->sink_fd);
    /* A line of which the old one has a part goes to the new one in full. */
    while (log->batch_start > 0 && log->batch[log->batch_start - 1] != '\n')
        log->batch_start--;
    log->sink_fd = fd;
    log->owns_sink = true;
    log->is_sink_apart = !is_same_file(fd, log->notice_fd);
    log->chunk_max = choose_chunk_max(fd);
}

/* As much as is taken without waiting; what fails is lost. */
static void write_notices(struct log *log)
{
    struct pollfd sink = {.fd = log->notice_fd, .events = POLLOUT};
    char bytes[PIPE_BUF];

    while (!line_ring_is_empty(&log->notices) && poll(&sink, 1, 0) > 0) {
        size_t length = line_ring_take(&log->notices, bytes, sizeof bytes);
        ssize_t ignored = write(log->notice_fd, bytes, length);
        (void)ignored;
    }
}

/* What the sink itself can't say. `count` (0: none) is of lines that are lost. */
static void warn_apart(struct log *log, int error, const char *consequence, uint64_t count)
{
    char message[MESSAGE_LIMIT];
    char line[LOG_LINE_MAX];
    struct text text;

    text_init(&text, message, sizeof message);
    text_add(&text, "can't write the log ");
    pthread_mutex_lock(&log->notices_lock);
    text_add(&text, log->sink_name);
    pthread_mutex_unlock(&log->notices_lock);
    text_add(&text, ": ");
    text_add(&text, error == -ETIMEDOUT ? "nobody reads it" : strerror(-error));
    text_add(&text, consequence);
    text_init(&text, line, sizeof line);
    log_add_message(&text, LOG_FORMAT_LOGFMT, "warning", message, &name_dropped, count);
    put_notice(log, line, text.length);
    write_notices(log);
}

static void log_complain(struct log *log, int error)
{
    uint64_t now = clock_monotonic_ms();

    if (!log->is_sink_apart || now < log->next_complaint_ms)
        return;
    log->next_complaint_ms = now + TOPIC_PAUSE_MS;
    warn_apart(log, error, "; lines wait for it, and are lost when they are too many", 0);
}

/* 0: the sink takes bytes, or will say what is wrong with it. -ETIMEDOUT: time to give up. */
static int wait_for_sink(struct log *log)
{
    uint64_t stalled_ms = clock_monotonic_ms() + STALL_MS;

    for (;;) {
        take_next_sink(log);
        struct pollfd sink = {.fd = log->sink_fd, .events = POLLOUT};
        if (poll(&sink, 1, POLL_SLICE_MS) > 0)
            return 0;
        if (must_give_up(log))
            return -ETIMEDOUT;
        if (clock_monotonic_ms() >= stalled_ms)
            log_complain(log, -ETIMEDOUT);
    }
}

/* A disk that filled up took only the first part of a line. Takes that part back, unless somebody
 * else has written behind it, so that every line in the file is whole, wherever the next one goes.
 */
static void take_back_torn_line(struct log *log)
{
    size_t torn = log->batch_start - text_whole_lines(log->batch, log->batch_start);
    struct stat status;
    off_t end = lseek(log->sink_fd, 0, SEEK_CUR);

    if (end < 0 || fstat(log->sink_fd, &status) != 0 || status.st_size != end)
        return;
    if (ftruncate(log->sink_fd, end - (off_t)torn) != 0)
        return;
    (void)lseek(log->sink_fd, -(off_t)torn, SEEK_CUR); /* a stderr may be no O_APPEND */
    log->batch_start -= torn;
}

/* One write. 0, or -errno when the sink failed. A file that took a part says why at the next. */
static int write_chunk(struct log *log)
{
    const char *bytes = log->batch + log->batch_start;
    size_t length = log->batch_end - log->batch_start;
    if (length > log->chunk_max) {
        size_t whole = text_whole_lines(bytes, log->chunk_max);
        length = whole != 0 ? whole : log->chunk_max;
    }
    ssize_t written = write(log->sink_fd, bytes, length);
    if (written >= 0) {
        log->batch_start += (size_t)written;
        return 0;
    }
    int error = -errno;
    if (error == -EAGAIN || error == -EINTR)
        return 0; /* EAGAIN: somebody else made the sink non-blocking; the next poll waits. */
    if (log->chunk_max == BATCH_SIZE)
        take_back_torn_line(log);
    return error;
}

static int write_batch(struct log *log)
{
    while (log->batch_start < log->batch_end) {
        int error = wait_for_sink(log);
        if (error == 0)
            error = write_chunk(log);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Writes all there is. 0, or why the sink did not take it; the rest stays in the batch. */
static int log_write_all(struct log *log)
{
    int error = write_batch(log);
    while (error == 0 && log_collect(log))
        error = write_batch(log);
    return error;
}

/* `error`: why they are. */
static void count_lines_left(struct log *log, int error)
{
    uint64_t unsaid = log_dropped(log) - log->reported_drops;
    uint64_t lines = 0;
    do {
        for (size_t i = log->batch_start; i < log->batch_end; i++)
            lines += log->batch[i] == '\n';
        log->reported_drops = log_dropped(log); /* nobody will read a report */
    } while (log_collect(log));
    atomic_fetch_add(&log->left_over, lines);
    if (lines + unsaid > 0 && log->is_sink_apart)
        warn_apart(log, error, "; lines that waited for it are lost", lines + unsaid);
}

static void sleep_until_line(struct log *log)
{
    atomic_store(&log->is_asleep, 1);
    if (rings_are_empty(log) && line_ring_is_empty(&log->notices) &&
        !atomic_load(&log->is_finishing) && atomic_load(&log->next_sink_fd) == NO_SINK)
        futex_wait(&log->is_asleep, 1, 0);
    atomic_store(&log->is_asleep, 0);
}

static bool has_work(struct log *log)
{
    return log->batch_start < log->batch_end || !rings_are_empty(log) ||
           log_dropped(log) != log->reported_drops;
}

/* One round's pause. `idle_ms` is how long there was nothing. */
static uint64_t pause_writer(struct log *log, int error, uint64_t idle_ms)
{
    if (error == 0 && idle_ms >= LOG_LINGER_MS) {
        sleep_until_line(log);
        return 0;
    }
    futex_wait(&log->is_finishing, 0, error != 0 ? RETRY_PAUSE_MS : BATCH_PAUSE_MS);
    return has_work(log) ? 0 : idle_ms + BATCH_PAUSE_MS;
}

static void *writer_run(void *self)
{
    struct log *log = self;
    uint64_t idle_ms = 0;
    int error;

    for (;;) {
        take_next_sink(log);
        error = has_work(log) ? log_write_all(log) : 0;
        if (error != 0 && !atomic_load(&log->is_finishing))
            log_complain(log, error);
        write_notices(log);
        if (atomic_load(&log->is_finishing) && (error != 0 || !has_work(log)))
            break;
        idle_ms = pause_writer(log, error, idle_ms);
    }
    count_lines_left(log, error);
    atomic_store(&log->is_done, 1);
    futex_wake(&log->is_done);
    return NULL;
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
    take_next_sink(log);
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
    log->next_sink_fd = NO_SINK;
    log->style = (uint32_t)STYLE_EVENTS_MASK << STYLE_SHIFT;
    log->chunk_max = choose_chunk_max(sink_fd);
    log->batch = malloc(BATCH_SIZE);
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
        error = pthread_create(&log->writer, NULL, writer_run, log);
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

    if (untaken != NO_SINK)
        close(untaken);
    wake_writer(log);
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

static void join_writer(struct log *log, uint64_t patience_ms)
{
    atomic_store(&log->is_asleep, 0);
    futex_wake(&log->is_asleep);
    futex_wake(&log->is_finishing);
    uint64_t until = clock_monotonic_ms() + patience_ms + JOIN_GRACE_MS;
    for (uint64_t now = clock_monotonic_ms(); now < until && !atomic_load(&log->is_done);
         now = clock_monotonic_ms())
        futex_wait(&log->is_done, 0, until - now);
    log->is_abandoned = !atomic_load(&log->is_done);
    if (log->is_abandoned)
        (void)pthread_detach(log->writer);
    else
        (void)pthread_join(log->writer, NULL);
    log->is_started = false;
}

void log_finish(struct log *log, uint64_t patience_ms)
{
    atomic_store(&log->give_up_ms, clock_monotonic_ms() + patience_ms);
    atomic_store(&log->is_finishing, 1);
    if (log->is_started)
        join_writer(log, patience_ms);
    else if (!log->is_abandoned)
        (void)writer_run(log); /* never started: this thread does it */
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
