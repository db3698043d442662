/* Opens the file that a `log` statement names. */
#ifndef SUPERVISOR_LOG_FILE_H
#define SUPERVISOR_LOG_FILE_H

#include "base/contract.h"
#include "base/text.h"

/* Opens the file for appending, and makes it when there is none. Returns the descriptor or -errno.
 */
int log_file_open(const char *path) MUST_CHECK;
/* Adds why log_file_open failed and what to do, as `PATH: ...` without a newline. */
void log_file_explain(struct text *out, const char *path, int error);

#endif
