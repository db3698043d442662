/* The command line, driven by command.def.
 *
 * Options and operands may stand in any order: a first pass over the words takes options (each row
 * has a function that stores its operand) and collects operands; only then it is known which
 * command was asked for, and whether every option given goes with it. `--help` and `--version` win
 * over all that: over operands that are missing or too many, options that do not go together or
 * with the command, and whatever is wrong with a word behind them. They do not win over a malformed
 * word before them, nor over an unknown command.
 *
 * A message names the word, what is wrong with it and what would be right. Words come from a
 * person, but may hold anything: they are quoted, escaped and cut.
 */
#include "cli/options.h"

#include "base/ascii.h"
#include "base/escape.h"
#include "config/list_entry.h"
#include "config/setting.h"
#include "config/suggest.h"
#include "wire/basic_auth.h"

#include <errno.h>
#include <string.h>

enum option {
#define COMMAND(suffix, word, operand, summary, manual)
#define OPTION(suffix, name, operand, commands, summary, manual) OPTION_##suffix,
#include "cli/command.def"
#undef OPTION
#undef COMMAND
    OPTION_COUNT,
};

enum command_bits {
#define COMMAND(suffix, word, operand, summary, manual) FOR_##suffix = 1 << COMMAND_##suffix,
#define OPTION(suffix, name, operand, commands, summary, manual)
#include "cli/command.def"
#undef OPTION
#undef COMMAND
    FOR_ALL = (1 << COMMAND_COUNT) - 1,
};

struct command_row {
    const char *word;
    const char *operand;
    const char *summary;
    const char *manual;
};

struct option_row {
    const char *name; /* with its dashes */
    const char *operand;
    unsigned commands;
    const char *summary;
    const char *manual;
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
static_assert(OPTION_COUNT <= 32, "struct parse has a bit for every option");

/* help COMMAND is the longest: a command and its operand. */
enum { OPERANDS_MAX = 2, QUOTE_MAX = 80, TUNNEL_ID_MAX = 13 };

struct parse {
    struct options *options;
    struct text *message;
    unsigned given; /* a bit an option */
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
    const char *surplus; /* the first operand that is one too many, or NULL */
};

/* -- messages */

static void quote(struct text *out, const char *word)
{
    text_add_char(out, '\'');
    escape_add(out, word, strlen(word), QUOTE_MAX, ESCAPE_PLAIN);
    text_add_char(out, '\'');
}

/* BEFORE 'WORD'AFTER. Always -EINVAL, for the caller to return. */
static int options_fail(struct text *message, const char *before, const char *word,
                        const char *after)
{
    text_add(message, before);
    text_add_char(message, ' ');
    quote(message, word);
    text_add(message, after);
    return -EINVAL;
}

/* The only name of an option, or the long one of two. */
static const char *last_name(const struct option_row *row)
{
    const char *blank = strchr(row->name, ' ');

    return blank != NULL ? blank + 1 : row->name;
}

/* `-f` is probably short for `--from`. */
static bool is_short_form(const char *word, const char *name)
{
    return word[0] == '-' && word[1] == name[2] && word[2] == '\0';
}

static int fail_unknown(struct text *message, const char *what, const char *word, const char *meant)
{
    options_fail(message, what, word, "");
    if (meant != NULL)
        suggest_name(message, meant);
    else
        text_add(message, "; see 'adit --help'");
    return -EINVAL;
}

static int fail_unknown_option(struct text *message, const char *word)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, word);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *name = last_name(&option_rows[i]);

        if (strncmp(name, "--", 2) != 0)
            continue;
        if (is_short_form(word, name))
            return fail_unknown(message, "unknown option", word, name);
        suggestion_try(&suggestion, name);
    }
    return fail_unknown(message, "unknown option", word, suggestion.nearest);
}

static int fail_unknown_command(struct text *message, const char *word)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, word);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        suggestion_try(&suggestion, command_rows[i].word);
    return fail_unknown(message, "unknown command", word, suggestion.nearest);
}

/* -- operands of options */

static const char *explain_bad_endpoint(const char *word)
{
    const char *colon = strchr(word, ':');
    struct ip_address address;

    if (ip_address_parse_v6(word, strlen(word), &address) == 0)
        return ": an IPv6 address needs brackets and a port; write [::1]:10800";
    if (word[0] != '[' && colon == NULL)
        return ": ADDR and PORT are both needed; write 127.0.0.1:10800";
    if (word[0] == ':')
        return ": ADDR is missing; write 127.0.0.1:10800, or 0.0.0.0:10800 for every address";
    if (word[0] != '[' && ip_address_parse_v4(word, (size_t)(colon - word), &address) < 0)
        return ": ADDR must be an IP address, not a name; write 127.0.0.1:10800 or [::1]:10800";
    return ": write an IP address and a port from 0 to 65535, as in 127.0.0.1:10800 or [::1]:10800";
}

