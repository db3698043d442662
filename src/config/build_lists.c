/* Lists and groups. Both accumulate: a second statement with the same name adds to the first one.
 * Both may be used before they are defined, so the first statement that mentions a name creates the
 * list or group, and only the check at the end (build_check.c) knows whether it was ever defined.
 */
#include "config/builder.h"

#include "config/list_entry.h"
#include "config/list_file.h"
#include "policy/name_set.h"
#include "policy/network_set.h"

#include <errno.h>
#include <string.h>

bool build_find_list(struct config_builder *builder, const struct config_word *name,
                     size_t *ret_index)
{
    struct vector *lists = &builder->draft->lists;
    struct list_draft *drafts = lists->items;

    for (size_t i = 0; i < lists->count; i++)
        if (strcmp(drafts[i].name, name->text) == 0) {
            *ret_index = i;
            return true;
        }
    struct list_draft *list = vector_push(&builder->draft->arena, lists, sizeof(*list));
    if (list == NULL)
        return false;
    list->name = name->text;
    list->place = name->place;
    if (name_set_create(&list->names) < 0 || network_set_create(&list->networks) < 0) {
        builder->draft->arena.is_exhausted = true;
        return false;
    }
    *ret_index = lists->count - 1;
    return true;
}

bool build_find_group(struct config_builder *builder, const struct config_word *name,
                      size_t skipped, size_t *ret_index)
{
    struct vector *groups = &builder->draft->groups;
    struct group_draft *drafts = groups->items;

    for (size_t i = 0; i < groups->count; i++)
        if (strcmp(drafts[i].name, name->text + skipped) == 0) {
            *ret_index = i;
            return true;
        }
    struct group_draft *group = vector_push(&builder->draft->arena, groups, sizeof(*group));
    if (group == NULL)
        return false;
    group->name = name->text + skipped;
    group->place = name->place;
    *ret_index = groups->count - 1;
    return true;
}

void build_begin_list(struct config_builder *builder, const struct config_word *name)
{
    size_t index;

    if (!build_find_list(builder, name, &index))
        return;
    struct list_draft *list = (struct list_draft *)builder->draft->lists.items + index;
    list->is_begun = true;
    list->unended_count++; /* define_list takes it back when the whole definition was read */
}

void build_begin_group(struct config_builder *builder, const struct config_word *name)
{
    size_t index;

    if (build_find_group(builder, name, 0, &index))
        ((struct group_draft *)builder->draft->groups.items)[index].is_begun = true;
}

/* Words that mean something else in a rule, so that they can't name a list. */
static bool is_value_keyword(const char *text)
{
    static const char *const words[] = {"any", "special", "private", "loopback"};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (strcmp(words[i], text) == 0)
            return true;
    return false;
}

/* Returns true for a name that can be written without quotes and that no rule takes for something
 * else; any other is reported. */
static bool list_check_name(struct config_builder *builder, const struct config_word *name,
                            const char *what)
{
    if (lexer_is_rule_keyword(name->text) || is_value_keyword(name->text) ||
        strcmp(name->text, "localhost") == 0) {
        builder_error(builder, &name->place, "'", name->text,
                      "' is a word of the language; call the ", what, " something else", NULL);
        return false;
    }
    if (!lexer_is_plain(name->text) || strchr(name->text, '.') != NULL) {
        builder_error(builder, &name->place, "'", name->text, "' can't be the name of a ", what,
                      ": write letters, digits, - and _", NULL);
        return false;
    }
    return true;
}

void build_group(struct config_builder *builder, const struct config_word *name,
                 const struct vector *users)
{
    const struct config_word *words = users->items;
    size_t index;

    if (!list_check_name(builder, name, "group") || !build_find_group(builder, name, 0, &index))
        return;
    struct group_draft *group = (struct group_draft *)builder->draft->groups.items + index;
    if (!group->is_defined)
        group->place = name->place;
    group->is_defined = true;
    for (size_t i = 0; i < users->count; i++) {
        if (!words[i].is_quoted && words[i].text[0] == '@') {
            builder_error(builder, &words[i].place, "'", words[i].text,
                          "': a group holds users, not groups", NULL);
            continue;
        }
        if (!build_user(builder, &words[i]))
            continue;
        const char **user =
            vector_push(&builder->draft->arena, &group->users, sizeof(words[i].text));
        if (user == NULL)
            return;
        *user = words[i].text;
    }
}

