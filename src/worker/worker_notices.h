/* Log lines about the worker itself: signals, drains and reloads. */
#ifndef WORKER_WORKER_NOTICES_H
#define WORKER_WORKER_NOTICES_H

#include <stdint.h>

struct log_ring;
struct reload_report;
struct reload_result;

/* Says what was asked for by a signal, and who sent it; nothing when `signaller` is "". */
void worker_notice_signalled(struct log_ring *ring, const char *what, const char *signaller);
/* Says that a drain has begun, and how long it may take. */
void worker_notice_drain(struct log_ring *ring, uint64_t drain_ms);
/* Says how a reload ended. */
void worker_notice_reload(struct log_ring *ring, const struct reload_result *result,
                          const struct reload_report *report);

#endif
