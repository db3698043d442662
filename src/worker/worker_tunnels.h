/* Lists the open tunnels of all threads, or ends them: `ask_tunnels` of admin/panel.h. */
#ifndef WORKER_WORKER_TUNNELS_H
#define WORKER_WORKER_TUNNELS_H

#include "admin/panel.h"
#include "base/contract.h"

struct worker;
struct worker_tunnels;

/* Returns 0 or -errno. */
int worker_tunnels_create(struct worker *worker, struct worker_tunnels **ret_tunnels) MUST_CHECK;
/* Queries that are still open are not answered any more. Harmless on NULL. */
void worker_tunnels_destroy(struct worker_tunnels *tunnels);

/* The functions of struct panel_ops (admin/panel.h); `self` is the worker. */
void worker_tunnels_ask(void *self, struct tunnels_query *query);
void worker_tunnels_cancel(void *self, struct tunnels_query *query);

#endif
