/* The commands that talk to a running adit. */
#ifndef CLI_CONTROL_CLIENT_H
#define CLI_CONTROL_CLIENT_H

#include "cli/options.h"

/* Carries out COMMAND_STATS, _PS, _KILL, _TRACE, _RELOAD, _DRAIN or _EXPLAIN: asks the running adit
 * and prints its answer. Returns the exit status. */
int control_client_run(const struct options *options);

#endif
