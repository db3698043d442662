/* `adit check` and `adit explain`: what a configuration says, without running it. */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

#include "config/options.h"

/* Both return the exit status. */
int check_run(const struct options *options);
int explain_run(const struct options *options);

#endif
