/* The command line, driven by command.def.
 *
 * Options and operands may stand in any order. A first pass over the words takes options
 * (options_operand.c stores what their operands mean) and collects the other words; only then it is
 * known which command was asked for, and whether every option that was given goes with it.
 * `--help` and `--version` win over all that: over operands that are missing or too many, options
 * that do not go together or with the command, and whatever is wrong with a word behind them. They
 * do not win over a malformed word before them, nor over an unknown command.
 */
#include "cli/options.h"

#include "cli/options_message.h"
#include "cli/options_operand.h"
#include "cli/options_table.h"

#include <errno.h>
#include <string.h>

static_assert(OPTION_COUNT <= 32, "struct parse has a bit for every option");

/* The longest command line without options is a command and its operand, as in `help stats`; an id
 * has up to 13 digits (base/short_id.h). */
enum { OPERANDS_MAX = 2, TUNNEL_ID_MAX = 13 };

struct parse {
    struct options *options;
    struct text *message;
    unsigned given; /* a bit (1U << enum option) per option */
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
    const char *surplus; /* the first operand that is one too many, or NULL */
};

/* -- words */

/* Whether `word` is the option `name`, which has `length` bytes, alone or with its operand attached
 * (`-lADDR`, `--from=CIDR`). `*ret_attached` is that operand, or NULL. */
static bool begins_with_name(const char *word, const char *name, size_t length,
                             const char **ret_attached)
{
    bool is_long = name[1] == '-';

    if (strncmp(word, name, length) != 0)
        return false;
    *ret_attached = NULL;
    if (word[length] == '\0')
        return true;
    if (is_long && word[length] != '=')
        return false;
    *ret_attached = word + length + (is_long ? 1 : 0);
    return true;
}

/* Returns the option that `word` is, or OPTION_COUNT. `*ret_attached` is as in begins_with_name. A
 * row has one name, or a short and a long one as in "-h, --help". */
static enum option find_option(const char *word, const char **ret_attached)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *first = option_row_at((enum option)i)->name;
        const char *last = option_last_name(option_row_at((enum option)i));
        size_t first_length = last != first ? (size_t)(last - first) - strlen(", ") : 0;

        if (begins_with_name(word, last, strlen(last), ret_attached) ||
            (last != first && begins_with_name(word, first, first_length, ret_attached)))
            return (enum option)i;
    }
    return OPTION_COUNT;
}

static int fail_operand_missing(struct text *message, const struct option_row *row)
{
    options_fail(message, "option", row->name, " lacks its operand; write ");
    text_add(message, row->name);
    text_add_char(message, ' ');
    text_add(message, row->operand);
    return -EINVAL;
}

/* Takes the option in words[0]. Returns how many words that took, or -EINVAL. */
static int take_option(struct parse *parse, size_t count, char *const words[])
{
    /* When an option is given twice, the last one counts, so that a caller can override what a
     * script sets. For filters this is an error: `kill --user alice --user bob` would silently
     * leave alice's tunnels open. */
    static const unsigned filters = 1U << OPTION_TUNNEL_USER | 1U << OPTION_TUNNEL_HOST |
                                    1U << OPTION_TUNNEL_CLIENT | 1U << OPTION_TUNNEL_RULE |
                                    1U << OPTION_MIN_BYTES;
    const char *operand;
    enum option option = find_option(words[0], &operand);
    int taken = 1;

    if (option == OPTION_COUNT)
        return options_fail_unknown_option(parse->message, words[0]);
    const struct option_row *row = option_row_at(option);
    bool is_second = parse->given & 1U << option;
    parse->given |= 1U << option;
    if (row->operand[0] == '\0')
        return operand == NULL
                   ? taken
                   : options_fail(parse->message, "option", words[0], " takes no operand");
    if (operand == NULL && count < 2)
        return fail_operand_missing(parse->message, row);
    if (operand == NULL)
        operand = words[taken++];
    if (is_second && filters & 1U << option)
        return options_fail(parse->message, option_last_name(row), operand,
                            " is the second one; it takes one");
    int error = options_take_operand(parse->options, parse->message, option, operand);
    return error < 0 ? error : taken;
}

