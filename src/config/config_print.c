/* Prints the effective configuration as text. What is in force but can't be written in the language
 * (that a limit is not set, the system's name servers, the command line's -w and -s) becomes a
 * comment.
 */
#include "config/builder.h"

#include "config/list_file.h"
#include "config/week_time.h"

#include <string.h>

/* Room for one piece of output. A path or a name could be longer with every byte escaped, so these
 * are written byte by byte. */
enum { PRINT_PIECE_MAX = 512 };

struct printer {
    void (*write)(void *self, const char *bytes, size_t length);
    void *self;
    const struct config *config;
};

static void printer_put(struct printer *printer, const char *string)
{
    printer->write(printer->self, string, strlen(string));
}

/* Writes the string in quotes. Inside them only a quote, a backslash and the beginning of a
 * variable mean something else, so only these need a backslash. */
static void put_quoted(struct printer *printer, const char *string)
{
    printer_put(printer, "\"");
    for (; *string != '\0'; string++) {
        if (*string == '"' || *string == '\\' || (string[0] == '$' && string[1] == '{'))
            printer_put(printer, "\\");
        printer->write(printer->self, string, 1);
    }
    printer_put(printer, "\"");
}

/* Quotes the word where a rule would take it for something else. */
static void put_word(struct printer *printer, const char *word)
{
    if (lexer_is_plain(word) && !lexer_is_rule_keyword(word) && strcmp(word, "any") != 0)
        printer_put(printer, word);
    else
        put_quoted(printer, word);
}

static void put_number(struct printer *printer, uint64_t number, unsigned width)
{
    char buffer[PRINT_PIECE_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_add_padded(&text, number, width);
    printer_put(printer, buffer);
}

static void put_endpoint(struct printer *printer, const struct ip_endpoint *endpoint)
{
    char buffer[IP_ENDPOINT_TEXT_SIZE];

    printer_put(printer, ip_endpoint_text(buffer, endpoint));
}

static void put_network(struct printer *printer, const struct ip_network *network)
{
    char buffer[PRINT_PIECE_MAX];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    ip_network_print(&text, network);
    printer_put(printer, buffer);
}

/* -- values */

static void put_time(struct printer *printer, const struct policy_value *value)
{
    unsigned count = 0;
    unsigned first = 0;

    for (unsigned day = 0; day < 7; day++) {
        unsigned before = (day + 6) % 7;

        count += value->time.days >> day & 1;
        if (value->time.days >> day & 1 && !(value->time.days >> before & 1))
            first = day;
    }
    if (count < 7) {
        printer_put(printer, week_day_name(first));
        printer_put(printer, count > 1 ? "-" : "");
        printer_put(printer, count > 1 ? week_day_name((first + count - 1) % 7) : "");
        printer_put(printer, " ");
    }
    put_number(printer, value->time.first_minute / 60, 2);
    printer_put(printer, ":");
    put_number(printer, value->time.first_minute % 60, 2);
    printer_put(printer, "-");
    put_number(printer, value->time.end_minute / 60, 2);
    printer_put(printer, ":");
    put_number(printer, value->time.end_minute % 60, 2);
}

static void put_name(struct printer *printer, const char *name)
{
    if (strchr(name, '.') != NULL || strcmp(name, "localhost") == 0)
        printer_put(printer, name);
    else
        put_quoted(printer, name);
}

static void put_ports(struct printer *printer, const struct policy_value *value)
{
    put_number(printer, value->ports.first, 1);
    if (value->ports.first == value->ports.last)
        return;
    printer_put(printer, "-");
    put_number(printer, value->ports.last, 1);
}

static void put_value(struct printer *printer, const struct policy_value *value)
{
    switch (value->kind) {
    case POLICY_VALUE_ANY:
        printer_put(printer, "any");
        break;
    case POLICY_VALUE_SPECIAL:
        printer_put(printer, "special");
        break;
    case POLICY_VALUE_PRIVATE:
        printer_put(printer, "private");
        break;
    case POLICY_VALUE_LOOPBACK:
        printer_put(printer, "loopback");
        break;
    case POLICY_VALUE_NETWORK:
        put_network(printer, &value->network);
        break;
    case POLICY_VALUE_NAME:
        put_name(printer, value->text);
        break;
    case POLICY_VALUE_SUFFIX:
        printer_put(printer, "*.");
        printer_put(printer, value->text);
        break;
    case POLICY_VALUE_LIST:
        printer_put(printer, printer->config->policy.lists[value->index].name);
        break;
    case POLICY_VALUE_USER:
    case POLICY_VALUE_WORD:
        put_word(printer, value->text);
        break;
    case POLICY_VALUE_GROUP:
        printer_put(printer, "@");
        printer_put(printer, printer->config->policy.groups[value->index].name);
        break;
    case POLICY_VALUE_PORTS:
        put_ports(printer, value);
        break;
    case POLICY_VALUE_LISTENER:
        put_endpoint(printer, &value->listener);
        break;
    case POLICY_VALUE_TIME:
        put_time(printer, value);
        break;
    case POLICY_VALUE_KIND_COUNT:
        break;
    }
}

static void put_values(struct printer *printer, const struct policy_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printer_put(printer, i > 0 ? ", " : "");
        put_value(printer, &values[i]);
    }
}

