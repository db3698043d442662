/* The supervisor process: owns what must outlive a crash, and keeps one worker process running. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "config/settings.h"

/* Serves until it is told to end. Returns the process's exit status (in the worker process, too).
 */
int supervisor_run(const struct settings *settings);

#endif
