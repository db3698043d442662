/* Reads the lines of a text file as editors write them. A UTF-8 byte order mark (which also occurs
 * inside a file that was put together from several) and the blanks around a line do not belong to
 * its content. Pure. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

/* Only `number` is for the caller to read: the number, from 1, of the last line that was returned.
 */
struct lines {
    const char *at;
    const char *end;
    unsigned number;
};

void lines_init(struct lines *lines, const char *text, size_t length);
/* Gives the next line without its byte order mark and newline. Returns false when there is none. */
bool lines_next(struct lines *lines, const char **ret_line, size_t *ret_length) MUST_CHECK;

/* Returns true for a blank, a tab, or the carriage return of a line that ends in CR LF. */
static inline bool byte_is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Moves both ends of text[*start..*end) over blanks, also those that come along when a line is
 * copied from a web page or another file: no-break spaces (U+00A0) and byte order marks. */
void blanks_trim(const char *text, size_t *start, size_t *end);
/* Returns 3 when the text begins with a byte order mark, else 0. */
size_t byte_order_mark_length(const char *text, size_t length);

#endif
