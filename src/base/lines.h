/* The lines of a text file as people's editors write them: a byte order mark (UTF-8's, which also
 * stands inside a file that was put together of several) and the blanks around a line are none of
 * its content. Pure. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

/* Private but for `number`, which counts from 1 and is the number of the last line that came. */
struct lines {
    const char *at;
    const char *end;
    unsigned number;
};

void lines_init(struct lines *lines, const char *text, size_t length);
/* The next line, behind its byte order mark and without its newline. False: there is none. */
bool lines_next(struct lines *lines, const char **ret_line, size_t *ret_length) MUST_CHECK;

/* A blank, a tab, or the carriage return of a line that ends in CR LF. */
static inline bool byte_is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Moves both ends of text[*start..*end) over blanks, also those that come along when a line is
 * copied from a web page or another file: no-break spaces (U+00A0) and byte order marks. */
void blanks_trim(const char *text, size_t *start, size_t *end);
/* 3 when the text begins with a byte order mark, else 0. */
size_t byte_order_mark_length(const char *text, size_t length);

#endif
