/* `adit explain`: which rule decides about a target, by the code that the proxy judges with. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/options.h"

/* Runs `adit explain` with a configuration file or the built-in configuration. Returns the exit
 * status: 0 allowed, 1 the lookup failed or nothing could be asked, 3 denied or asked for a
 * password. */
int explain_run(const struct options *options);

#endif
