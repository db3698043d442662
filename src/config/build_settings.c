/* Statements that set one value for all of adit. Each of them may stand once in the configuration;
 * `listen` is the exception and may be repeated.
 */
#include "config/builder.h"

#include "config/suggest.h"
#include "config/users_file.h"
#include "wire/authority.h"

#include <errno.h>
#include <string.h>

/* Notes the place and returns true when the statement stands for the first time; otherwise reports
 * the second one. */
static bool is_first(struct config_builder *builder, struct config_place *noted,
                     const struct config_place *place, const char *what, const char *per)
{
    char buffer[32];
    struct text line;

    if (noted->line == 0) {
        *noted = *place;
        return true;
    }
    text_init(&line, buffer, sizeof(buffer));
    text_add_decimal(&line, noted->line);
    builder_error(builder, place, what, per[0] != '\0' ? " per " : "", per,
                  " is set twice: first in ", noted->file, ":", buffer, NULL);
    return false;
}

static bool parse_endpoint(struct config_builder *builder, const struct config_word *word,
                           struct ip_endpoint *ret_endpoint)
{
    struct ip_address address;

    if (ip_endpoint_parse(word->text, word->length, ret_endpoint) == 0)
        return true;
    if (ip_address_parse_v6(word->text, word->length, &address) == 0)
        builder_error(builder, &word->place, "'", word->text,
                      "': an IPv6 address needs brackets and a port; write [::1]:10800", NULL);
    else if (strchr(word->text, ':') == NULL)
        builder_error(builder, &word->place, "'", word->text,
                      "': an address and a port are both needed; write 127.0.0.1:10800", NULL);
    else
        builder_error(builder, &word->place, "'", word->text,
                      "': write an IP address and a port, as in 127.0.0.1:10800 or [::1]:10800",
                      NULL);
    return false;
}

void build_listen(struct config_builder *builder, const struct config_word *address)
{
    struct listener_draft *drafts = builder->listeners.items;
    struct ip_endpoint endpoint;

    if (!parse_endpoint(builder, address, &endpoint))
        return;
    for (size_t i = 0; i < builder->listeners.count; i++)
        if (endpoint.port != 0 && ip_endpoint_equals(&drafts[i].listener.written, &endpoint)) {
            builder_error(builder, &address->place, "'", address->text, "' is listened on twice",
                          NULL);
            return;
        }
    static_assert(LISTENERS_MAX == 64, "as the text says");
    if (builder->listeners.count == LISTENERS_MAX) {
        builder_error(builder, &address->place, "more than 64 listeners", NULL);
        return;
    }
    struct listener_draft *listener =
        vector_push(&builder->draft->arena, &builder->listeners, sizeof(*listener));
    if (listener != NULL)
        *listener =
            (struct listener_draft){listener_of(LISTENER_TUNNELS, &endpoint), address->place};
}

void build_tls(struct config_builder *builder, const struct config_place *place)
{
    builder_error(builder, place, "not yet: this comes with the TLS listener, in a later version",
                  NULL);
}

/* Returns false when the word is no host name; a diagnostic then says what would be right. */
static bool parse_admin_name(struct config_builder *builder, const struct config_word *word,
                             struct authority *ret_name)
{
    enum authority_error error = authority_parse_host(word->text, word->length, ret_name);
    const char *why = "not a host name; write it as in dash.example.com";

    if (error == AUTHORITY_OK && ret_name->address.family == IP_NONE)
        return true;
    if (error == AUTHORITY_OK)
        why = "the admin page is there for any address; only names need to be written";
    else if (memchr(word->text, ':', word->length) != NULL)
        why = "any port is taken; write the name alone, as in dash.example.com";
    else if (memchr(word->text, '*', word->length) != NULL)
        why = "write each name of the admin page in full, as in dash.example.com";
    builder_error(builder, &word->place, "'", word->text, "': ", why, NULL);
    return false;
}

