/* What a worker says of itself in the log, beside what its clients do. */
#ifndef WORKER_WORKER_NOTICES_H
#define WORKER_WORKER_NOTICES_H

#include <stdint.h>

struct log_ring;
struct reload_report;
struct reload_result;

/* What was asked for by a signal; "": it was not. */
void worker_notice_signalled(struct log_ring *ring, const char *what, const char *signaller);
/* Whoever waits for the end wants to know how long. */
void worker_notice_drain(struct log_ring *ring, uint64_t drain_ms);
/* A reload is over. */
void worker_notice_reload(struct log_ring *ring, const struct reload_result *result,
                          const struct reload_report *report);

#endif
