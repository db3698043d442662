/* Tables of cases: test/data/NAME.cases.
 *
 * A row is a line of columns with ` | ` between them; `#` opens a comment line, `[` a heading.
 * Blanks around a column are padding. In the last column \r \n \t \0 \\ and \xNN are bytes, and
 * {x*300} is 300 times x; {NAME} is replaced when the caller names a value for it.
 */
#ifndef SUPPORT_CASES_H
#define SUPPORT_CASES_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

#define CASE_COLUMNS_MAX 8

struct case_column {
    char *bytes; /* with a NUL behind */
    size_t length;
};

struct case_row {
    const char *file;
    unsigned line;
    size_t column_count;
    struct case_column columns[CASE_COLUMNS_MAX]; /* freed behind the call */
    unsigned failure_count;
};

struct case_value {
    const char *name; /* with its braces */
    const char *text;
};

/* Calls `check` for every row that has `column_count` columns; any other row fails, and so does a
 * table without rows. `values` ends with a NULL name, or is NULL. Fails the test behind the last
 * row when any row failed. */
void cases_check(const char *name, size_t column_count, const struct case_value *values,
                 void (*check)(struct case_row *row));
/* Notes a failure and says where. */
void case_fail(struct case_row *row, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