static int options_take_listener(struct parse *parse, const char *word)
{
    struct listener_set *listeners = &parse->options->command_line.listeners;
    struct ip_endpoint endpoint;

    if (ip_endpoint_parse(word, strlen(word), &endpoint) < 0)
        return options_fail(parse->message, "-l", word, explain_bad_endpoint(word));
    if (endpoint.port != 0 && listener_set_find(listeners, LISTENER_TUNNELS, &endpoint) != NULL)
        return options_fail(parse->message, "-l", word, " is given twice");
    static_assert(LISTENERS_MAX == 64, "as the text says");
    if (listener_set_count(listeners, LISTENER_TUNNELS) == LISTENERS_MAX)
        return options_fail(parse->message, "-l", word, ": more than 64 listeners");
    const struct listener listener = listener_of(LISTENER_TUNNELS, &endpoint);
    listener_set_add(listeners, &listener);
    return 0;
}

static int take_workers(struct parse *parse, const char *word)
{
    unsigned number = 0;

    for (size_t i = 0; ascii_is_digit(word[i]) && number <= COMMAND_LINE_WORKERS_MAX; i++) {
        number = number * 10 + (unsigned)(word[i] - '0');
        if (word[i + 1] == '\0' && number >= 1 && number <= COMMAND_LINE_WORKERS_MAX) {
            parse->options->command_line.workers = number;
            return 0;
        }
    }
    return options_fail(parse->message, "-w", word, ": write a number of threads from 1 to 256");
}

static int take_socket(struct parse *parse, const char *word)
{
    if (word[0] == '\0')
        return options_fail(parse->message, "-s", word, ": write the path of the control socket");
    parse->options->command_line.control_path = word;
    return 0;
}

static int options_take_network(struct parse *parse, const char *option, const char *word,
                                struct ip_network *ret_network)
{
    int error = ip_network_parse(word, strlen(word), ret_network);

    if (error == -ERANGE) {
        options_fail(parse->message, option, word, ": bits are set behind the prefix");
        suggest_network(parse->message, word, strlen(word));
        return -EINVAL;
    }
    if (error < 0)
        return options_fail(parse->message, option, word,
                            ": not a network; write 10.0.0.0/8, fd00::/8 or a single address");
    return 0;
}

static int options_take_from(struct parse *parse, const char *word)
{
    struct command_line *command_line = &parse->options->command_line;
    struct ip_network network;

    if (strcmp(word, "any") == 0)
        return options_fail(parse->message, "--from", word,
                            ": write 0.0.0.0/0 (and ::/0) for everybody");
    if (options_take_network(parse, "--from", word, &network) < 0)
        return -EINVAL;
    if (command_line->from_count == COMMAND_LINE_FROM_MAX)
        return options_fail(parse->message, "--from", word, ": more than 256 networks");
    command_line->from[command_line->from_count++] = network;
    return 0;
}

static int options_take_config(struct parse *parse, const char *word)
{
    struct command_line *command_line = &parse->options->command_line;

    if (word[0] == '\0')
        return options_fail(parse->message, "-c", word, ": a file name is needed");
    if (command_line->config_path != NULL)
        return options_fail(parse->message, "configuration", word,
                            ": a second file; use include in the first");
    command_line->config_path = word;
    return 0;
}

static int take_question(struct parse *parse, const char *name, enum question_field field,
                         const char *word)
{
    const char *problem;

    if (question_set(&parse->options->question, field, word, &problem) == 0)
        return 0;
    options_fail(parse->message, name, word, ": ");
    text_add(parse->message, problem);
    return -EINVAL;
}

static int take_tunnel_user(struct parse *parse, const char *word)
{
    if (word[0] == '\0' || strlen(word) > BASIC_USER_MAX)
        return options_fail(parse->message, "--user", word,
                            ": a user name of 1 to 255 bytes is needed");
    parse->options->tunnels.user = word;
    return 0;
}

static int take_tunnel_host(struct parse *parse, const char *word)
{
    struct list_entry entry;

    if (list_entry_parse_host(word, strlen(word), &entry) < 0)
        return options_fail(
            parse->message, "--host", word,
            ": not a host; write example.com, *.example.com, .example.com or 192.0.2.7");
    parse->options->tunnels.host = word;
    return 0;
}

static int take_tunnel_client(struct parse *parse, const char *word)
{
    struct ip_network network;

    parse->options->tunnels.client = word;
    return options_take_network(parse, "--client", word, &network);
}

static int take_tunnel_rule(struct parse *parse, const char *word)
{
    if (word[0] == '\0')
        return options_fail(parse->message, "--rule", word, ": write a rule as 'adit ps' shows it");
    parse->options->tunnels.rule = word;
    return 0;
}

