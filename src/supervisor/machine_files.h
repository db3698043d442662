/* /etc/hosts and /etc/resolv.conf as the supervisor has them: watched, and sent to the worker,
 * which opens no file. */
#ifndef SUPERVISOR_MACHINE_FILES_H
#define SUPERVISOR_MACHINE_FILES_H

#include "base/text.h"
#include "process/file_watch.h"

#include <stdint.h>

struct machine_files {
    struct file_watch *watch; /* NULL: changes are not noticed */
    uint64_t send_at_ms;      /* when the files are due to be sent; CLOCK_NEVER_MS: they are not */
    struct watch_problem told;
    int fds[WATCHED_FILE_COUNT];    /* what was there when it could last be read; -1: no file */
    int errors[WATCHED_FILE_COUNT]; /* why the file of now could not be read, so that `fds` is
                                       older; 0: it could */
};

/* Begins to watch the files. When they can't be watched, says so and goes on: a reload still sends
 * them. */
void machine_files_open(struct machine_files *files);
void machine_files_close(struct machine_files *files);
/* Returns the descriptor to poll; -1: there is none. */
int machine_files_poll_fd(const struct machine_files *files);
/* To be called when that descriptor is readable: sets the time at which the files are sent. */
void machine_files_hear(struct machine_files *files);
/* Opens the files again by their paths and sends them to the worker. A file that can't be read is
 * sent as it last was; that is said once on stderr, and each time as a line in `report` (NULL:
 * nobody asked). When the channel is full, they are sent again later. A `channel_fd` of -1 says
 * that there is no worker; then nothing is sent. */
void machine_files_send(struct machine_files *files, int channel_fd, struct text *report);

#endif
