/* Files: reading, including, and saying what went wrong.
 *
 * An include is read in the middle of its statement by a parser of its own; the outer lexer waits.
 * `paths` is the way from the first file to the one that is read now: a path that is already on it
 * is a loop. The number of files is bounded, too, for a file may include another twice.
 */
#include "config/builder.h"

#include "config/grammar.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void builder_add_message(struct config_builder *builder, bool is_warning,
                                const struct config_place *place, va_list pieces)
{
    char buffer[DIAGNOSTIC_MESSAGE_SIZE];
    struct text message;

    text_init(&message, buffer, sizeof(buffer));
    for (const char *piece = va_arg(pieces, const char *); piece != NULL;
         piece = va_arg(pieces, const char *))
        text_add(&message, piece);
    diagnostics_add(builder->diagnostics, is_warning, place, buffer);
}

void builder_error(struct config_builder *builder, const struct config_place *place, ...)
{
    va_list pieces;

    va_start(pieces, place);
    builder_add_message(builder, false, place, pieces);
    va_end(pieces);
}

void builder_warn(struct config_builder *builder, const struct config_place *place, ...)
{
    va_list pieces;

    va_start(pieces, place);
    builder_add_message(builder, true, place, pieces);
    va_end(pieces);
}

void builder_report_io(struct config_builder *builder, const struct config_place *place,
                       const char *path, int error)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        {-ENOENT, "there is no such file"},
        {-EACCES, "no permission to read it"},
        {-EISDIR, "it is a directory, not a file"},
        {-EFBIG, "it is too large"},
        {-ENOMEM, "there is not enough memory"},
        {-ELOOP, "too many symbolic links"},
        {-ENOTDIR, "a part of the path is no directory"},
        {-ENODATA, "it is a pipe without anything in it; a pipe can be read once, so what shall be "
                   "reloaded is a file"},
        {-ETIMEDOUT, "it is a pipe whose writer is not done in time: half a minute at the start, "
                     "and a second when reloading"},
    };
    const char *why = "it can't be read";

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].error == error)
            why = rows[i].text;
    if (error == -EFBIG && strcmp(path, builder->depth > 0 ? builder->paths[0] : path) == 0)
        why = "it is too large: a configuration has at most 16 MiB";
    builder_error(builder, place, "can't read '", path, "': ", why, NULL);
}

/* Joins the path with the folder of the file that is read now. Characters of `escaped` in the
 * folder's own name get a backslash, for glob. */
static const char *join_path(struct config_builder *builder, const char *path, const char *escaped)
{
    struct arena *arena = &builder->draft->arena;
    const char *base = builder->depth > 0 ? builder->paths[builder->depth - 1] : "";
    const char *slash = memrchr(base, '/', strlen(base));
    size_t folder_length = path[0] != '/' && slash != NULL ? (size_t)(slash - base) + 1 : 0;
    size_t length = strlen(path);
    char *joined = arena_allocate(arena, 2 * folder_length + length + 1);
    char *out = joined;

    if (joined == NULL)
        return NULL;
    for (size_t i = 0; i < folder_length; i++) {
        if (strchr(escaped, base[i]) != NULL)
            *out++ = '\\';
        *out++ = base[i];
    }
    memcpy(out, path, length + 1);
    return joined;
}

const char *builder_join_path(struct config_builder *builder, const char *path)
{
    return join_path(builder, path, "");
}

void builder_read_text(struct config_builder *builder, const char *name, const char *text,
                       size_t length)
{
    struct lexer *outer = builder->lexer;
    struct lexer lexer;

    lexer_init(&lexer, name, text, length, builder);
    if (!lexer_check_text(&lexer)) {
        builder->is_cut = true;
        return;
    }
    builder->lexer = &lexer;
    /* Only running out of memory in bison itself (2) is new here: errors are diagnostics already,
     * and the arena knows of its own failures. */
    if (grammar_parse(builder) == 2)
        builder->draft->arena.is_exhausted = true;
    builder->lexer = outer;
}

/* Bounds what is read: no file may include itself, and depth and number of files have a limit. The
 * number is counted up even past the limit, so that this error is reported only once. */
