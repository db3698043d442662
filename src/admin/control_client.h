/* The commands that talk to a running adit. */
#ifndef ADMIN_CONTROL_CLIENT_H
#define ADMIN_CONTROL_CLIENT_H

#include "config/options.h"

/* COMMAND_STATS, _PS, _KILL, _RELOAD, _DRAIN or _EXPLAIN. Prints; returns the exit status. */
int control_client_run(const struct options *options);

#endif
