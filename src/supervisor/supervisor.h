/* The supervisor process: owns what must outlive a crash, and keeps one worker process running. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "config/command_line.h"

/* Serves until it is told to end. Returns the process's exit status (in the worker process, too).
 */
int supervisor_run(const struct command_line *command_line);

#endif
