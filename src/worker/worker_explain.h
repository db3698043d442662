/* Answers questions to the policy inside a running adit, by the snapshot that serves. */
#ifndef WORKER_WORKER_EXPLAIN_H
#define WORKER_WORKER_EXPLAIN_H

#include "admin/panel.h"
#include "base/contract.h"

struct file_text;
struct loop;
struct snapshot;
struct worker_explain;

/* Creates it with a resolver of its own, so that lookups for questions do not wait behind those for
 * tunnels. Returns 0 or -errno. */
int worker_explain_create(struct loop *loop, struct worker_explain **ret_explain) MUST_CHECK;
/* Contract: every request was answered or cancelled. Harmless on NULL. */
void worker_explain_destroy(struct worker_explain *explain);

/* Asks as `explain` of struct panel_ops does. It takes its own references to `snapshot` and to the
 * `files` (WATCHED_FILE_COUNT of them). */
int worker_explain_start(struct worker_explain *explain, struct explain_request *request,
                         struct snapshot *snapshot, struct file_text *const *files,
                         const char **ret_problem) MUST_CHECK;
void worker_explain_cancel(struct worker_explain *explain, struct explain_request *request);

#endif