static int take_sort(struct parse *parse, const char *word)
{
    static const char *const keys[] = {"age",  "up",     "down",    "bytes", "client",
                                       "user", "target", "address", "rule"};
    static_assert(ARRAY_LENGTH(keys) == SORT_COUNT, "a word for every key");
    bool is_reversed = word[0] == '-';

    for (size_t i = 0; i < SORT_COUNT; i++) {
        if (strcmp(keys[i], word + is_reversed) != 0)
            continue;
        parse->options->sort = (enum options_sort)i;
        parse->options->is_sort_reversed = is_reversed;
        return 0;
    }
    return options_fail(parse->message, "--sort", word,
                        ": write age, up, down, bytes, client, user, target, address or rule");
}

static int take_min_bytes(struct parse *parse, const char *word)
{
    if (setting_parse_size(word, &parse->options->tunnels.min_bytes) < 0)
        return options_fail(parse->message, "--min-bytes", word,
                            ": write bytes, as in 500, 64k or 10MB");
    return 0;
}

static int options_take_admin(struct parse *parse, const char *word)
{
    struct command_line *command_line = &parse->options->command_line;

    struct ip_endpoint endpoint;

    command_line->is_admin_off = strcmp(word, "off") == 0;
    listener_set_keep(&command_line->listeners, LISTENER_TUNNELS); /* the last word counts */
    if (command_line->is_admin_off)
        return 0;
    if (ip_endpoint_parse(word, strlen(word), &endpoint) < 0)
        return options_fail(parse->message, "-a", word,
                            ": not an address and a port; write " LISTENER_ADMIN_DEFAULT
                            ", or off");
    const struct listener admin = listener_of(LISTENER_ADMIN, &endpoint);
    listener_set_add(&command_line->listeners, &admin);
    return 0;
}

static int take_operand(struct parse *parse, enum option option, const char *word)
{
    switch (option) {
    case OPTION_CONFIG:
        return options_take_config(parse, word);
    case OPTION_USER:
        return take_question(parse, "-u", QUESTION_USER, word);
    case OPTION_CLIENT:
        return take_question(parse, "-f", QUESTION_CLIENT, word);
    case OPTION_AT_LISTENER:
        return take_question(parse, "--listener", QUESTION_LISTENER, word);
    case OPTION_TIME:
        return take_question(parse, "--time", QUESTION_TIME, word);
    case OPTION_SNI:
        return take_question(parse, "--sni", QUESTION_SNI, word);
    case OPTION_PROTOCOL:
        return take_question(parse, "--protocol", QUESTION_PROTOCOL, word);
    case OPTION_TUNNEL_USER:
        return take_tunnel_user(parse, word);
    case OPTION_TUNNEL_HOST:
        return take_tunnel_host(parse, word);
    case OPTION_TUNNEL_CLIENT:
        return take_tunnel_client(parse, word);
    case OPTION_TUNNEL_RULE:
        return take_tunnel_rule(parse, word);
    case OPTION_SORT:
        return take_sort(parse, word);
    case OPTION_MIN_BYTES:
        return take_min_bytes(parse, word);
    case OPTION_LISTEN:
        return options_take_listener(parse, word);
    case OPTION_ADMIN:
        return options_take_admin(parse, word);
    case OPTION_WORKERS:
        return take_workers(parse, word);
    case OPTION_SOCKET:
        return take_socket(parse, word);
    case OPTION_FROM:
        return options_take_from(parse, word);
    case OPTION_ALL:
    case OPTION_PRINT:
    case OPTION_JSON:
    case OPTION_HELP:
    case OPTION_VERSION:
    case OPTION_COUNT:
        break;
    }
    return 0;
}

/* -- words */

/* Whether `word` begins with an option's name of that length; `*ret_attached` is the operand in the
 * same word (`-lADDR`, `--from=CIDR`), or NULL. */
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

/* The option that `word` begins with, or OPTION_COUNT. */
static enum option find_option(const char *word, const char **ret_attached)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *first = option_rows[i].name;
        const char *last = last_name(&option_rows[i]);
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
    /* Of others the last one counts, so that a script may set what its caller may change; but
     * `kill --user alice --user bob` would spare alice, silently. */
    static const unsigned filters = 1U << OPTION_TUNNEL_USER | 1U << OPTION_TUNNEL_HOST |
                                    1U << OPTION_TUNNEL_CLIENT | 1U << OPTION_TUNNEL_RULE |
                                    1U << OPTION_MIN_BYTES;
    const char *operand;
    enum option option = find_option(words[0], &operand);
    int taken = 1;

    if (option == OPTION_COUNT)
        return fail_unknown_option(parse->message, words[0]);
    const struct option_row *row = &option_rows[option];
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
        return options_fail(parse->message, last_name(row), operand,
                            " is the second one; it takes one");
    int error = take_operand(parse, option, operand);
    return error < 0 ? error : taken;
}