static void put_condition(struct printer *printer, const struct policy_condition *condition)
{
    static const char *const names[] = {
        [POLICY_FROM] = "from",         [POLICY_USER] = "user", [POLICY_TO] = "to",
        [POLICY_ADDRESS] = "address",   [POLICY_PORT] = "port", [POLICY_LISTENER] = "listener",
        [POLICY_TIME] = "time",         [POLICY_SNI] = "sni",   [POLICY_JA4] = "ja4",
        [POLICY_PROTOCOL] = "protocol",
    };
    static_assert(ARRAY_LENGTH(names) == POLICY_CONDITION_COUNT, "a name for every condition");

    printer_put(printer, " ");
    printer_put(printer, names[condition->kind]);
    printer_put(printer, condition->is_negated ? " not " : " ");
    put_values(printer, condition->values, condition->value_count);
}

/* -- statements */

static void put_listeners(struct printer *printer)
{
    const struct listener_set *listeners = &printer->config->listeners;

    for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++) {
        printer_put(printer, "listen ");
        put_endpoint(printer, &listeners->all[i].written);
        printer_put(printer, "\n");
    }
}

static void put_admin(struct printer *printer)
{
    const struct config *config = printer->config;
    const struct listener *admin = listener_set_first(&config->listeners, LISTENER_ADMIN);

    if (admin == NULL) {
        printer_put(printer, "admin off\n");
        return;
    }
    printer_put(printer, "admin ");
    put_endpoint(printer, &admin->written);
    if (config->admin_users.value_count > 0)
        put_condition(printer, &config->admin_users);
    if (config->admin_from.value_count > 0)
        put_condition(printer, &config->admin_from);
    for (size_t i = 0; i < config->admin_name_count; i++) {
        printer_put(printer, i > 0 ? ", " : " name ");
        put_name(printer, config->admin_names[i]);
    }
    printer_put(printer, "\n");
}

static void put_control(struct printer *printer)
{
    if (printer->config->control_path == NULL)
        return;
    printer_put(printer, "control ");
    put_quoted(printer, printer->config->control_path);
    printer_put(printer, "\n");
}

static void put_resolver(struct printer *printer)
{
    const struct config *config = printer->config;
    char buffer[RESOLV_SERVER_TEXT_SIZE];
    struct text text;

    printer_put(printer, "resolver");
    for (size_t i = 0; i < config->resolver.server_count; i++) {
        text_init(&text, buffer, sizeof(buffer));
        resolv_server_print(&text, &config->resolver.servers[i]);
        printer_put(printer, i > 0 ? ", " : " ");
        printer_put(printer, buffer);
    }
    printer_put(printer, " timeout ");
}

/* Writes all scalar settings. One that is not set is a comment, since no statement can say that. */
static void put_settings(struct printer *printer)
{
    const struct config *config = printer->config;
    char buffer[PRINT_PIECE_MAX];
    struct text text;

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        uint64_t value = setting_get(&config->values, (enum setting)i);
        bool is_none = value < row->min;

        text_init(&text, buffer, sizeof(buffer));
        setting_print(&text, (enum setting)i, value);
        printer_put(printer, is_none ? "# " : "");
        if (i == SETTING_RESOLVER_TIMEOUT) {
            put_resolver(printer);
        } else {
            printer_put(printer, row->statement);
            printer_put(printer, " ");
            printer_put(printer, row->word);
            printer_put(printer, " ");
        }
        printer_put(printer, is_none ? "none" : buffer);
        printer_put(printer, row->per[0] != '\0' ? " per " : "");
        printer_put(printer, row->per);
        printer_put(printer, i == SETTING_RESOLVER_TIMEOUT && !config->has_resolver
                                 ? " # of the servers of /etc/resolv.conf\n"
                                 : "\n");
    }
}

static void put_log(struct printer *printer)
{
    static const char *const words[] = {
        [CONFIG_LOG_STDERR] = "stderr",
        [CONFIG_LOG_STDOUT] = "stdout",
        [CONFIG_LOG_FILE] = "",
        [CONFIG_LOG_OFF] = "off",
    };
    static_assert(ARRAY_LENGTH(words) == CONFIG_LOG_TARGET_COUNT, "a word for every target");
    const struct config *config = printer->config;
    bool is_first = true;

    printer_put(printer, "log ");
    if (config->log_target == CONFIG_LOG_FILE)
        put_quoted(printer, config->log_path);
    else
        printer_put(printer, words[config->log_target]);
    printer_put(printer, " format ");
    printer_put(printer, config_log_format_name(config->log_format));
    for (size_t i = 0; i < CONFIG_LOG_EVENT_COUNT; i++) {
        if (!(config->log_events & 1U << i))
            continue;
        printer_put(printer, is_first ? " events " : ", ");
        printer_put(printer, config_log_event_name((enum config_log_event)i));
        is_first = false;
    }
    printer_put(printer, "\n");
}

