/* /etc/hosts and /etc/resolv.conf as the supervisor sends them to the worker: open descriptors. */
#ifndef WORKER_WORKER_FILES_H
#define WORKER_WORKER_FILES_H

#include "base/contract.h"
#include "process/file_text.h"
#include "process/file_watch.h"

struct log_ring; /* observe/log.h */

/* Reads the file and closes `fd`; -1 stands for a file that does not exist, and counts as empty.
 * The hosts file is parsed as well, and the log says which line was left out, if any. Returns NULL
 * when there is no memory, and says so in the log. */
struct file_text *worker_files_take(enum watched_file file, int fd,
                                    struct log_ring *log) MUST_CHECK;

#endif
