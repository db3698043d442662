/* Writes text from outside so that it moves no cursor, ends no line and no string, and does not
 * reverse the text around it.
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
    /* The inside of a quoted value of logfmt, as go-logfmt's encoder writes it. A byte that is not
     * UTF-8 becomes \ufffd. */
    ESCAPE_LOGFMT,
    /* Text for a person, with or without quotes around it: quotes and backslashes stand for
     * themselves, and a byte that is not UTF-8 becomes \xNN. What is escaped already stays as it
     * is. */
    ESCAPE_PLAIN,
    /* As ESCAPE_JSON, for adit itself to read. A byte that is not UTF-8 stands for itself, so that
     * the reader gets exactly what was written. */
    ESCAPE_EXACT,
};

/* The most bytes that one escaped character takes. */
#define ESCAPE_MAX 6

/* Escapes the first character of these bytes (at least one). Returns how many bytes that was. */
size_t escape_character(struct text *out, const char *bytes, size_t length,
                        enum escape_style style);
/* Escapes all of these bytes, but writes at most `limit` bytes (at least 3). A text that does not
 * fit is cut between two characters and ends in `...`. */
void escape_add(struct text *out, const char *bytes, size_t length, size_t limit,
                enum escape_style style);

#endif
