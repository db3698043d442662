/* Hands what the threads' tunnels do to those who trace them. */
#ifndef WORKER_WORKER_TRACE_H
#define WORKER_WORKER_TRACE_H

#include "admin/panel.h"
#include "base/contract.h"

struct worker;
struct worker_trace;

/* Returns 0 or -ENOMEM. */
int worker_trace_create(struct worker *worker, struct worker_trace **ret_trace) MUST_CHECK;
void worker_trace_destroy(struct worker_trace *trace); /* harmless on NULL */

/* To be called when threads were created: they record their steps, too, if anybody traces. */
void worker_trace_watch_threads(struct worker_trace *trace);
/* To be called when a thread's trace may have something: passes it on. */
void worker_trace_happened(struct worker_trace *trace);

/* The functions of struct panel_ops; `self` is the worker. */
void worker_trace_begin(void *self, struct trace_subscriber *subscriber);
void worker_trace_end(void *self, struct trace_subscriber *subscriber);

#endif
