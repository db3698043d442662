/* Text from outside, written so that it moves no cursor, ends no line and no string, and turns no
 * text around.
 *
 * Escaped are controls (C0, U+007F to U+009F), the line ends U+2028 and U+2029, what changes the
 * direction of text (UAX #9), and bytes that are not UTF-8.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/text.h"

#include <stddef.h>

enum escape_style {
    /* The inside of a JSON string (RFC 8259). A byte that is not UTF-8 is taken for Latin-1. */
    ESCAPE_JSON,
    /* The inside of a quoted value of logfmt, as go-logfmt's encoder writes it; such a byte is
     * \ufffd. */
    ESCAPE_LOGFMT,
    /* For a person, who has quotes around it or none: quotes and backslashes stand for themselves,
     * such a byte is \xNN. What is escaped already stays as it is. */
    ESCAPE_PLAIN,
    /* As ESCAPE_JSON, for adit itself to read: such a byte stands for itself, so that what is read
     * is what was written. */
    ESCAPE_EXACT,
};

/* One character takes at most so many bytes. */
#define ESCAPE_MAX 6

/* The first character of these bytes (at least one). Returns how many bytes it was. */
size_t escape_character(struct text *out, const char *bytes, size_t length,
                        enum escape_style style);
/* All of them, or at most `limit` bytes (at least 3) as written: what does not fit is cut between
 * two characters and ends in `...`. */
void escape_add(struct text *out, const char *bytes, size_t length, size_t limit,
                enum escape_style style);

#endif
