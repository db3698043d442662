/* What is wrong with a configuration, for a person to read: FILE:LINE:COL, the message, the line, a
 * caret.
 *
 * A bounded number of diagnostics is kept; the others are only counted. Everything is copied.
 */
#ifndef CONFIG_DIAGNOSTICS_H
#define CONFIG_DIAGNOSTICS_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define DIAGNOSTICS_KEPT_MAX 50
/* Room for the text of one message; what does not fit is cut. */
#define DIAGNOSTIC_MESSAGE_SIZE 1024
/* Room for one diagnostic as it is printed. */
#define DIAGNOSTIC_TEXT_SIZE 4096

struct diagnostics;

/* The place of a word in a text. */
struct config_place {
    const char *file; /* as it was named; NULL: the command line, or the configuration as a whole */
    unsigned line;    /* from 1; 0: the file as such (it can't be read, ...) */
    unsigned column;  /* from 1, in characters */
    unsigned column_end; /* behind its last character */
    const char
        *line_start; /* the line's text, to quote it; NULL: keep it secret or there is none */
    size_t line_length;
};

struct diagnostics *diagnostics_create(void) MUST_CHECK; /* NULL: no memory */
/* Harmless on NULL. */
void diagnostics_destroy(struct diagnostics *diagnostics);

void diagnostics_add(struct diagnostics *diagnostics, bool is_warning,
                     const struct config_place *place, const char *message);

/* Adds the text that the place marks. */
void diagnostics_add_source(struct text *out, const struct config_place *place);

/* Puts them in order: those of one file by its lines, files in the order in which something was
 * found in them, and what has no place at the end. */
void diagnostics_sort(struct diagnostics *diagnostics);
size_t diagnostics_error_count(const struct diagnostics *diagnostics);   /* not kept ones, too */
size_t diagnostics_warning_count(const struct diagnostics *diagnostics); /* not kept ones, too */
/* Prints all diagnostics that were kept, in the order in which they were found unless they were
 * sorted, and how many more there are. `out` should be large. Each begins with its place, as in
 * `adit.conf:3:8: error: ...`; the line of the file follows, and below it a caret. Bytes that could
 * move a terminal's cursor are escaped (base/escape.h). */
void diagnostics_print(const struct diagnostics *diagnostics, struct text *out);

#endif
