/* A diagnostic is kept as texts that need nothing else, because the source that it quotes is gone
 * when it is printed.
 *
 * The surprise is the excerpt: a line may be megabytes long, so only a window around the caret is
 * kept, and cut at characters. Tabs stay tabs, in the line and in the blanks before the caret, so
 * that both lines are laid out alike; the caret marks all of what an escape has become.
 */
#include "config/diagnostics.h"

#include "base/escape.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { EXCERPT_MAX = 160, CONTEXT_MAX = 60, FILE_NAME_MAX = 1024 };

struct diagnostic {
    bool is_warning;
    size_t file_rank; /* valid while sorting: index of the first diagnostic of the same file */
    unsigned line;
    unsigned column;
    unsigned caret;     /* bytes of the excerpt in front of what the caret marks */
    unsigned caret_end; /* and with the marked text; less than `caret`: nothing is marked, or it was
                           cut off */
    bool has_excerpt;
    char excerpt[EXCERPT_MAX + 1];
    char message[DIAGNOSTIC_MESSAGE_SIZE];
    char file[FILE_NAME_MAX]; /* "": no place */
};

struct diagnostics {
    size_t error_count;
    size_t warning_count;
    size_t kept_count;
    struct diagnostic *kept[DIAGNOSTICS_KEPT_MAX];
};

struct diagnostics *diagnostics_create(void)
{
    return calloc(1, sizeof(struct diagnostics));
}

