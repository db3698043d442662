/* Prints a trace as it comes. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <stdbool.h>

/* From a control socket that was asked for one, until it ends or nobody reads what is printed.
 * `fd` has a time limit for the first line. `is_of_one`: of one tunnel, whose end is its end. The
 * exit status. */
int trace_show(int fd, bool is_of_one);

#endif
