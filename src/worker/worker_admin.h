/* The admin page of a worker: its HTTP server, on the listener that the snapshot has for it. */
#ifndef WORKER_WORKER_ADMIN_H
#define WORKER_WORKER_ADMIN_H

#include "admin/http_server.h"
#include "base/contract.h"

struct file_text;
struct snapshot;
struct worker_admin;

/* Creates the server, which serves no page until worker_admin_use. Returns 0 or -errno. */
int worker_admin_create(const struct http_server_plan *plan,
                        struct worker_admin **ret_admin) MUST_CHECK;
/* Serves by `snapshot` from now on, and takes a reference to it. The page also answers to the names
 * that the machine has now, by the kernel and in `hosts`. Returns true when there is a page. */
bool worker_admin_use(struct worker_admin *admin, struct snapshot *snapshot,
                      const struct file_text *hosts);
const struct counters *worker_admin_counters(const struct worker_admin *admin);
void worker_admin_destroy(struct worker_admin *admin);

#endif