void diagnostics_destroy(struct diagnostics *diagnostics)
{
    if (diagnostics == NULL)
        return;
    for (size_t i = 0; i < diagnostics->kept_count; i++)
        free(diagnostics->kept[i]);
    free(diagnostics);
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Returns the offset of a character; characters are counted from 1. */
static size_t find_column(const char *line, size_t length, unsigned column)
{
    size_t at = 0;

    for (unsigned i = 1; i < column && at < length; i++) {
        at++;
        while (at < length && is_continuation(line[at]))
            at++;
    }
    return at;
}

static void keep_excerpt(struct diagnostic *diagnostic, const struct config_place *place)
{
    const char *line = place->line_start;
    size_t length = place->line_length;
    size_t caret = find_column(line, length, place->column);
    size_t caret_end = find_column(line, length, place->column_end);
    size_t at = caret > CONTEXT_MAX && length > EXCERPT_MAX ? caret - CONTEXT_MAX : 0;
    struct text text;

    while (at > 0 && at < length && is_continuation(line[at]))
        at++;
    text_init(&text, diagnostic->excerpt, sizeof(diagnostic->excerpt));
    while (at < length && text.length <= EXCERPT_MAX - ESCAPE_MAX) {
        if (at <= caret)
            diagnostic->caret = (unsigned)text.length;
        if (line[at] == '\t') {
            text_add_char(&text, '\t');
            at++;
        } else {
            at += escape_character(&text, line + at, length - at, ESCAPE_PLAIN);
        }
        if (at <= caret)
            diagnostic->caret = (unsigned)text.length;
        if (at <= caret_end)
            diagnostic->caret_end = (unsigned)text.length;
    }
    diagnostic->has_excerpt = true;
}

static void set_text(char *out, size_t size, const char *string)
{
    struct text text;

    text_init(&text, out, size);
    escape_add(&text, string, strlen(string), size - 1, ESCAPE_PLAIN);
}

void diagnostics_add(struct diagnostics *diagnostics, bool is_warning,
                     const struct config_place *place, const char *message)
{
    struct diagnostic *diagnostic;

    if (is_warning)
        diagnostics->warning_count++;
    else
        diagnostics->error_count++;
    if (diagnostics->kept_count == DIAGNOSTICS_KEPT_MAX)
        return;
    diagnostic = calloc(1, sizeof(*diagnostic));
    if (diagnostic == NULL)
        return; /* it is only counted */
    diagnostic->is_warning = is_warning;
    set_text(diagnostic->message, sizeof(diagnostic->message), message);
    if (place != NULL && place->file != NULL) {
        set_text(diagnostic->file, sizeof(diagnostic->file), place->file);
        diagnostic->line = place->line;
        diagnostic->column = place->column;
        if (place->line_length > 0 && place->line > 0)
            keep_excerpt(diagnostic, place);
    }
    diagnostics->kept[diagnostics->kept_count++] = diagnostic;
}

/* Returns the index of the first diagnostic about the same file. */
static size_t find_file(const struct diagnostics *diagnostics, const struct diagnostic *diagnostic)
{
    size_t i = 0;

    while (strcmp(diagnostics->kept[i]->file, diagnostic->file) != 0)
        i++;
    return i;
}

static bool diagnostic_is_before(const struct diagnostic *a, const struct diagnostic *b)
{
    if ((a->file[0] == '\0') != (b->file[0] == '\0'))
        return b->file[0] == '\0';
    if (a->file_rank != b->file_rank)
        return a->file_rank < b->file_rank;
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* An insertion sort: there are few diagnostics, they are mostly in order already, and equal ones
 * must keep their order. */
void diagnostics_sort(struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->kept_count; i++)
        diagnostics->kept[i]->file_rank = find_file(diagnostics, diagnostics->kept[i]);
    for (size_t i = 1; i < diagnostics->kept_count; i++) {
        struct diagnostic *diagnostic = diagnostics->kept[i];
        size_t at = i;

        for (; at > 0 && diagnostic_is_before(diagnostic, diagnostics->kept[at - 1]); at--)
            diagnostics->kept[at] = diagnostics->kept[at - 1];
        diagnostics->kept[at] = diagnostic;
    }
}

void diagnostics_add_source(struct text *out, const struct config_place *place)
{
    size_t start = find_column(place->line_start, place->line_length, place->column);
    size_t end = find_column(place->line_start, place->line_length, place->column_end);

    text_add_bytes(out, place->line_start + start, end - start);
}

size_t diagnostics_error_count(const struct diagnostics *diagnostics)
{
    return diagnostics->error_count;
}

size_t diagnostics_warning_count(const struct diagnostics *diagnostics)
{
    return diagnostics->warning_count;
}

static void print_excerpt(const struct diagnostic *diagnostic, struct text *out)
{
    size_t length = strlen(diagnostic->excerpt);

    text_add(out, "    ");
    text_add(out, diagnostic->excerpt);
    text_add(out, "\n    ");
    for (size_t i = 0; i < diagnostic->caret && i < length; i++)
        if (!is_continuation(diagnostic->excerpt[i]))
            text_add_char(out, diagnostic->excerpt[i] == '\t' ? '\t' : ' ');
    text_add_char(out, '^');
    for (size_t i = diagnostic->caret + 1; i < diagnostic->caret_end; i++)
        if (!is_continuation(diagnostic->excerpt[i]))
            text_add_char(out, '~');
    text_add_char(out, '\n');
}

static void diagnostic_print(const struct diagnostics *diagnostics, size_t index, struct text *out)
{
    REQUIRE(index < diagnostics->kept_count);
    const struct diagnostic *diagnostic = diagnostics->kept[index];

    if (diagnostic->file[0] != '\0') {
        text_add(out, diagnostic->file);
        if (diagnostic->line > 0) {
            text_add_char(out, ':');
            text_add_decimal(out, diagnostic->line);
        }
        if (diagnostic->line > 0 && diagnostic->column > 0) {
            text_add_char(out, ':');
            text_add_decimal(out, diagnostic->column);
        }
        text_add(out, ": ");
    }
    text_add(out, diagnostic->is_warning ? "warning: " : "error: ");
    text_add(out, diagnostic->message);
    text_add_char(out, '\n');
    if (diagnostic->has_excerpt)
        print_excerpt(diagnostic, out);
}

void diagnostics_print(const struct diagnostics *diagnostics, struct text *out)
{
    size_t all = diagnostics->error_count + diagnostics->warning_count;

    for (size_t i = 0; i < diagnostics->kept_count; i++)
        diagnostic_print(diagnostics, i, out);
    if (all == diagnostics->kept_count)
        return;
    text_add(out, "and ");
    text_add_decimal(out, all - diagnostics->kept_count);
    text_add(out, " more\n");
}
