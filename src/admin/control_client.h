/* The commands that talk to a running adit. */
#ifndef ADMIN_CONTROL_CLIENT_H
#define ADMIN_CONTROL_CLIENT_H

#include "config/options.h"

/* COMMAND_STATS, _PS, _RELOAD or _DRAIN; `path` NULL: the default socket. Prints; returns the exit
 * status.
 */
int control_client_run(enum command command, const char *path);

#endif
