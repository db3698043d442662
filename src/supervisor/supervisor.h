/* The supervisor process owns what must outlive a crash, and keeps one worker process running. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "config/command_line.h"

/* Serves until it is told to end. Returns the exit status of the process. The worker process, which
 * is forked in here, never returns from it. */
int supervisor_run(const struct command_line *command_line);

#endif
