/* How rules are called in the log. A rule with `as` has that name. Any other is called FILE:LINE,
 * where FILE is the shortest end of the file's path, in whole components, that tells it from all
 * other files of the configuration; mostly that is the base name. A relative path is made absolute
 * first, because an adit that runs has it in that form and its rules must be called the same
 * everywhere.
 */
#include "config/builder.h"

#include "policy/policy.h"

#include <string.h>

enum { LINE_DIGITS_MAX = 10 };

/* Names that mean something else wherever a rule is named. */
static const struct {
    const char *name;
    const char *means;
} reserved[] = {
    {POLICY_DEFAULT_RULE, "that no rule matched"},
    {"built-in", "that adit runs without a configuration"},
    {"other", "all rules beyond the first 1024, in the metrics"},
};

/* Returns the name's index in `reserved`, or the number of reserved names when it is not among
 * them. */
static size_t find_reserved(const char *name)
{
    size_t i = 0;

    while (i < ARRAY_LENGTH(reserved) && strcmp(reserved[i].name, name) != 0)
        i++;
    return i;
}

bool build_is_reserved_name(const char *name)
{
    return find_reserved(name) < ARRAY_LENGTH(reserved);
}

void build_check_name(struct config_builder *builder, const struct config_word *name)
{
    bool is_built_in = builder->depth == 0; /* the built-in configuration is read from no file */
    size_t i = find_reserved(name->text);

    if (name->length == 0 || name->length > CONFIG_RULE_NAME_MAX)
        builder_error(builder, &name->place, "a rule's name has 1 to 63 bytes", NULL);
    if (i < ARRAY_LENGTH(reserved) && !is_built_in)
        builder_error(builder, &name->place, "a rule can't be called '", name->text,
                      "': the name means ", reserved[i].means, "; choose another", NULL);
}

/* -- FILE:LINE */

static bool ends_with(const char *path, const char *tail)
{
    size_t length = strlen(path);
    size_t tail_length = strlen(tail);

    if (tail_length > length || strcmp(path + length - tail_length, tail) != 0)
        return false;
    return tail_length == length || path[length - tail_length - 1] == '/';
}

/* Makes the path absolute. Returns NULL when there is no memory. */
static const char *make_absolute(struct arena *arena, const char *folder, const char *path)
{
    if (folder == NULL || path[0] == '/')
        return path;
    size_t size = strlen(folder) + 1 + strlen(path) + 1;
    char *absolute = arena_allocate(arena, size);
    struct text text;

    if (absolute == NULL)
        return NULL;
    text_init(&text, absolute, size);
    text_add(&text, folder);
    text_add_char(&text, '/');
    text_add(&text, path);
    return absolute;
}

/* Collects all files that have statements. Returns false when there is no memory. */
static bool list_files(struct config_draft *draft, const char *folder, struct vector *ret_files)
{
    const struct config_source *sources = draft->sources.items;

    for (size_t i = 0; i < draft->sources.count; i++) {
        if (sources[i].kind != CONFIG_SOURCE_STATEMENTS)
            continue;
        const char **file = vector_push(&draft->arena, ret_files, sizeof(*file));
        if (file == NULL)
            return false;
        *file = make_absolute(&draft->arena, folder, sources[i].path);
        if (*file == NULL)
            return false;
    }
    return true;
}

/* True when the path of another file ends in the same way. */
static bool is_shared(const struct vector *files, const char *file, const char *tail)
{
    const char *const *paths = files->items;

    for (size_t i = 0; i < files->count; i++)
        if (strcmp(paths[i], file) != 0 && ends_with(paths[i], tail))
            return true;
    return false;
}

/* Returns the shortest end of the path, from the beginning of a component, that no other file
 * shares. */
static const char *find_tail(const struct vector *files, const char *file)
{
    const char *tail = file + strlen(file);

    do {
        tail -= tail > file;
        while (tail > file && tail[-1] != '/')
            tail--;
    } while (tail > file && is_shared(files, file, tail));
    return tail;
}

static const char *make_place(struct arena *arena, const char *tail, unsigned line)
{
    size_t size = strlen(tail) + 1 + LINE_DIGITS_MAX + 1;
    char *buffer = arena_allocate(arena, size);
    struct text text;

    if (buffer == NULL)
        return NULL;
    text_init(&text, buffer, size);
    text_add(&text, tail);
    text_add_char(&text, ':');
    text_add_decimal(&text, line);
    return buffer;
}

static void name_places(struct config_draft *draft, const char *folder)
{
    struct vector files = {0};
    struct rule_draft *rules = draft->rules.items;
    const char *file = NULL;
    const char *tail = "";

    if (!list_files(draft, folder, &files))
        return;
    for (size_t i = 0; i < draft->rules.count; i++) {
        struct rule_draft *rule = &rules[i];

        if (rule->place.file != file) {
            file = rule->place.file;
            const char *absolute = make_absolute(&draft->arena, folder, file);
            if (absolute == NULL)
                return;
            tail = find_tail(&files, absolute);
        }
        rule->source.place = make_place(&draft->arena, tail, rule->place.line);
        if (rule->source.name == NULL)
            rule->source.name = rule->source.place;
    }
}

/* -- a name that another rule's place is */

/* A name with a colon may be equal to the FILE:LINE of another rule. The log would then call two
 * rules the same. */
static void check_against_places(struct config_builder *builder, const struct rule_draft *named)
{
    const struct rule_draft *rules = builder->draft->rules.items;

    for (size_t i = 0; i < builder->draft->rules.count; i++)
        if (!rules[i].is_named && strcmp(rules[i].source.name, named->source.name) == 0)
            builder_error(builder, &named->place, "'", named->source.name,
                          "' is what the log calls a rule that has no name; choose another", NULL);
}

void build_name_rules(struct config_builder *builder)
{
    const struct rule_draft *rules = builder->draft->rules.items;

    name_places(builder->draft, builder->folder);
    if (builder->draft->arena.is_exhausted)
        return;
    for (size_t i = 0; i < builder->draft->rules.count; i++)
        if (rules[i].is_named && strchr(rules[i].source.name, ':') != NULL)
            check_against_places(builder, &rules[i]);
}
