/* `adit explain`: which rule decides about a target, by the code that the proxy judges with. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/options.h"

/* The exit status: 0 allowed, 1 the lookup failed, 3 denied. */
int explain_run(const struct options *options);

#endif