static void add_admin_names(struct config_builder *builder, const struct vector *words)
{
    struct config *config = &builder->draft->config;
    const struct config_word *word = words->items;

    for (size_t i = 0; i < words->count; i++) {
        struct authority name;

        if (!parse_admin_name(builder, &word[i], &name))
            continue;
        if (config->admin_name_count == CONFIG_ADMIN_NAMES_MAX) {
            builder_error(builder, &word[i].place, "more than 64 names of the admin page", NULL);
            return;
        }
        const char *copy = arena_copy(&builder->draft->arena, name.host, name.host_length);
        if (copy != NULL)
            config->admin_names[config->admin_name_count++] = copy;
    }
}

void build_admin(struct config_builder *builder, const struct config_place *place,
                 const struct admin_draft *admin)
{
    struct config *config = &builder->draft->config;

    if (!is_first(builder, &builder->admin_place, place, "admin", ""))
        return;
    add_admin_names(builder, &admin->names);
    if (!parse_endpoint(builder, &admin->address, &builder->admin))
        return;
    builder->has_admin = true;
    if (admin->users.count > 0)
        build_values(builder, POLICY_USER, &admin->users, &config->admin_users);
    if (admin->from.count > 0)
        build_values(builder, POLICY_FROM, &admin->from, &config->admin_from);
    builder->admin_address_place = admin->address.place;
    if (admin->from.count > 0)
        builder->admin_from_place = ((const struct config_word *)admin->from.items)->place;
}

void build_admin_off(struct config_builder *builder, const struct config_place *place)
{
    is_first(builder, &builder->admin_place, place, "admin", "");
}

void build_control(struct config_builder *builder, const struct config_place *place,
                   const struct config_word *word)
{
    if (!is_first(builder, &builder->control_place, place, "control", ""))
        return;
    const char *path = builder_join_path(builder, word->text);
    if (word->length == 0)
        builder_error(builder, &word->place, "the path of the control socket is empty", NULL);
    else if (path != NULL && strlen(path) > CONFIG_CONTROL_PATH_MAX)
        builder_error(builder, &word->place,
                      "the path of a unix socket has at most 107 bytes; name a shorter one", NULL);
    else
        builder->draft->config.control_path = path;
}

void build_users(struct config_builder *builder, const struct config_place *place,
                 const struct config_word *word)
{
    struct config_draft *draft = builder->draft;
    const char *path = builder_join_path(builder, word->text);
    const char *text;
    size_t length;

    if (!is_first(builder, &builder->users_place, place, "users", "") || path == NULL)
        return;
    draft->config.users_path = path;
    int error = builder->reader->read(builder->reader, path, CONFIG_USERS_MAX, &text, &length);
    if (error < 0) {
        builder_report_io(builder, &word->place, path, error);
        return;
    }
    error = users_file_parse(text, length, path, builder->diagnostics, &draft->users);
    if (error == -ENOMEM)
        draft->arena.is_exhausted = true;
    draft->config.users = draft->users;
    if (error == 0)
        builder_add_source(builder, CONFIG_SOURCE_USERS, path, NULL,
                           users_file_count(draft->users));
}

/* Sets the value, or reports what is wrong with the word. The caller has made sure that the setting
 * stands for the first time. */
static void set_value(struct config_builder *builder, enum setting setting,
                      const struct config_word *word)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;
    uint64_t value;

    text_init(&message, buffer, sizeof(buffer));
    if (setting_parse(setting, word->text, &value, &message) < 0)
        builder_error(builder, &word->place, buffer, NULL);
    else
        setting_set(&builder->draft->config.values, setting, value);
}

