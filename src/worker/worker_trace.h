/* Hands what the threads' tunnels do to those who trace them. */
#ifndef WORKER_WORKER_TRACE_H
#define WORKER_WORKER_TRACE_H

#include "admin/panel.h"
#include "base/contract.h"

struct worker;
struct worker_trace;

/* 0 or -ENOMEM. */
int worker_trace_create(struct worker *worker, struct worker_trace **ret_trace) MUST_CHECK;
void worker_trace_destroy(struct worker_trace *trace); /* NULL: nothing */

/* Threads that are new are traced, too, if anybody traces. */
void worker_trace_watch_threads(struct worker_trace *trace);
/* A thread's trace may have something. */
void worker_trace_happened(struct worker_trace *trace);

/* As panel_ops has it; `self` is the worker. */
void worker_trace_begin(void *self, struct trace_subscriber *subscriber);
void worker_trace_end(void *self, struct trace_subscriber *subscriber);

#endif
