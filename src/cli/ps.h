/* The answer to `ps` for people and programs: sorted, as a table or as it came. */
#ifndef CLI_PS_H
#define CLI_PS_H

#include "base/contract.h"
#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A tunnel: an object of JSON, without its newline, within the answer. */
struct ps_line {
    const char *start;
    size_t length;
    uint64_t number; /* what it is sorted by */
    char text[64];   /* as much of it as it holds */
};

struct ps_lines {
    struct ps_line *all; /* the caller frees; NULL: there are none */
    size_t count;
};

/* The lines of the answer, but for its first, in order. They stay where they are. 0, -EINVAL or
 * -ENOMEM. */
int ps_sort(const char *answer, size_t length, enum options_sort sort, bool is_reversed,
            struct ps_lines *ret_lines) MUST_CHECK;
void ps_print_json(FILE *out, const struct ps_lines *lines);
/* No line is over `width` columns; 0: as wide as it takes. LC_CTYPE must be set. */
void ps_print_table(FILE *out, const struct ps_lines *lines, size_t width);

#endif