void build_resolver(struct config_builder *builder, const struct config_place *place,
                    const struct vector *servers, const struct config_word *timeout)
{
    struct config *config = &builder->draft->config;
    const struct config_word *words = servers != NULL ? servers->items : NULL;

    if (!is_first(builder, &builder->resolver_place, place, "resolver", ""))
        return;
    if (timeout->text != NULL)
        set_value(builder, SETTING_RESOLVER_TIMEOUT, timeout);
    for (size_t i = 0; servers != NULL && i < servers->count; i++) {
        struct resolv_server server;

        if (resolv_server_parse(words[i].text, words[i].length, &server) < 0) {
            builder_error(builder, &words[i].place, "'", words[i].text,
                          "': write a name server's address, as in 127.0.0.53, 127.0.0.54:5353 or "
                          "[::1]:53",
                          NULL);
        } else if (resolv_server_needs_zone(&server)) {
            builder_error(builder, &words[i].place, "'", words[i].text,
                          "': a link-local address needs its interface, as in fe80::1%eth0", NULL);
        } else if (config->resolver.server_count == RESOLV_SERVERS_MAX) {
            builder_error(builder, &words[i].place,
                          "more than 3 name servers: a lookup would time "
                          "out before they are asked",
                          NULL);
            return;
        } else {
            config->resolver.servers[config->resolver.server_count++] = server;
            config->has_resolver = true;
        }
    }
}

/* -- limit, timeout */

static bool has_word(const char *statement, const char *word)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);

        if (strcmp(row->statement, statement) == 0 && strcmp(row->word, word) == 0)
            return true;
    }
    return false;
}

/* Reports an unknown word and what is known there: the `word`s of the statement or, when `of` is
 * given, the `per`s of that word. */
static void report_unknown(struct config_builder *builder, const char *statement, const char *of,
                           const struct config_word *word)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;
    const char *last = NULL;
    struct suggestion suggestion;

    suggestion_init(&suggestion, word->text);
    text_init(&message, buffer, sizeof(buffer));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        const char *name = of != NULL ? row->per : row->word;

        /* Rows of one name stand together, so a name that equals the last one is in the text. */
        if (strcmp(row->statement, statement) != 0 || (of != NULL && strcmp(row->word, of) != 0) ||
            name[0] == '\0' || (last != NULL && strcmp(last, name) == 0))
            continue;
        text_add(&message, last != NULL ? ", " : "");
        text_add(&message, name);
        last = name;
        suggestion_try(&suggestion, name);
    }
    if (suggestion.nearest != NULL) {
        text_init(&message, buffer, sizeof(buffer));
        suggestion_print(&message, &suggestion);
        builder_error(builder, &word->place, "unknown ", statement, " '", word->text, "'", buffer,
                      NULL);
    } else {
        builder_error(builder, &word->place, "unknown ", statement, " '", word->text,
                      "'; expected ", buffer, NULL);
    }
}

void build_setting(struct config_builder *builder, const char *statement,
                   const struct config_word *name, const struct config_word *value,
                   const struct config_word *per)
{
    enum setting setting = setting_find(statement, name->text, per->text != NULL ? per->text : "");
    char what[64];
    struct text text;

    if (setting == SETTING_COUNT && !has_word(statement, name->text)) {
        report_unknown(builder, statement, NULL, name);
        return;
    }
    if (setting == SETTING_COUNT && per->text != NULL) {
        report_unknown(builder, statement, name->text, per);
        return;
    }
    if (setting == SETTING_COUNT) {
        builder_error(builder, &name->place, statement, " ", name->text,
                      " is per something: write `", statement, " ", name->text, " ", value->text,
                      " per client`", NULL);
        return;
    }
    text_init(&text, what, sizeof(what));
    text_add(&text, statement);
    text_add_char(&text, ' ');
    text_add(&text, name->text);
    if (is_first(builder, &builder->setting_places[setting], &name->place, what,
                 setting_row(setting)->per))
        set_value(builder, setting, value);
}

/* -- log */

