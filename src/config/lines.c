/* The surprise: a byte order mark is looked for at the start of every line, for `cat a b > c` puts
 * the second file's inside. */
#include "config/lines.h"

#include <string.h>

size_t byte_order_mark_length(const char *text, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t mark_length = sizeof(mark) - 1;

    return length >= mark_length && memcmp(text, mark, mark_length) == 0 ? mark_length : 0;
}

void lines_init(struct lines *lines, const char *text, size_t length)
{
    *lines = (struct lines){.at = text, .end = text + length};
}

bool lines_next(struct lines *lines, const char **ret_line, size_t *ret_length)
{
    if (lines->at == lines->end)
        return false;
    const char *start = lines->at;
    size_t rest = (size_t)(lines->end - start);
    const char *newline = memchr(start, '\n', rest);
    size_t length = newline != NULL ? (size_t)(newline - start) : rest;
    size_t mark = byte_order_mark_length(start, length);

    lines->at = newline != NULL ? newline + 1 : lines->end;
    lines->number++;
    *ret_line = start + mark;
    *ret_length = length - mark;
    return true;
}

void blanks_trim(const char *text, size_t *start, size_t *end)
{
    while (*end > *start && byte_is_blank(text[*end - 1]))
        --*end;
    while (*start < *end && byte_is_blank(text[*start]))
        ++*start;
}
