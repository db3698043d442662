/* The entrance to config/: a builder reads the text, build_finish judges it, and what remains is a
 * struct config in the builder's arena.
 *
 * Without a file, the built-in configuration is a text in the same language, and --from adds lines
 * to it.
 */
#include "config/config.h"

#include "config/builder.h"
#include "config/users_file.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The built-in configuration: a client on this machine may reach whatever it could reach by itself.
 */
static const char built_in[] = "listen " LISTENER_TUNNELS_DEFAULT "\n"
                               "allow from loopback to any, special as \"built-in\"\n"
                               "admin " LISTENER_ADMIN_DEFAULT "\n";

/* Bytes of a line `allow from CIDR to any as "--from CIDR"`, at most. */
enum { FROM_LINE_MAX = 160 };

static void config_add_network(struct text *out, const struct ip_network *network)
{
    ip_address_print(out, &network->address);
    text_add_char(out, '/');
    text_add_decimal(out, network->prefix_length);
}

static void read_built_in(struct config_builder *builder, const struct config_overrides *overrides)
{
    size_t size = sizeof(built_in) + overrides->from_count * FROM_LINE_MAX;
    char *buffer = arena_allocate(&builder->draft->arena, size);
    struct text text;

    if (buffer == NULL)
        return;
    text_init(&text, buffer, size);
    text_add(&text, built_in);
    for (size_t i = 0; i < overrides->from_count; i++) {
        text_add(&text, "allow from ");
        config_add_network(&text, &overrides->from[i]);
        text_add(&text, " to any as \"--from ");
        config_add_network(&text, &overrides->from[i]);
        text_add(&text, "\"\n");
    }
    ENSURE(!text.is_truncated);
    builder_read_text(builder, "built-in", buffer, text.length);
}

static void set_defaults(struct config *config)
{
    setting_set_defaults(&config->values);
    config->log_target = CONFIG_LOG_STDERR;
    config->log_format = CONFIG_LOG_LOGFMT;
    config->log_events = (1U << CONFIG_LOG_EVENT_COUNT) - 1;
}

/* Sets up a builder with an empty draft. Returns 0 or -ENOMEM. */
static int config_begin(struct config_builder *builder, struct config_reader *reader)
{
    *builder = (struct config_builder){.reader = reader};
    builder->draft = calloc(1, sizeof(*builder->draft));
    builder->diagnostics = diagnostics_create();
    if (builder->draft != NULL && builder->diagnostics != NULL) {
        set_defaults(&builder->draft->config);
        return 0;
    }
    free(builder->draft);
    diagnostics_destroy(builder->diagnostics);
    return -ENOMEM;
}

int config_parse(struct config_reader *reader, const char *path,
                 const struct config_overrides *overrides, struct config **ret_config,
                 struct diagnostics **ret_diagnostics)
{
    static const struct config_overrides nothing;
    struct config_builder builder;

    if (overrides == NULL)
        overrides = &nothing;
    if (config_begin(&builder, reader) < 0)
        return -ENOMEM;
    builder.folder = overrides->folder;
    if (path == NULL)
        read_built_in(&builder, overrides);
    else
        builder_read_file(&builder, path, NULL);
    if (path != NULL)
        builder.draft->config.path = arena_copy(&builder.draft->arena, path, strlen(path));
    build_finish(&builder, overrides);
    diagnostics_sort(builder.diagnostics);
    if (builder.draft->arena.is_exhausted) {
        diagnostics_destroy(builder.diagnostics);
        config_destroy(&builder.draft->config);
        return -ENOMEM;
    }
    *ret_diagnostics = builder.diagnostics;
    if (diagnostics_error_count(builder.diagnostics) > 0) {
        config_destroy(&builder.draft->config);
        return -EINVAL;
    }
    *ret_config = &builder.draft->config;
    return 0;
}

/* Whether a `control` statement may exist although none was understood: a text in which something
 * could not be read does not prove that there is none. */
static bool may_hide_control(const struct config_builder *builder)
{
    const struct config_source *sources = builder->draft->sources.items;
    size_t count = builder->statement_count;

    for (size_t i = 0; i < builder->draft->sources.count; i++)
        if (sources[i].kind == CONFIG_SOURCE_STATEMENTS)
            count += sources[i].count;
    return count == 0 || builder->is_cut ||
           (builder->is_control_begun && diagnostics_error_count(builder->diagnostics) > 0);
}

int config_find_control(struct config_reader *reader, const char *path, struct text *ret_path)
{
    struct config_builder builder;
    const char *bytes;
    size_t length;
    int error = reader->read(reader, path, CONFIG_FILE_MAX, &bytes, &length);

    if (error < 0)
        return error;
    if (config_begin(&builder, reader) < 0)
        return -ENOMEM;
    /* builder_read_file would read the file again, which fails for a pipe. */
    builder.paths[builder.depth++] = path;
    builder_read_text(&builder, path, length > 0 ? bytes : "", length);
    if (builder.draft->arena.is_exhausted)
        error = -ENOMEM;
    else if (builder.draft->config.control_path != NULL)
        text_add(ret_path, builder.draft->config.control_path);
    else if (may_hide_control(&builder))
        error = -EINVAL;
    diagnostics_destroy(builder.diagnostics);
    config_destroy(&builder.draft->config);
    return error;
}

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    struct config_draft *draft = container_of(config, struct config_draft, config);
    struct list_draft *lists = draft->lists.items;

    for (size_t i = 0; i < draft->lists.count; i++) {
        name_set_destroy(lists[i].names);
        network_set_destroy(lists[i].networks);
    }
    users_file_destroy(draft->users);
    arena_finish(&draft->arena);
    free(draft);
}
