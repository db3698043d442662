/* Cuts a text into lines. The surprise: a byte order mark is looked for at the start of every line,
 * because `cat a b > c` puts that of the second file into the middle. */
#include "base/lines.h"

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

/* Returns 2 when the text begins with a no-break space, else 0. */
static size_t no_break_space_length(const char *text, size_t length)
{
    return length >= 2 && memcmp(text, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

/* Returns the length of the blank that the text begins with, or 0 when it begins with none. */
static size_t first_blank_length(const char *text, size_t length)
{
    if (length > 0 && byte_is_blank(text[0]))
        return 1;
    size_t mark = byte_order_mark_length(text, length);
    return mark > 0 ? mark : no_break_space_length(text, length);
}

/* Returns the length of the blank that the text ends with, or 0. */
static size_t last_blank_length(const char *text, size_t length)
{
    for (size_t size = 1; size <= 3 && size <= length; size++)
        if (first_blank_length(text + length - size, size) == size)
            return size;
    return 0;
}

void blanks_trim(const char *text, size_t *start, size_t *end)
{
    size_t size;

    while ((size = last_blank_length(text + *start, *end - *start)) > 0)
        *end -= size;
    while ((size = first_blank_length(text + *start, *end - *start)) > 0)
        *start += size;
}
