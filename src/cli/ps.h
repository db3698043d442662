/* The answer to `ps` for people and programs: sorted, as a table or as it came. */
#ifndef CLI_PS_H
#define CLI_PS_H

#include "base/contract.h"
#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A tunnel: one line of the answer, which is a JSON object, without its newline. */
struct ps_line {
    const char *start;
    size_t length;
    uint64_t number; /* what it is sorted by, if that is a number; otherwise 0 */
    char text[64];   /* what it is sorted by, if that is a text; cut when it is longer */
};

struct ps_lines {
    struct ps_line *all; /* the caller frees; NULL: there are none */
    size_t count;
};

/* Sorts the lines of `answer`, which comes without its first line. They point into it. Returns 0,
 * -EINVAL when a line is malformed, or -ENOMEM; the caller frees ret_lines->all in any case. */
int ps_sort(const char *answer, size_t length, enum options_sort sort, bool is_reversed,
            struct ps_lines *ret_lines) MUST_CHECK;
void ps_print_json(FILE *out, const struct ps_lines *lines);
/* Prints the lines as a table of at most `width` columns; 0 says that there is no limit. Contract:
 * setlocale was called for LC_CTYPE, which says whether the output is UTF-8. */
void ps_print_table(FILE *out, const struct ps_lines *lines, size_t width);

#endif
