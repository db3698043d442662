/* The worker process: threads that carry tunnels, and a main thread that serves the control socket
 * and listens to the supervisor. The worker opens no files: the supervisor sends it what it needs
 * of them. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "admin/reload_report.h"
#include "config/command_line.h"
#include "tunnel/relay_env.h"
#include "worker/process_limits.h"

/* What a worker is started with. All of it is inherited through fork and outlives the worker. */
struct worker_plan {
    const struct command_line *command_line;
    int channel_fd;
    int control_fd; /* -1: none */
    unsigned threads;
    enum relay_mode relay_mode;
    struct process_limits limits;
    uint64_t adit_started_ms;           /* CLOCK_MONOTONIC, of the supervisor */
    uint64_t restarts;                  /* workers that died before this one */
    const struct reload_report *reload; /* the last reload before this worker began */
};

/* Runs the worker until it has drained or is told to end. Returns the exit status of the process.
 */
int worker_run(const struct worker_plan *plan);

#endif
