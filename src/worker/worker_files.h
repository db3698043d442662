/* The machine's two files, as the supervisor sends them to the worker: open descriptors. */
#ifndef WORKER_WORKER_FILES_H
#define WORKER_WORKER_FILES_H

#include "base/contract.h"
#include "process/file_text.h"
#include "process/file_watch.h"

struct log_ring; /* observe/log.h */

/* Reads it (-1: it is not there, and has no contents) and closes it; hosts is parsed. NULL: there
 * is no memory; that, and what was left out, is said in the log. */
struct file_text *worker_files_take(enum watched_file file, int fd,
                                    struct log_ring *log) MUST_CHECK;

#endif
