/* Makes the tables of commands and options from command.def, which says the words, the operands,
 * which option goes with which command, and what the help says of each.
 */
#include "cli/options_table.h"

#include <string.h>

enum command_bits {
#define COMMAND(suffix, word, operand, summary, manual) FOR_##suffix = 1 << COMMAND_##suffix,
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
    FOR_ALL = (1 << COMMAND_COUNT) - 1,
};

static const struct command_row command_rows[] = {
#define COMMAND(suffix, word, operand, summary, manual) {word, operand, summary, manual},
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
};
static_assert(ARRAY_LENGTH(command_rows) == COMMAND_COUNT, "a row for every command");

static const struct option_row option_rows[] = {
#define COMMAND(suffix, word, operand, summary, manual)
#define OPTION(suffix, name, operand, commands, summary, manual)                                   \
    {name, operand, commands, summary, manual},
#include "cli/command.def"
#undef OPTION
#undef COMMAND
};
static_assert(ARRAY_LENGTH(option_rows) == OPTION_COUNT, "a row for every option");

const struct command_row *command_row_at(enum command command)
{
    REQUIRE(command < COMMAND_COUNT);
    return &command_rows[command];
}

const struct option_row *option_row_at(enum option option)
{
    REQUIRE(option < OPTION_COUNT);
    return &option_rows[option];
}

const char *option_last_name(const struct option_row *row)
{
    const char *blank = strchr(row->name, ' ');

    return blank != NULL ? blank + 1 : row->name;
}
