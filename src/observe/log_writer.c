/* The writer goes round: collect whole lines from all rings into its batch, write the batch, nap
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
 */
#include "observe/log_writer.h"

#include "observe/log_private.h"
#include "system/clock.h"
#include "system/file_identity.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH_PAUSE_MS = 5,   /* half of the 10 ms within which a line shall stand in the sink */
    LOG_LINGER_MS = 250,  /* without a line before the writer goes to sleep */
    RETRY_PAUSE_MS = 100, /* after an error of the sink */
    POLL_SLICE_MS = 100,  /* how often a writer at a hanging sink looks whether it shall end */
    JOIN_GRACE_MS = 300,  /* beyond the patience: over two slices */
    STALL_MS = 5000,      /* before a sink that takes nothing is told of */
};

static const struct line_piece name_dropped = LINE_NUMBER("dropped");

static struct timespec timespec_from_ms(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Sleeps while `*word` is `value`, at most `timeout_ms` (0: for ever). May wake early. */
static void log_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ms)
{
    struct timespec timeout = timespec_from_ms(timeout_ms);
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ms != 0 ? &timeout : NULL,
                  NULL, 0);
}

static void log_futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void log_writer_wake(struct log *log)
{
    if (atomic_load(&log->is_asleep) && atomic_exchange(&log->is_asleep, 0))
        log_futex_wake(&log->is_asleep);
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
    size_t room = LOG_BATCH_SIZE - LOG_LINE_MAX - log->batch_end; /* the drop report comes last */

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
        log_put_notice(log, text.start, text.length);
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

size_t log_writer_chunk_max(int sink_fd)
{
    struct stat status;
    bool is_file = fstat(sink_fd, &status) == 0 && S_ISREG(status.st_mode);
    return is_file ? LOG_BATCH_SIZE : PIPE_BUF;
}

static bool is_same_file(int fd, int other_fd)
{
    struct stat status;
    struct stat other;

    return fstat(fd, &status) == 0 && fstat(other_fd, &other) == 0 &&
           file_identity_equals(file_identity_of(&status), file_identity_of(&other));
}

void log_writer_take_sink(struct log *log)
{
    int fd = atomic_exchange(&log->next_sink_fd, LOG_NO_SINK);

    if (fd == LOG_NO_SINK)
        return;
    if (log->owns_sink)
        close(log->sink_fd);
    /* A line of which the old one has a part goes to the new one in full. */
    while (log->batch_start > 0 && log->batch[log->batch_start - 1] != '\n')
        log->batch_start--;
    log->sink_fd = fd;
    log->owns_sink = true;
    log->is_sink_apart = !is_same_file(fd, log->notice_fd);
    log->chunk_max = log_writer_chunk_max(fd);
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
    char message[LOG_MESSAGE_LIMIT];
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
    log_put_notice(log, line, text.length);
    write_notices(log);
}

static void log_complain(struct log *log, int error)
{
    uint64_t now = clock_monotonic_ms();

    if (!log->is_sink_apart || now < log->next_complaint_ms)
        return;
    log->next_complaint_ms = now + LOG_TOPIC_PAUSE_MS;
    warn_apart(log, error, "; lines wait for it, and are lost when they are too many", 0);
}

/* 0: the sink takes bytes, or will say what is wrong with it. -ETIMEDOUT: time to give up. */
static int wait_for_sink(struct log *log)
{
    uint64_t stalled_ms = clock_monotonic_ms() + STALL_MS;

    for (;;) {
        log_writer_take_sink(log);
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
    if (log->chunk_max == LOG_BATCH_SIZE)
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
        !atomic_load(&log->is_finishing) && atomic_load(&log->next_sink_fd) == LOG_NO_SINK)
        log_futex_wait(&log->is_asleep, 1, 0);
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
    log_futex_wait(&log->is_finishing, 0, error != 0 ? RETRY_PAUSE_MS : BATCH_PAUSE_MS);
    return has_work(log) ? 0 : idle_ms + BATCH_PAUSE_MS;
}

void *log_writer_run(void *self)
{
    struct log *log = self;
    uint64_t idle_ms = 0;
    int error;

    for (;;) {
        log_writer_take_sink(log);
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
    log_futex_wake(&log->is_done);
    return NULL;
}

void log_writer_join(struct log *log, uint64_t patience_ms)
{
    atomic_store(&log->is_asleep, 0);
    log_futex_wake(&log->is_asleep);
    log_futex_wake(&log->is_finishing);
    uint64_t until = clock_monotonic_ms() + patience_ms + JOIN_GRACE_MS;
    for (uint64_t now = clock_monotonic_ms(); now < until && !atomic_load(&log->is_done);
         now = clock_monotonic_ms())
        log_futex_wait(&log->is_done, 0, until - now);
    log->is_abandoned = !atomic_load(&log->is_done);
    if (log->is_abandoned)
        (void)pthread_detach(log->writer);
    else
        (void)pthread_join(log->writer, NULL);
    log->is_started = false;
}
