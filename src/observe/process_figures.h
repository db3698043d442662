/* What this process uses: processor time, memory, descriptors.
 *
 * A confined process opens no file, so what is read of /proc is opened before.
 */
#ifndef OBSERVE_PROCESS_FIGURES_H
#define OBSERVE_PROCESS_FIGURES_H

#include <stdint.h>

struct process_figures {
    uint64_t cpu_ms; /* user and system, of all threads */
    uint64_t resident_bytes;
    uint64_t open_fds;
    uint64_t max_fds;
    uint64_t started_wall_ms;
};

/* Private. */
struct process_meter {
    int statm_fd, fd_folder_fd; /* -1: not to be had */
    uint64_t started_wall_ms;
};

/* Of the calling process; once, when it begins. Without /proc, figures from there are 0. */
void process_meter_open(struct process_meter *meter);
void process_meter_close(struct process_meter *meter);
void process_meter_read(const struct process_meter *meter, struct process_figures *ret_figures);

#endif