static void take_command_word(struct parse *parse, const char *word)
{
    if (parse->operand_count < OPERANDS_MAX)
        parse->operands[parse->operand_count++] = word;
    else if (parse->surplus == NULL)
        parse->surplus = word;
}

/* Whether `--help` or `--version` stood there so far. */
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
        if (word[0] != '\0' && strcmp(word, command_rows[i].word) == 0) {
            *ret_command = (enum command)i;
            return 0;
        }
    }
    return fail_unknown_command(message, word);
}

static int check_options_of_command(struct parse *parse)
{
    enum command command = parse->options->command;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!(parse->given & 1U << i) || option_rows[i].commands & 1U << command)
            continue;
        if (command == COMMAND_RUN)
            return options_fail(parse->message, "option", option_rows[i].name,
                                " needs a command; see 'adit --help'");
        options_fail(parse->message, "option", option_rows[i].name, " does not go with");
        return options_fail(parse->message, "", command_rows[command].word, "; see 'adit --help'");
    }
    return 0;
}

static int options_take_target(struct parse *parse)
{
    if (parse->operand_count < 2) {
        text_add(parse->message, "explain lacks its operand; write adit explain example.com:443");
        return -EINVAL;
    }
    return take_question(parse, "target", QUESTION_TARGET, parse->operands[1]);
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

/* Nobody shall end every tunnel by leaving something out. */
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

/* Of `stats -h`, `help stats`, or both at once. */
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

/* What stands behind the command. */
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
        return options_take_config(parse, parse->operands[1]);
    if (!has_operand)
        return 0;
    if (options->command == COMMAND_HELP)
        return take_topic(parse);
    return fail_unexpected(parse->message, parse->operands[1]);
}

/* Whom a file lets in, it says itself; and a question goes to one policy. */
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

/* -- help */

/* `  LEFT  RIGHT`, RIGHT in a column of its own. */
static void add_row(struct text *out, const char *name, const char *operand, const char *summary)
{
    enum { COLUMN = 24 };
    size_t start = out->length;

    text_add(out, "  ");
    text_add(out, name);
    if (operand[0] != '\0') {
        text_add_char(out, ' ');
        text_add(out, operand);
    }
    do
        text_add_char(out, ' ');
    while (out->length < start + COLUMN && !out->is_truncated);
    text_add(out, summary);
    text_add_char(out, '\n');
}

/* A paragraph, broken at blanks, so that a terminal need not break words. */
static void add_paragraph(struct text *out, const char *words)
{
    enum { WIDTH = 80 };
    size_t column = 0;

    while (*words != '\0') {
        const char *blank = strchr(words, ' ');
        size_t length = blank != NULL ? (size_t)(blank - words) : strlen(words);

        if (column > 0) {
            bool is_full = column + 1 + length > WIDTH;

            text_add_char(out, is_full ? '\n' : ' ');
            column = is_full ? 0 : column + 1;
        }
        text_add_bytes(out, words, length);
        column += length;
        words += length + (blank != NULL);
    }
    text_add_char(out, '\n');
}

static void add_options(struct text *out, enum command command)
{
    text_add(out, "\noptions:\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];

        if (row->commands & 1U << command)
            add_row(out, row->name, row->operand, row->summary);
    }
}

static void add_overview(struct text *out)
{
    text_add(out,
             "usage: adit [OPTION...]          run the proxy\n"
             "       adit COMMAND [OPTION...]  look into a configuration, or the running adit\n"
             "\n"
             "adit is an HTTP CONNECT proxy: it opens tunnels. Try it:\n"
             "  curl -v --http1.1 --proxy http://127.0.0.1:10800/ https://example.com/\n"
             "\ncommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (command_rows[i].word[0] != '\0')
            add_row(out, command_rows[i].word, command_rows[i].operand, command_rows[i].summary);
    }
    add_options(out, COMMAND_RUN);
    text_add(out, "\nexit status: 0 done, 1 it failed, 2 malformed words, 3 explain: denied\n"
                  "See adit(8), adit.conf(5).\n");
}

void options_help(struct text *out, enum command topic)
{
    const struct command_row *row = &command_rows[topic];

    if (topic == COMMAND_RUN) {
        add_overview(out);
        return;
    }
    text_add(out, "usage: adit ");
    text_add(out, row->word);
    if (row->operand[0] != '\0') {
        text_add_char(out, ' ');
        text_add(out, row->operand);
    }
    text_add(out, " [OPTION...]\n\n");
    text_add(out, row->word);
    text_add(out, ": ");
    text_add(out, row->summary);
    text_add(out, "\n");
    add_paragraph(out, row->manual);
    add_options(out, topic);
}

const char *command_name(enum command command)
{
    return command == COMMAND_RUN ? "run" : command_rows[command].word;
}
