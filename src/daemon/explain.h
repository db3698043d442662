/* `adit explain`: which rule decides about a target, by the code that the proxy judges with. */
#ifndef DAEMON_EXPLAIN_H
#define DAEMON_EXPLAIN_H

#include "config/options.h"

/* The exit status: 0 allowed, 1 the lookup failed, 3 denied. */
int explain_run(const struct options *options);

#endif