static bool may_read(struct config_builder *builder, const char *path,
                     const struct config_place *place)
{
    for (size_t i = 0; i < builder->depth; i++) {
        if (strcmp(builder->paths[i], path) != 0)
            continue;
        builder_error(builder, place, "'", path, "' includes itself", NULL);
        return false;
    }
    if (builder->depth == BUILDER_DEPTH_MAX) {
        builder_error(builder, place, "includes are nested more than 16 deep", NULL);
        return false;
    }
    if (builder->file_count++ == BUILDER_FILES_MAX) {
        builder_error(builder, place, "more than 1024 files are included", NULL);
        return false;
    }
    return builder->file_count <= BUILDER_FILES_MAX;
}

void builder_add_source(struct config_builder *builder, enum config_source_kind kind,
                        const char *path, const char *list, size_t count)
{
    struct config_draft *draft = builder->draft;
    struct config_source *source = vector_push(&draft->arena, &draft->sources, sizeof(*source));

    if (source != NULL)
        *source = (struct config_source){kind, path, list, count};
}

void builder_read_file(struct config_builder *builder, const char *path,
                       const struct config_place *place)
{
    size_t outer_count = builder->statement_count;
    const char *text;
    size_t length;

    if (!may_read(builder, path, place)) {
        builder->is_cut = true;
        return;
    }
    builder->paths[builder->depth++] = path;
    builder->statement_count = 0;
    int error = builder->reader->read(builder->reader, path, CONFIG_FILE_MAX, &text, &length);
    if (error == 0 && length > CONFIG_FILE_MAX)
        error = -EFBIG;
    if (error == 0 && length == 0)
        text = ""; /* for an empty file, the reader may have set nothing to point to */
    builder->is_cut |= error < 0;
    if (error < 0)
        builder_report_io(builder, place, path, error);
    else
        builder_read_text(builder, path, text, length);
    builder_add_source(builder, CONFIG_SOURCE_STATEMENTS, path, NULL, builder->statement_count);
    builder->statement_count = outer_count;
    builder->depth--;
}

struct glob_result {
    struct arena *arena;
    struct vector paths;
};

/* Adds a path, and keeps all of them sorted by their bytes, which does not depend on the locale. */
static void builder_add_path(void *self, const char *path)
{
    struct glob_result *result = self;
    const char *copy = arena_copy(result->arena, path, strlen(path));

    if (copy == NULL || result->paths.count > BUILDER_FILES_MAX ||
        vector_push(result->arena, &result->paths, sizeof(copy)) == NULL)
        return;
    const char **paths = result->paths.items;
    size_t at = result->paths.count - 1;
    for (; at > 0 && strcmp(paths[at - 1], copy) > 0; at--)
        paths[at] = paths[at - 1];
    paths[at] = copy;
}

static bool is_pattern(const char *path)
{
    return strchr(path, '*') != NULL || strchr(path, '?') != NULL || strchr(path, '[') != NULL;
}

static const char *explain_search(int error)
{
    switch (error) {
    case -EACCES:
        return "no permission to look into one of its folders";
    case -ENOTDIR:
        return "one of its folders is a file, or a link to nothing";
    case -ELOOP:
        return "too many symbolic links";
    case -E2BIG:
        return "too much matches";
    case -ENOMEM:
        return "there is not enough memory";
    default:
        return "one of its folders can't be read";
    }
}

/* What is not found may take rules away, so it is always reported. */
static void report_search(struct config_builder *builder, const struct config_place *place,
                          const char *pattern, int error)
{
    builder->is_cut = true;
    if (error == -ENOENT) {
        builder_warn(builder, place, "'", pattern,
                     "' includes nothing: its folder is not there; make it, even if it stays "
                     "empty, or take this line out",
                     NULL);
        return;
    }
    builder_error(builder, place, "can't look for '", pattern, "': ", explain_search(error), NULL);
}

void builder_include(struct config_builder *builder, const struct config_word *word)
{
    struct glob_result result = {.arena = &builder->draft->arena};
    const char *path = builder_join_path(builder, word->text);
    const char *pattern = join_path(builder, word->text, "\\*?[");

    if (path == NULL || pattern == NULL)
        return;
    if (!is_pattern(word->text)) {
        builder_read_file(builder, path, &word->place);
        return;
    }
    int error = builder->reader->glob(builder->reader, pattern, builder_add_path, &result);
    if (error < 0)
        report_search(builder, &word->place, path, error);
    for (size_t i = 0; i < result.paths.count; i++)
        builder_read_file(builder, ((const char **)result.paths.items)[i], &word->place);
}
