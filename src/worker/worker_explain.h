/* Answers questions to the policy inside a running adit, by the snapshot that serves. */
#ifndef WORKER_WORKER_EXPLAIN_H
#define WORKER_WORKER_EXPLAIN_H

#include "admin/panel.h"
#include "base/contract.h"

struct file_text;
struct loop;
struct snapshot;
struct worker_explain;

/* With a resolver of its own, so that questions do not stand in line with tunnels. 0 or -errno. */
int worker_explain_create(struct loop *loop, struct worker_explain **ret_explain) MUST_CHECK;
/* Everything was answered or cancelled. Harmless on NULL. */
void worker_explain_destroy(struct worker_explain *explain);

/* As panel_ops has it; `snapshot` and `files` (WATCHED_FILE_COUNT) are held as long as needed. */
int worker_explain_start(struct worker_explain *explain, struct explain_request *request,
                         struct snapshot *snapshot, struct file_text *const *files,
                         const char **ret_problem) MUST_CHECK;
void worker_explain_cancel(struct worker_explain *explain, struct explain_request *request);

#endif
