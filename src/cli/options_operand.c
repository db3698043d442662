/* Each option that has an operand has a function here, which checks the operand, stores what it
 * means and otherwise says what to write instead. The words are stored as pointers, not copied,
 * where a later step needs them as they were written.
 */
#include "cli/options_operand.h"

#include "base/ascii.h"
#include "cli/options_message.h"
#include "config/list_entry.h"
#include "config/setting.h"
#include "config/suggest.h"
#include "wire/basic_auth.h"

#include <errno.h>
#include <string.h>

static const char *endpoint_explain_bad(const char *word)
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

static int options_take_listener(struct options *options, struct text *message, const char *word)
{
    struct listener_set *listeners = &options->command_line.listeners;
    struct ip_endpoint endpoint;

    if (ip_endpoint_parse(word, strlen(word), &endpoint) < 0)
        return options_fail(message, "-l", word, endpoint_explain_bad(word));
    if (endpoint.port != 0 && listener_set_find(listeners, LISTENER_TUNNELS, &endpoint) != NULL)
        return options_fail(message, "-l", word, " is given twice");
    static_assert(LISTENERS_MAX == 64, "as the text says");
    if (listener_set_count(listeners, LISTENER_TUNNELS) == LISTENERS_MAX)
        return options_fail(message, "-l", word, ": more than 64 listeners");
    const struct listener listener = listener_of(LISTENER_TUNNELS, &endpoint);
    listener_set_add(listeners, &listener);
    return 0;
}

static int options_take_workers(struct options *options, struct text *message, const char *word)
{
    unsigned number = 0;

    /* The loop ends at a number that is too large, long before it could overflow. */
    for (size_t i = 0; ascii_is_digit(word[i]) && number <= COMMAND_LINE_WORKERS_MAX; i++) {
        number = number * 10 + (unsigned)(word[i] - '0');
        if (word[i + 1] == '\0' && number >= 1 && number <= COMMAND_LINE_WORKERS_MAX) {
            options->command_line.workers = number;
            return 0;
        }
    }
    return options_fail(message, "-w", word, ": write a number of threads from 1 to 256");
}

static int options_take_socket(struct options *options, struct text *message, const char *word)
{
    if (word[0] == '\0')
        return options_fail(message, "-s", word, ": write the path of the control socket");
    options->command_line.control_path = word;
    return 0;
}

static int options_parse_network(struct text *message, const char *option, const char *word,
                                 struct ip_network *ret_network)
{
    int error = ip_network_parse(word, strlen(word), ret_network);

    if (error == -ERANGE) {
        options_fail(message, option, word, ": bits are set behind the prefix");
        suggest_network(message, word, strlen(word));
        return -EINVAL;
    }
    if (error < 0)
        return options_fail(message, option, word,
                            ": not a network; write 10.0.0.0/8, fd00::/8 or a single address");
    return 0;
}

static int options_take_from(struct options *options, struct text *message, const char *word)
{
    struct command_line *command_line = &options->command_line;
    struct ip_network network;

    if (strcmp(word, "any") == 0)
        return options_fail(message, "--from", word, ": write 0.0.0.0/0 (and ::/0) for everybody");
    if (options_parse_network(message, "--from", word, &network) < 0)
        return -EINVAL;
    if (command_line->from_count == COMMAND_LINE_FROM_MAX)
        return options_fail(message, "--from", word, ": more than 256 networks");
    command_line->from[command_line->from_count++] = network;
    return 0;
}

int options_take_config(struct options *options, struct text *message, const char *word)
{
    struct command_line *command_line = &options->command_line;

    if (word[0] == '\0')
        return options_fail(message, "-c", word, ": a file name is needed");
    if (command_line->config_path != NULL)
        return options_fail(message, "configuration", word,
                            ": a second file; use include in the first");
    command_line->config_path = word;
    return 0;
}

int options_take_question(struct options *options, struct text *message, const char *name,
                          enum question_field field, const char *word)
{
    const char *problem;

    if (question_set(&options->question, field, word, &problem) == 0)
        return 0;
    options_fail(message, name, word, ": ");
    text_add(message, problem);
    return -EINVAL;
}

static int options_take_tunnel_user(struct options *options, struct text *message, const char *word)
{
    if (word[0] == '\0' || strlen(word) > BASIC_USER_MAX)
        return options_fail(message, "--user", word, ": a user name of 1 to 255 bytes is needed");
    options->tunnels.user = word;
    return 0;
}

