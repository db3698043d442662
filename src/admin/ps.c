/* Columns are as wide as the widest value that came, so two passes are made over the lines. Values
 * may hold what clients sent: they are escaped.
 */
#include "admin/ps.h"

#include "admin/json.h"
#include "base/escape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_SIZE = 80 };

static const struct column {
    const char *title;
    const char *field;
    enum { COLUMN_TEXT, COLUMN_BYTES, COLUMN_AGE } kind;
} columns[] = {
    {"ID", "id", COLUMN_TEXT},         {"AGE", "duration_ms", COLUMN_AGE},
    {"UP", "up_bytes", COLUMN_BYTES},  {"DOWN", "down_bytes", COLUMN_BYTES},
    {"CLIENT", "client", COLUMN_TEXT}, {"USER", "user", COLUMN_TEXT},
    {"TARGET", "target", COLUMN_TEXT}, {"ADDRESS", "address", COLUMN_TEXT},
    {"RULE", "rule", COLUMN_TEXT},
};
enum { COLUMN_COUNT = ARRAY_LENGTH(columns) };

struct row {
    char cells[COLUMN_COUNT][CELL_SIZE];
};

static void print_bytes(char *cell, uint64_t bytes)
{
    static const char units[] = "BkMGTP";
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 2 < sizeof(units)) {
        value /= 1024;
        unit++;
    }
    if (unit == 0)
        snprintf(cell, CELL_SIZE, "%" PRIu64, bytes);
    else
        snprintf(cell, CELL_SIZE, "%.1f%c", value, units[unit]);
}

static void print_age(char *cell, uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (s < 60)
        snprintf(cell, CELL_SIZE, "%" PRIu64 ".%us", s, (unsigned)(ms % 1000 / 100));
    else if (s < 3600)
        snprintf(cell, CELL_SIZE, "%" PRIu64 "m%02us", s / 60, (unsigned)(s % 60));
    else
        snprintf(cell, CELL_SIZE, "%" PRIu64 "h%02um", s / 3600, (unsigned)(s / 60 % 60));
}

static void print_text(char *cell, const char *value)
{
    struct text text;

    text_init(&text, cell, CELL_SIZE);
    escape_add(&text, value, strlen(value), CELL_SIZE - 1, ESCAPE_PLAIN);
}

static void set_cell(struct row *row, const char *name, const char *value)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        char *cell = row->cells[i];

        if (strcmp(columns[i].field, name) != 0)
            continue;
        if (columns[i].kind == COLUMN_BYTES)
            print_bytes(cell, strtoull(value, NULL, 10));
        else if (columns[i].kind == COLUMN_AGE)
            print_age(cell, strtoull(value, NULL, 10));
        else
            print_text(cell, value);
    }
}

static int read_row(const char *line, size_t length, struct row *ret_row)
{
    struct json_reader reader;
    char name[64];
    char value[1024];

    for (size_t i = 0; i < COLUMN_COUNT; i++)
        print_text(ret_row->cells[i], "-");
    json_reader_init(&reader, line, length);
    while (json_next(&reader, name, sizeof(name), value, sizeof(value)))
        set_cell(ret_row, name, value);
    return json_is_at_end(&reader) ? 0 : -EINVAL;
}

static void print_row(FILE *out, const struct row *row, const size_t widths[COLUMN_COUNT])
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        bool is_last = i + 1 == COLUMN_COUNT;

        fprintf(out, columns[i].kind == COLUMN_TEXT ? "%-*s%s" : "%*s%s",
                is_last ? 0 : (int)widths[i], row->cells[i], is_last ? "\n" : "  ");
    }
}

/* Prints when `out` is not NULL, else finds how wide the columns are. */
static int pass(FILE *out, const char *lines, size_t length, size_t widths[COLUMN_COUNT])
{
    while (length > 0) {
        const char *end = memchr(lines, '\n', length);
        struct row row;

        if (end == NULL || read_row(lines, (size_t)(end - lines), &row) < 0)
            return -EINVAL;
        for (size_t i = 0; i < COLUMN_COUNT; i++) {
            size_t width = strlen(row.cells[i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
        if (out != NULL)
            print_row(out, &row, widths);
        length -= (size_t)(end + 1 - lines);
        lines = end + 1;
    }
    return 0;
}

int ps_print_table(FILE *out, const char *lines, size_t length)
{
    size_t widths[COLUMN_COUNT];
    struct row titles;

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        print_text(titles.cells[i], columns[i].title);
        widths[i] = strlen(columns[i].title);
    }
    int error = pass(NULL, lines, length, widths);
    if (error < 0)
        return error;
    print_row(out, &titles, widths);
    return pass(out, lines, length, widths);
}
