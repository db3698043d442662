/* The commands and options of command.def as tables, for the parser, its messages and the help. */
#ifndef CLI_OPTIONS_TABLE_H
#define CLI_OPTIONS_TABLE_H

#include "cli/options.h"

enum option {
#define COMMAND(suffix, word, operand, summary, manual)
#define OPTION(suffix, name, operand, commands, summary, manual) OPTION_##suffix,
#include "cli/command.def"
#undef OPTION
#undef COMMAND
    OPTION_COUNT,
};

struct command_row {
    const char *word; /* "": it is the proxy itself */
    const char *operand;
    const char *summary;
    const char *manual;
};

struct option_row {
    const char *name; /* with its dashes */
    const char *operand;
    unsigned commands; /* a bit (1U << enum command) for each that it goes with */
    const char *summary;
    const char *manual;
};

const struct command_row *command_row_at(enum command command);
const struct option_row *option_row_at(enum option option);

/* Returns the only name of an option, or the long one of two. It points into the row's name. */
const char *option_last_name(const struct option_row *row);

#endif
