/* The log's writer: from the rings to the sink. Only log.c calls it. */
#ifndef OBSERVE_LOG_WRITER_H
#define OBSERVE_LOG_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct log;

/* The thread's body; `self` is the log. Returns once it is finishing and nothing is left to write,
 * or the sink takes nothing more. */
void *log_writer_run(void *self);
/* Waits until the writer has ended, a moment longer than `patience_ms`, or gives up on it
 * (is_abandoned). It is finishing by then. */
void log_writer_join(struct log *log, uint64_t patience_ms);
/* Ends the writer's sleep, if it sleeps. From any thread. */
void log_writer_wake(struct log *log);
/* Goes over to the new sink, if there is one. What was collected already goes there, too. Only for
 * the writer, or when it is gone. */
void log_writer_take_sink(struct log *log);
/* Returns how many bytes one write to that sink may have. */
size_t log_writer_chunk_max(int sink_fd);

#endif