static int options_take_tunnel_host(struct options *options, struct text *message, const char *word)
{
    struct list_entry entry;

    if (list_entry_parse_host(word, strlen(word), &entry) < 0)
        return options_fail(
            message, "--host", word,
            ": not a host; write example.com, *.example.com, .example.com or 192.0.2.7");
    options->tunnels.host = word;
    return 0;
}

static int options_take_tunnel_client(struct options *options, struct text *message,
                                      const char *word)
{
    struct ip_network network;

    options->tunnels.client = word;
    return options_parse_network(message, "--client", word, &network);
}

static int options_take_tunnel_rule(struct options *options, struct text *message, const char *word)
{
    if (word[0] == '\0')
        return options_fail(message, "--rule", word, ": write a rule as 'adit ps' shows it");
    options->tunnels.rule = word;
    return 0;
}

static int options_take_sort(struct options *options, struct text *message, const char *word)
{
    static const char *const keys[] = {"age",  "up",     "down",    "bytes", "client",
                                       "user", "target", "address", "rule"};
    static_assert(ARRAY_LENGTH(keys) == SORT_COUNT, "a word for every key");
    bool is_reversed = word[0] == '-';

    for (size_t i = 0; i < SORT_COUNT; i++) {
        if (strcmp(keys[i], word + is_reversed) != 0)
            continue;
        options->sort = (enum options_sort)i;
        options->is_sort_reversed = is_reversed;
        return 0;
    }
    return options_fail(message, "--sort", word,
                        ": write age, up, down, bytes, client, user, target, address or rule");
}

static int options_take_min_bytes(struct options *options, struct text *message, const char *word)
{
    if (setting_parse_size(word, &options->tunnels.min_bytes) < 0)
        return options_fail(message, "--min-bytes", word, ": write bytes, as in 500, 64k or 10MB");
    return 0;
}

static int options_take_admin(struct options *options, struct text *message, const char *word)
{
    struct command_line *command_line = &options->command_line;

    struct ip_endpoint endpoint;

    command_line->is_admin_off = strcmp(word, "off") == 0;
    listener_set_keep(&command_line->listeners, LISTENER_TUNNELS); /* the last word counts */
    if (command_line->is_admin_off)
        return 0;
    if (ip_endpoint_parse(word, strlen(word), &endpoint) < 0)
        return options_fail(message, "-a", word,
                            ": not an address and a port; write " LISTENER_ADMIN_DEFAULT
                            ", or off");
    const struct listener admin = listener_of(LISTENER_ADMIN, &endpoint);
    listener_set_add(&command_line->listeners, &admin);
    return 0;
}

int options_take_operand(struct options *options, struct text *message, enum option option,
                         const char *word)
{
    switch (option) {
    case OPTION_CONFIG:
        return options_take_config(options, message, word);
    case OPTION_USER:
        return options_take_question(options, message, "-u", QUESTION_USER, word);
    case OPTION_CLIENT:
        return options_take_question(options, message, "-f", QUESTION_CLIENT, word);
    case OPTION_AT_LISTENER:
        return options_take_question(options, message, "--listener", QUESTION_LISTENER, word);
    case OPTION_TIME:
        return options_take_question(options, message, "--time", QUESTION_TIME, word);
    case OPTION_SNI:
        return options_take_question(options, message, "--sni", QUESTION_SNI, word);
    case OPTION_PROTOCOL:
        return options_take_question(options, message, "--protocol", QUESTION_PROTOCOL, word);
    case OPTION_TUNNEL_USER:
        return options_take_tunnel_user(options, message, word);
    case OPTION_TUNNEL_HOST:
        return options_take_tunnel_host(options, message, word);
    case OPTION_TUNNEL_CLIENT:
        return options_take_tunnel_client(options, message, word);
    case OPTION_TUNNEL_RULE:
        return options_take_tunnel_rule(options, message, word);
    case OPTION_SORT:
        return options_take_sort(options, message, word);
    case OPTION_MIN_BYTES:
        return options_take_min_bytes(options, message, word);
    case OPTION_LISTEN:
        return options_take_listener(options, message, word);
    case OPTION_ADMIN:
        return options_take_admin(options, message, word);
    case OPTION_WORKERS:
        return options_take_workers(options, message, word);
    case OPTION_SOCKET:
        return options_take_socket(options, message, word);
    case OPTION_FROM:
        return options_take_from(options, message, word);
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
