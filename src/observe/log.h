/* Log lines that never block whoever writes them.
 *
 * Every thread has a bounded ring of its own; one writer thread empties the rings into one
 * descriptor in batches. The first line after a pause wakes the writer (within 10 ms it stands in a
 * healthy sink). A line that finds its ring full is dropped and counted; the writer reports the
 * count once it can. The sink is never made non-blocking (it may be an inherited stderr): only the
 * writer may hang on it. A sink that fails (full disk, nobody reads) is tried again every 100 ms,
 * and told of every 5 s at the sink of log_create.
 * The process ignores SIGPIPE.
 */
#ifndef OBSERVE_LOG_H
#define OBSERVE_LOG_H

#include "base/contract.h"

#include <stddef.h>
#include <stdint.h>

struct logfmt_date;
struct log;      /* one per process: the rings and the writer */
struct log_ring; /* one a producing thread */

#define LOG_LINE_MAX 2048 /* with the newline; longer lines are cut */

/* `ring_count` rings of `ring_size` bytes each (a power of two, at least LOG_LINE_MAX). `sink_fd`
 * stays the caller's and must outlive the writer. Does not start the writer. 0 or -errno. */
int log_create(int sink_fd, size_t ring_count, size_t ring_size, struct log **ret_log) MUST_CHECK;
int log_start(struct log *log) MUST_CHECK; /* starts the writer thread; signals blocked in it */
/* Writes what the rings hold, at most for `patience_ms` if the sink hangs, then ends the writer.
 * The producers are done by then. Without a started writer the caller's thread writes. */
void log_finish(struct log *log, uint64_t patience_ms);
void log_destroy(struct log *log);

/* From any thread: the sink from now on. Takes `sink_fd`, and closes the one that was set here
 * before once the writer has left it. `name` is what people know it by; copied. */
void log_set_sink(struct log *log, int sink_fd, const char *name);

/* How lines look, and which events are worth one. */
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_SQUID, LOG_FORMAT_COUNT };
struct log_style {
    enum log_format format;
    unsigned events; /* a bit (1 << enum access_event) an event */
};
/* From any thread. Before the first call: logfmt, every event. */
void log_set_style(struct log *log, const struct log_style *style);
struct log_style log_style(const struct log_ring *ring);
/* The producing thread's own. */
struct logfmt_date *log_date(struct log_ring *ring);

/* Each ring has exactly one producing thread. */
struct log_ring *log_ring_at(struct log *log, size_t index);
/* `line` without newline. Never blocks, never allocates. */
void log_write(struct log_ring *ring, const char *line, size_t length);
/* A line about the process: `time=... level=notice message="..."`. squid's format has no such
 * lines: with it they go, as logfmt, to the sink of log_create, if that takes them. Of one `topic`
 * at most one line per 5 s is written, by all threads together; the next says how many were held
 * back. LOG_TOPIC_GENERAL is for what happens once and is not limited. */
enum log_topic {
    LOG_TOPIC_GENERAL,
    LOG_TOPIC_DESCRIPTORS,
    LOG_TOPIC_DNS,
    LOG_TOPIC_PIPES,
    LOG_TOPIC_TCP_MEMORY,
    LOG_TOPIC_COUNT
};
void log_notice(struct log_ring *ring, enum log_topic topic, const char *format, ...)
    PRINTF_LIKE(3, 4);
uint64_t log_dropped(const struct log *log); /* lines, all rings */

#endif
