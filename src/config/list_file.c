/* Line by line; a line is one entry. The surprise is speed: a million names must load in under two
 * seconds, so nothing is copied but by the sets.
 */
#include "config/list_file.h"

#include "config/lines.h"
#include "config/list_entry.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { ERRORS_MAX = 20, MESSAGE_MAX = 512 };

struct list_parse {
    const char *file;
    struct diagnostics *diagnostics;
    struct name_set *names;
    struct network_set *networks;
    struct lines lines;
    size_t error_count;
};

static void report(struct list_parse *parse, const char *line, size_t line_length, size_t start,
                   size_t length, const char *message)
{
    struct config_place place = {
        .file = parse->file,
        .line = parse->lines.number,
        .column = (unsigned)start + 1,
        .column_end = (unsigned)(start + length) + 1,
        .line_start = line,
        .line_length = line_length,
    };

    if (parse->error_count++ < ERRORS_MAX)
        diagnostics_add(parse->diagnostics, false, &place, message);
}

static int parse_line(struct list_parse *parse, const char *line, size_t length)
{
    const char *comment = length > 0 ? memchr(line, '#', length) : NULL;
    size_t end = comment != NULL ? (size_t)(comment - line) : length;
    size_t start = 0;
    struct list_entry entry;
    char buffer[MESSAGE_MAX];
    struct text message;

    blanks_trim(line, &start, &end);
    if (start == end)
        return 0;
    text_init(&message, buffer, sizeof(buffer));
    for (size_t i = start; i < end; i++)
        if (byte_is_blank(line[i])) {
            report(parse, line, length, i, end - i,
                   "one entry a line: something follows the first");
            return 0;
        }
    if (list_entry_parse(line + start, end - start, &entry, &message) < 0) {
        report(parse, line, length, start, end - start, buffer);
        return 0;
    }
    return list_entry_add(&entry, parse->names, parse->networks);
}

static void report_rest(struct list_parse *parse)
{
    struct config_place place = {.file = parse->file};
    char buffer[MESSAGE_MAX];
    struct text message;

    if (parse->error_count <= ERRORS_MAX)
        return;
    text_init(&message, buffer, sizeof(buffer));
    text_add_decimal(&message, parse->error_count - ERRORS_MAX);
    text_add(&message, " more lines are no entries");
    diagnostics_add(parse->diagnostics, false, &place, buffer);
}

int list_file_parse(const char *text, size_t length, const char *file,
                    struct diagnostics *diagnostics, struct name_set *names,
                    struct network_set *networks)
{
    struct list_parse parse = {
        .file = file, .diagnostics = diagnostics, .names = names, .networks = networks};
    const char *line;
    size_t line_length;

    lines_init(&parse.lines, text, length);
    while (lines_next(&parse.lines, &line, &line_length)) {
        int error = parse_line(&parse, line, line_length);

        if (error < 0)
            return error;
    }
    report_rest(&parse);
    return parse.error_count > 0 ? -EINVAL : 0;
}
