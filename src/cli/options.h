/* The command line as a value. This is pure: it takes words and gives options or a message, and
 * opens and prints nothing. The table of commands and options is command.def.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/contract.h"
#include "base/text.h"
#include "config/command_line.h"
#include "config/question.h"

enum command {
#define COMMAND(suffix, word, operand, summary, manual) COMMAND_##suffix,
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
    COMMAND_COUNT,
};

/* Which tunnels `ps`, `kill` and `trace` are about. A member that is NULL or 0 matches every
 * tunnel. The texts were checked, and point into the command line. */
struct options_tunnels {
    const char *id;
    const char *user;
    const char *host;
    const char *client; /* an address or a block */
    const char *rule;
    uint64_t min_bytes;
};

/* What `ps` sorts by. */
enum options_sort {
    SORT_AGE,
    SORT_UP,
    SORT_DOWN,
    SORT_BYTES,
    SORT_CLIENT,
    SORT_USER,
    SORT_TARGET,
    SORT_ADDRESS,
    SORT_RULE,
    SORT_COUNT,
};

struct options {
    enum command command;
    enum command topic;     /* what COMMAND_HELP is about; COMMAND_RUN: the overview */
    bool is_version_asked;  /* print the version and nothing else */
    bool is_print_asked;    /* of COMMAND_CHECK */
    bool is_json_asked;     /* of COMMAND_PS */
    enum options_sort sort; /* of COMMAND_PS */
    bool is_sort_reversed;
    struct command_line
        command_line;         /* with the default listener when none was named and no file */
    struct question question; /* of COMMAND_EXPLAIN */
    struct options_tunnels tunnels;
};

/* Room for any message of options_parse. It is bounded, since words that it quotes are cut. */
#define OPTIONS_MESSAGE_SIZE 512

/* Parses `words`, the arguments without the name of the program. Texts in `ret_options` point into
 * them. Returns 0, or -EINVAL and puts one line into `message`: what was wrong and what is right.
 */
int options_parse(size_t count, char *const words[], struct options *ret_options,
                  struct text *message) MUST_CHECK;

const char *command_name(enum command command); /* "run", "stats", ... */

#endif
