/* Prints a trace while it happens. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <stdbool.h>

/* Prints the trace that comes from `fd`, a control socket that was asked for one, until the trace
 * ends or nobody reads the output any more. `fd` must have a time limit, which holds for the first
 * line. `is_of_one` says that the trace is of one tunnel, and ends when that tunnel ends. Returns
 * the exit status. */
int trace_show(int fd, bool is_of_one);

#endif
