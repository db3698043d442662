/* /etc/hosts and /etc/resolv.conf as the supervisor has them: watched, and sent to the worker,
 * which opens no file. */
#ifndef SUPERVISOR_MACHINE_FILES_H
#define SUPERVISOR_MACHINE_FILES_H

#include "base/text.h"
#include "process/file_watch.h"

#include <stdint.h>

struct machine_files {
    struct file_watch *watch; /* NULL: changes are not noticed */
    uint64_t send_at_ms;      /* when they are to be sent; CLOCK_NEVER_MS: they need not */
    struct watch_problem told;
    int fds[WATCHED_FILE_COUNT];    /* as they were last there; -1: they were not */
    int errors[WATCHED_FILE_COUNT]; /* why that is not how they are now; 0: it is */
};

/* Works without a watch, too; says so then. */
void machine_files_open(struct machine_files *files);
void machine_files_close(struct machine_files *files);
/* -1: nothing to wait for. */
int machine_files_poll_fd(const struct machine_files *files);
/* Something happened: sets the time at which they are sent. */
void machine_files_hear(struct machine_files *files);
/* Looks anew where they are, and sends them as they are. One that can't be read is sent as it last
 * was, and said, once; in `report`, a line each, whenever it is so (NULL: nobody asked). A worker
 * that does not read is sent them again later; `channel_fd` -1: there is none, nothing is sent. */
void machine_files_send(struct machine_files *files, int channel_fd, struct text *report);

#endif