const char *config_log_format_name(enum config_log_format format)
{
    static const char *const names[] = {
        [CONFIG_LOG_LOGFMT] = "logfmt",
        [CONFIG_LOG_JSON] = "json",
        [CONFIG_LOG_SQUID] = "squid",
    };
    static_assert(ARRAY_LENGTH(names) == CONFIG_LOG_FORMAT_COUNT, "a name for every format");

    REQUIRE((unsigned)format < CONFIG_LOG_FORMAT_COUNT);
    return names[format];
}

const char *config_log_event_name(enum config_log_event event)
{
    static const char *const names[] = {
        [CONFIG_LOG_OPEN] = "open",
        [CONFIG_LOG_CLOSE] = "close",
        [CONFIG_LOG_DENY] = "deny",
        [CONFIG_LOG_AUTH_FAILURE] = "auth_failure",
    };
    static_assert(ARRAY_LENGTH(names) == CONFIG_LOG_EVENT_COUNT, "a name for every event");

    REQUIRE(event < CONFIG_LOG_EVENT_COUNT);
    return names[event];
}

/* Reports a word of `log` that is none of these names. */
static void report_unknown_name(struct config_builder *builder, const struct config_word *word,
                                const char *what, const struct suggestion *suggestion,
                                const char *expected)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    suggestion_print(&message, suggestion);
    builder_error(builder, &word->place, "unknown ", what, " '", word->text, "'",
                  message.length > 0 ? buffer : expected, NULL);
}

static void add_event(struct config_builder *builder, const struct config_word *word)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, word->text);
    for (size_t i = 0; i < CONFIG_LOG_EVENT_COUNT; i++) {
        const char *name = config_log_event_name((enum config_log_event)i);

        if (strcmp(name, word->text) == 0) {
            builder->draft->config.log_events |= 1U << i;
            return;
        }
        suggestion_try(&suggestion, name);
    }
    report_unknown_name(builder, word, "event", &suggestion,
                        "; expected open, close, deny or auth_failure");
}

static void set_format(struct config_builder *builder, const struct config_word *word)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, word->text);
    for (unsigned i = 0; i < CONFIG_LOG_FORMAT_COUNT; i++) {
        const char *name = config_log_format_name((enum config_log_format)i);

        if (strcmp(word->text, name) == 0) {
            builder->draft->config.log_format = (enum config_log_format)i;
            return;
        }
        suggestion_try(&suggestion, name);
    }
    report_unknown_name(builder, word, "format", &suggestion, "; expected logfmt, json or squid");
}

/* A word that is near to a keyword, as in `log stdou`, is hardly meant as a file. */
static void check_path(struct config_builder *builder, const struct config_word *path)
{
    struct suggestion suggestion;
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    suggestion_init(&suggestion, path->text);
    suggestion_try(&suggestion, "stdout");
    suggestion_try(&suggestion, "stderr");
    if (path->length == 0)
        builder_error(builder, &path->place, "the path of the log is empty", NULL);
    if (path->is_quoted || suggestion.nearest == NULL)
        return;
    text_init(&message, buffer, sizeof(buffer));
    suggestion_print(&message, &suggestion);
    builder_error(builder, &path->place, "'", path->text, "' would be a file's name", buffer,
                  " A file of that name is quoted", NULL);
}

void build_log(struct config_builder *builder, const struct config_place *place,
               const struct log_draft *log)
{
    struct config *config = &builder->draft->config;
    const struct config_word *events = log->events.items;

    if (!is_first(builder, &builder->log_place, place, "log", ""))
        return;
    config->log_target = log->target;
    if (log->target == CONFIG_LOG_FILE)
        config->log_path = builder_join_path(builder, log->path.text);
    if (log->target == CONFIG_LOG_FILE)
        check_path(builder, &log->path);
    if (log->format.text != NULL)
        set_format(builder, &log->format);
    if (log->events.count > 0)
        config->log_events = 0;
    for (size_t i = 0; i < log->events.count; i++)
        add_event(builder, &events[i]);
}
