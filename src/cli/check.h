/* `adit check`: what is wrong with a configuration, without running it. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "base/contract.h"
#include "cli/options.h"

#include <stdbool.h>

struct config;

/* Reads the configuration and prints its diagnostics, with `is_quiet` only when there are errors.
 * Returns 0 and the config, which the caller destroys, or -errno. */
int check_load(const struct options *options, bool is_quiet, struct config **ret_config) MUST_CHECK;
/* Runs `adit check`. Returns the exit status: 0, or 1 when the configuration has errors. */
int check_run(const struct options *options);

#endif