/* Keeps a word that is no option. Whether it is one too many is only known with the command. */
static void take_command_word(struct parse *parse, const char *word)
{
    if (parse->operand_count < OPERANDS_MAX)
        parse->operands[parse->operand_count++] = word;
    else if (parse->surplus == NULL)
        parse->surplus = word;
}

/* Whether `--help` or `--version` is among the words that were taken so far. */
static bool is_text_asked(const struct parse *parse)
{
    return parse->given & (1U << OPTION_HELP | 1U << OPTION_VERSION);
}

static int take_words(struct parse *parse, size_t count, char *const words[])
{
    bool is_behind_options = false;
    size_t i = 0;

    while (i < count) {
        bool is_option = !is_behind_options && words[i][0] == '-' && words[i][1] != '\0';
        bool is_mistake_harmless = is_text_asked(parse);
        int taken = 1;

        if (is_option && strcmp(words[i], "--") == 0)
            is_behind_options = true;
        else if (is_option)
            taken = take_option(parse, count - i, words + i);
        else
            take_command_word(parse, words[i]);
        if (taken < 0 && is_mistake_harmless) {
            text_init(parse->message, parse->message->start, parse->message->size);
            return 0;
        }
        if (taken < 0)
            return taken;
        i += (size_t)taken;
    }
    return 0;
}

static int find_command(struct text *message, const char *word, enum command *ret_command)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (word[0] != '\0' && strcmp(word, command_row_at((enum command)i)->word) == 0) {
            *ret_command = (enum command)i;
            return 0;
        }
    }
    return options_fail_unknown_command(message, word);
}

static int check_options_of_command(struct parse *parse)
{
    enum command command = parse->options->command;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!(parse->given & 1U << i) || option_row_at((enum option)i)->commands & 1U << command)
            continue;
        if (command == COMMAND_RUN)
            return options_fail(parse->message, "option", option_row_at((enum option)i)->name,
                                " needs a command; see 'adit --help'");
        options_fail(parse->message, "option", option_row_at((enum option)i)->name,
                     " does not go with");
        return options_fail(parse->message, "", command_row_at(command)->word,
                            "; see 'adit --help'");
    }
    return 0;
}

static int options_take_target(struct parse *parse)
{
    if (parse->operand_count < 2) {
        text_add(parse->message, "explain lacks its operand; write adit explain example.com:443");
        return -EINVAL;
    }
    return options_take_question(parse->options, parse->message, "target", QUESTION_TARGET,
                                 parse->operands[1]);
}

static bool is_tunnel_id(const char *word)
{
    size_t length = strlen(word);

    for (size_t i = 0; i < length; i++)
        if (strchr("0123456789abcdefghjkmnpqrstvwxyz", word[i]) == NULL)
            return false;
    return length > 0 && length <= TUNNEL_ID_MAX;
}

static int options_take_id(struct parse *parse)
{
    if (parse->operand_count < 2)
        return 0;
    parse->options->tunnels.id = parse->operands[1];
    return is_tunnel_id(parse->operands[1]) ? 0
                                            : options_fail(parse->message, "id", parse->operands[1],
                                                           ": write it as 'adit ps' shows it");
}

/* `kill` must say which tunnels it means, so that nobody ends all of them by a word left out. */
static int take_kill(struct parse *parse)
{
    const struct options_tunnels *tunnels = &parse->options->tunnels;
    int error = options_take_id(parse);

    if (error < 0)
        return error;
    if (tunnels->id != NULL || tunnels->user != NULL || tunnels->host != NULL ||
        tunnels->client != NULL || tunnels->rule != NULL)
        return 0;
    text_add(parse->message,
             "kill which? write adit kill ID, as 'adit ps' shows it, or --user USER, "
             "--host HOST, --client ADDR or --rule RULE");
    return -EINVAL;
}

