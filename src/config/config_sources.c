/* A file is identified by its kind, its path and, because two lists may share a file, its list. */
#include "config/config_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_NAMED_MAX = 3 };

struct config_sources {
    size_t count;
    struct config_source items[];
};

/* Copies a text; NULL stays NULL. `ret_has_memory` is only ever set to false, so that many copies
 * need one check. */
static const char *source_copy_text(const char *text, bool *ret_has_memory)
{
    size_t size = text != NULL ? strlen(text) + 1 : 0;
    char *result = size > 0 ? malloc(size) : NULL;

    if (result != NULL)
        memcpy(result, text, size);
    *ret_has_memory &= size == 0 || result != NULL;
    return result;
}

int config_sources_create(const struct config *config, struct config_sources **ret_sources)
{
    struct config_sources *sources =
        calloc(1, sizeof(*sources) + config->source_count * sizeof(sources->items[0]));
    bool has_memory = sources != NULL;

    for (size_t i = 0; has_memory && i < config->source_count; i++) {
        struct config_source *item = &sources->items[sources->count++];

        *item = config->sources[i];
        item->path = source_copy_text(item->path, &has_memory);
        item->list = source_copy_text(item->list, &has_memory);
    }
    if (!has_memory) {
        config_sources_destroy(sources);
        return -ENOMEM;
    }
    *ret_sources = sources;
    return 0;
}

void config_sources_destroy(struct config_sources *sources)
{
    for (size_t i = 0; sources != NULL && i < sources->count; i++) {
        free((char *)sources->items[i].path);
        free((char *)sources->items[i].list);
    }
    free(sources);
}

/* `list` is only compared for list files: both sources have one then, because they are of the same
 * kind. */
static bool source_is_same(const struct config_source *a, const struct config_source *b)
{
    return a->kind == b->kind && strcmp(a->path, b->path) == 0 &&
           (a->list == NULL || strcmp(a->list, b->list) == 0);
}

/* Returns how much the source had before; 0 when it was not there. */
static size_t find_count(const struct config_sources *before, const struct config_source *source)
{
    for (size_t i = 0; i < before->count; i++)
        if (source_is_same(&before->items[i], source))
            return before->items[i].count;
    return 0;
}

/* Whether what the condition matches depends on what the source holds. */
static bool condition_goes_by(const struct config *config, const struct policy_condition *condition,
                              const struct config_source *source)
{
    if (source->kind == CONFIG_SOURCE_USERS)
        return condition->kind == POLICY_USER && condition->value_count > 0;
    for (size_t i = 0; source->kind == CONFIG_SOURCE_LIST && i < condition->value_count; i++)
        if (condition->values[i].kind == POLICY_VALUE_LIST &&
            strcmp(config->policy.lists[condition->values[i].index].name, source->list) == 0)
            return true;
    return false;
}

static bool goes_by(const struct config *config, const struct policy_rule_source *rule,
                    const struct config_source *source)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        if (condition_goes_by(config, &rule->conditions[i], source))
            return true;
    return false;
}

static bool admin_goes_by(const struct config *config, const struct config_source *source)
{
    return listener_set_first(&config->listeners, LISTENER_ADMIN) != NULL &&
           (condition_goes_by(config, &config->admin_users, source) ||
            condition_goes_by(config, &config->admin_from, source));
}

/* Adds which rules depend on the source, so that the reader sees what the loss means. Only the
 * first RULES_NAMED_MAX are named; the others are counted. */
static void sources_add_rules(struct text *out, const struct config *config,
                              const struct config_source *source)
{
    size_t count = 0;

    for (size_t i = 0; i < config->policy.rule_count; i++) {
        const struct policy_rule_source *rule = &config->policy.rules[i];

        if (!goes_by(config, rule, source) || ++count > RULES_NAMED_MAX)
            continue;
        text_add(out, count == 1 ? " by rule " : ", ");
        text_add(out, rule->name);
    }
    if (count > RULES_NAMED_MAX) {
        text_add(out, " and ");
        text_add_decimal(out, count - RULES_NAMED_MAX);
        text_add(out, " more");
    }
    if (admin_goes_by(config, source))
        text_add(out, count == 0 ? " by admin" : ", and by admin");
    else if (count == 0)
        text_add(out, " by no rule");
}

static void add_statements(struct text *out, size_t count)
{
    text_add_decimal(out, count);
    text_add(out, count == 1 ? " statement" : " statements");
}

static void sources_warn(struct diagnostics *diagnostics, const struct config *config,
                         const struct config_source *source, size_t count)
{
    const struct config_place place = {.file = source->path};
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    text_add(&message, "nothing is in it any more, it had ");
    switch (source->kind) {
    case CONFIG_SOURCE_STATEMENTS:
        add_statements(&message, count);
        break;
    case CONFIG_SOURCE_LIST:
        text_add_decimal(&message, count);
        text_add(&message, count == 1 ? " entry" : " entries");
        text_add(&message, "; the list '");
        text_add(&message, source->list);
        text_add(&message, "' is used");
        sources_add_rules(&message, config, source);
        break;
    case CONFIG_SOURCE_USERS:
        text_add_decimal(&message, count);
        text_add(&message, count == 1 ? " user" : " users");
        text_add(&message, "; nobody can log in, and users are named");
        sources_add_rules(&message, config, source);
        break;
    }
    diagnostics_add(diagnostics, true, &place, buffer);
}

static bool is_there(const struct config *config, const struct config_source *source)
{
    for (size_t i = 0; i < config->source_count; i++)
        if (source_is_same(&config->sources[i], source))
            return true;
    return false;
}

static void warn_gone(struct diagnostics *diagnostics, const struct config_source *source)
{
    const struct config_place place = {.file = source->path};
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    text_add(&message, "it is not included any more, it had ");
    add_statements(&message, source->count);
    diagnostics_add(diagnostics, true, &place, buffer);
}

void config_sources_compare(const struct config_sources *before, const struct config *config,
                            struct diagnostics *diagnostics)
{
    for (size_t i = 0; before != NULL && i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        size_t count = source->count == 0 ? find_count(before, source) : 0;

        if (count > 0)
            sources_warn(diagnostics, config, source, count);
    }
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        const struct config_source *source = &before->items[i];

        if (source->kind == CONFIG_SOURCE_STATEMENTS && source->count > 0 &&
            !is_there(config, source))
            warn_gone(diagnostics, source);
    }
}