static void printer_put_group(struct printer *printer, const struct group_draft *group)
{
    printer_put(printer, "group ");
    printer_put(printer, group->name);
    printer_put(printer, " { ");
    for (size_t i = 0; i < group->users.count; i++) {
        printer_put(printer, i > 0 ? ", " : "");
        put_quoted(printer, ((const char *const *)group->users.items)[i]);
    }
    printer_put(printer, " }\n");
}

/* Writes `3 entries (plain), 2 entries (hosts); in 1 line what is no entry is skipped`. */
static void put_counts(struct printer *printer, const struct list_file *file)
{
    bool is_first = true;

    for (size_t i = 0; i < LIST_FILE_FORMAT_COUNT; i++) {
        size_t count = file->entry_counts[i];

        if (count == 0)
            continue;
        printer_put(printer, is_first ? "" : ", ");
        put_number(printer, count, 1);
        printer_put(printer, count == 1 ? " entry (" : " entries (");
        printer_put(printer, list_file_format_name((enum list_file_format)i));
        printer_put(printer, ")");
        is_first = false;
    }
    printer_put(printer, is_first ? "no entries" : "");
    if (file->skipped_count == 0)
        return;
    printer_put(printer, "; in ");
    put_number(printer, file->skipped_count, 1);
    printer_put(printer, file->skipped_count == 1 ? " line" : " lines");
    printer_put(printer, " what is no entry is skipped");
}

/* Writes one statement for all entries that were written out, and one for each file. A list that
 * has neither gets a statement, too, because rules may name it. */
static void put_list(struct printer *printer, const struct list_draft *list)
{
    const struct list_file *files = list->files.items;

    if (list->values.count > 0 || list->files.count == 0) {
        printer_put(printer, "list ");
        printer_put(printer, list->name);
        printer_put(printer, " { ");
        put_values(printer, list->values.items, list->values.count);
        printer_put(printer, " }\n");
    }
    for (size_t i = 0; i < list->files.count; i++) {
        printer_put(printer, "list ");
        printer_put(printer, list->name);
        printer_put(printer, " file ");
        put_quoted(printer, files[i].path);
        printer_put(printer, files[i].is_lenient ? " lenient # " : " # ");
        put_counts(printer, &files[i]);
        printer_put(printer, "\n");
    }
}

static void put_rule(struct printer *printer, const struct rule_draft *rule)
{
    printer_put(printer, rule->source.is_report ? "report " : "");
    printer_put(printer, rule->source.is_allow ? "allow" : "deny");
    for (size_t i = 0; i < rule->source.condition_count; i++)
        put_condition(printer, &rule->source.conditions[i]);
    printer_put(printer, rule->is_named ? " as " : " # ");
    if (rule->is_named)
        put_quoted(printer, rule->source.name);
    else
        printer_put(printer, rule->source.name);
    printer_put(printer, "\n");
}

void config_print(const struct config *config,
                  void (*write)(void *self, const char *bytes, size_t length), void *self)
{
    const struct config_draft *draft = container_of(config, struct config_draft, config);
    struct printer printer = {.write = write, .self = self, .config = config};

    put_listeners(&printer);
    put_admin(&printer);
    put_control(&printer);
    if (config->users_path != NULL) {
        printer_put(&printer, "users file ");
        put_quoted(&printer, config->users_path);
        printer_put(&printer, "\n");
    }
    put_settings(&printer);
    put_log(&printer);
    for (size_t i = 0; i < draft->groups.count; i++)
        printer_put_group(&printer, (const struct group_draft *)draft->groups.items + i);
    for (size_t i = 0; i < draft->lists.count; i++)
        put_list(&printer, (const struct list_draft *)draft->lists.items + i);
    for (size_t i = 0; i < draft->rules.count; i++)
        put_rule(&printer, (const struct rule_draft *)draft->rules.items + i);
}

void config_print_list_files(const struct config *config,
                             void (*write)(void *self, const char *bytes, size_t length),
                             void *self)
{
    const struct config_draft *draft = container_of(config, struct config_draft, config);
    const struct list_draft *lists = draft->lists.items;
    struct printer printer = {.write = write, .self = self, .config = config};

    for (size_t i = 0; i < draft->lists.count; i++) {
        const struct list_file *files = lists[i].files.items;

        for (size_t j = 0; j < lists[i].files.count; j++) {
            printer_put(&printer, files[j].path);
            printer_put(&printer, ": ");
            put_counts(&printer, &files[j]);
            printer_put(&printer, "\n");
        }
    }
}

void config_print_condition(const struct config *config, const struct policy_condition *condition,
                            void (*write)(void *self, const char *bytes, size_t length), void *self)
{
    struct printer printer = {write, self, config};

    put_condition(&printer, condition);
}