/* Finds out which command the help is asked about, in `stats -h`, `help stats` or `help -h`. */
static int take_topic(struct parse *parse)
{
    struct options *options = parse->options;

    if (options->command == COMMAND_HELP)
        return parse->operand_count < 2
                   ? 0
                   : find_command(parse->message, parse->operands[1], &options->topic);
    options->topic = options->command;
    options->command = COMMAND_HELP;
    return 0;
}

static int fail_unexpected(struct text *message, const char *word)
{
    return options_fail(message, "unexpected operand", word, "; see 'adit --help'");
}

/* Takes the word behind the command, or complains that it is missing or not wanted. */
static int take_command_operand(struct parse *parse)
{
    struct options *options = parse->options;
    bool has_operand = parse->operand_count > 1;

    if (parse->surplus != NULL)
        return fail_unexpected(parse->message, parse->surplus);
    if (options->command == COMMAND_EXPLAIN)
        return options_take_target(parse);
    if (options->command == COMMAND_KILL)
        return take_kill(parse);
    if (options->command == COMMAND_TRACE)
        return options_take_id(parse);
    if (options->command == COMMAND_CHECK && has_operand)
        return options_take_config(parse->options, parse->message, parse->operands[1]);
    if (!has_operand)
        return 0;
    if (options->command == COMMAND_HELP)
        return take_topic(parse);
    return fail_unexpected(parse->message, parse->operands[1]);
}

/* Refuses options that each go with the command but not together. With -c the file says who may use
 * adit, so --from is refused; and `explain` asks either a file or the running adit. */
static int check_together(struct parse *parse)
{
    if (parse->options->command == COMMAND_EXPLAIN && parse->given & 1U << OPTION_SOCKET &&
        parse->given & 1U << OPTION_CONFIG) {
        text_add(parse->message, "-s asks the running adit, -c a file; write one of them");
        return -EINVAL;
    }
    if (!(parse->given & 1U << OPTION_CONFIG) || !(parse->given & 1U << OPTION_FROM))
        return 0;
    text_add(parse->message, "--from does not go with -c; write a rule into the file, as in: "
                             "allow from 10.0.0.0/8 to any");
    return -EINVAL;
}

static int decide_command(struct parse *parse)
{
    struct options *options = parse->options;

    options->is_version_asked = parse->given & 1U << OPTION_VERSION;
    options->is_print_asked = parse->given & 1U << OPTION_PRINT;
    if (parse->given & 1U << OPTION_ALL)
        options->question.words[QUESTION_ALL] = "yes";
    options->is_json_asked = parse->given & 1U << OPTION_JSON;
    if (parse->operand_count > 0) {
        int error = find_command(parse->message, parse->operands[0], &options->command);
        if (error < 0)
            return error;
    }
    if (options->is_version_asked)
        return 0;
    if (parse->given & 1U << OPTION_HELP)
        return take_topic(parse);
    int error = check_options_of_command(parse);
    if (error == 0)
        error = take_command_operand(parse);
    return error < 0 ? error : check_together(parse);
}

int options_parse(size_t count, char *const words[], struct options *ret_options,
                  struct text *message)
{
    struct parse parse = {.options = ret_options, .message = message};

    memset(ret_options, 0, sizeof(*ret_options));
    ret_options->command = COMMAND_RUN;
    ret_options->topic = COMMAND_RUN;
    command_line_init(&ret_options->command_line);
    question_init(&ret_options->question);
    int error = take_words(&parse, count, words);
    if (error == 0)
        error = decide_command(&parse);
    if (ret_options->command_line.config_path == NULL)
        command_line_use_default_listener(&ret_options->command_line);
    return error;
}

const char *command_name(enum command command)
{
    return command == COMMAND_RUN ? "run" : command_row_at(command)->word;
}
