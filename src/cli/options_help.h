/* What `adit help` and `--help` print. */
#ifndef CLI_OPTIONS_HELP_H
#define CLI_OPTIONS_HELP_H

#include "cli/options.h"

/* Room for any help text. */
#define OPTIONS_HELP_SIZE 8192

/* Adds the help for a command; COMMAND_RUN stands for the overview. */
void options_help(struct text *out, enum command topic);

#endif