static struct list_draft *define_list(struct config_builder *builder,
                                      const struct config_word *name)
{
    size_t index;

    if (!list_check_name(builder, name, "list") || !build_find_list(builder, name, &index))
        return NULL;
    struct list_draft *list = (struct list_draft *)builder->draft->lists.items + index;
    if (!list->is_defined)
        list->place = name->place;
    list->is_defined = true;
    list->unended_count--;
    return list;
}

static void add_entry(struct config_builder *builder, struct list_draft *list,
                      const struct list_entry *entry)
{
    struct arena *arena = &builder->draft->arena;
    struct policy_value values[2];
    size_t count = build_entry_values(builder, entry, values);

    for (size_t i = 0; i < count; i++) {
        struct policy_value *value = vector_push(arena, &list->values, sizeof(*value));

        if (value != NULL)
            *value = values[i];
    }
    if (list_entry_add(entry, list->names, list->networks) < 0)
        arena->is_exhausted = true;
}

void build_list(struct config_builder *builder, const struct config_word *name,
                const struct vector *values)
{
    const struct config_word *words = values->items;
    struct list_draft *list = define_list(builder, name);
    size_t errors = diagnostics_error_count(builder->diagnostics);

    for (size_t i = 0; i < values->count && list != NULL; i++) {
        struct list_entry entry;
        char buffer[DIAGNOSTIC_MESSAGE_SIZE];
        struct text message;

        text_init(&message, buffer, sizeof(buffer));
        if (!words[i].is_quoted && is_value_keyword(words[i].text))
            builder_error(builder, &words[i].place, "'", words[i].text,
                          "' can't stand in a list; write it beside the list in the rule", NULL);
        else if (list_entry_parse(words[i].text, words[i].length, &entry, &message) < 0)
            builder_error(builder, &words[i].place, buffer, NULL);
        else if (!words[i].is_quoted && entry.kind == LIST_ENTRY_NAME &&
                 strchr(words[i].text, '.') == NULL && strcmp(words[i].text, "localhost") != 0)
            builder_error(builder, &words[i].place, "'", words[i].text,
                          "' has no dot; a host name with a single label is quoted, as in \"",
                          words[i].text, "\"", NULL);
        else
            add_entry(builder, list, &entry);
    }
    if (list != NULL)
        list->is_bad |= diagnostics_error_count(builder->diagnostics) > errors;
}

void build_list_file(struct config_builder *builder, const struct config_word *name,
                     const struct config_word *word, bool is_lenient)
{
    struct arena *arena = &builder->draft->arena;
    struct list_draft *list = define_list(builder, name);
    const char *path = builder_join_path(builder, word->text);
    const char *text;
    size_t length;

    if (list == NULL || path == NULL)
        return;
    struct list_file *file = vector_push(arena, &list->files, sizeof(*file));
    if (file == NULL)
        return;
    *file = (struct list_file){.path = path, .is_lenient = is_lenient};
    int error = builder->reader->read(builder->reader, path, CONFIG_LIST_MAX, &text, &length);
    if (error < 0) {
        list->is_bad = true;
        builder_report_io(builder, &word->place, path, error);
        return;
    }
    error = list_file_parse(file, text, length, builder->diagnostics, list->names, list->networks);
    list->is_bad |= error < 0;
    if (error == -ENOMEM)
        arena->is_exhausted = true;
    size_t count = 0;
    for (size_t i = 0; i < LIST_FILE_FORMAT_COUNT; i++)
        count += file->entry_counts[i];
    builder_add_source(builder, CONFIG_SOURCE_LIST, path, list->name, count);
}
