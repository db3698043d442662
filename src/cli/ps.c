/* Prints the answer to `adit ps` as a table. A column is as wide as its widest value, so there are
 * two passes over the lines: one measures, one prints. If the table is wider than the terminal, the
 * widest texts are cut evenly, but keep enough to tell them apart. If that is not enough, columns
 * are left out, the least informative ones first, and the cutting begins again.
 *
 * Values may contain what clients sent, so they are escaped.
 */
#include "cli/ps.h"

#include "admin/json.h"
#include "base/escape.h"
#include "base/text.h"
#include "system/columns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_SIZE = 1024, /* nothing that ps shows is longer, unless it was escaped several times */
    GAP = 2,
    PS_LINE_SIZE = 16384,
    EMPTY_DROPPED = 2, /* the turn of those columns that hold nothing but "-" */
    LAST_DROPPED = 8,  /* when that was not enough, texts are cut down to CUT_TO */
    CUT_TO = 8,
};

static const struct ps_column {
    const char *title;
    const char *field;
    enum { PS_COLUMN_TEXT, PS_COLUMN_BYTES, PS_COLUMN_AGE } kind;
    unsigned dropped; /* the turn in which it is left out: 1 is the first one; 0: never */
    size_t cut_to; /* columns that it keeps: 16 are an IPv4 address and the mark of a cut; 0: never
                      cut */
} ps_columns[] = {
    /* Ids are never cut or left out, since people copy them into other commands. */
    {"ID", "id", PS_COLUMN_TEXT, 0, 0},
    {"AGE", "duration_ms", PS_COLUMN_AGE, 8, 0},
    {"STATE", "state", PS_COLUMN_TEXT, 2, 0},
    {"UP", "up_bytes", PS_COLUMN_BYTES, 6, 0},
    {"DOWN", "down_bytes", PS_COLUMN_BYTES, 7, 0},
    {"CLIENT", "client", PS_COLUMN_TEXT, 5, 16},
    {"USER", "user", PS_COLUMN_TEXT, 4, 8},
    {"TARGET", "target", PS_COLUMN_TEXT, 0, 20},
    {"ADDRESS", "address", PS_COLUMN_TEXT, 1, 16},
    {"RULE", "rule", PS_COLUMN_TEXT, 3, 12},
};
enum { PS_COLUMN_COUNT = ARRAY_LENGTH(ps_columns) };

struct row {
    char cells[PS_COLUMN_COUNT][CELL_SIZE];
};

struct layout {
    size_t widths[PS_COLUMN_COUNT];
    bool is_shown[PS_COLUMN_COUNT];
    bool is_empty[PS_COLUMN_COUNT]; /* no line has a value for it */
    bool is_utf8;
};

/* -- order */

static const char *const sort_fields[] = {
    [SORT_AGE] = "duration_ms", [SORT_UP] = "up_bytes",     [SORT_DOWN] = "down_bytes",
    [SORT_BYTES] = NULL,        [SORT_CLIENT] = "client",   [SORT_USER] = "user",
    [SORT_TARGET] = "target",   [SORT_ADDRESS] = "address", [SORT_RULE] = "rule",
};
static_assert(ARRAY_LENGTH(sort_fields) == SORT_COUNT, "a field for every key");

static bool is_number(enum options_sort sort)
{
    return sort <= SORT_BYTES;
}

/* Whether the lines are sorted by this member. SORT_BYTES adds up two members. */
static bool is_sorted_by(const char *name, enum options_sort sort)
{
    if (sort == SORT_BYTES)
        return strcmp(name, "up_bytes") == 0 || strcmp(name, "down_bytes") == 0;
    return strcmp(name, sort_fields[sort]) == 0;
}

static int read_key(struct ps_line *line, enum options_sort sort)
{
    struct json_reader reader;
    char name[64];
    char value[CELL_SIZE];
    struct text text;

    text_init(&text, line->text, sizeof(line->text));
    json_reader_init(&reader, line->start, line->length);
    while (json_next(&reader, name, sizeof(name), value, sizeof(value))) {
        if (!is_sorted_by(name, sort))
            continue;
        if (is_number(sort))
            line->number += strtoull(value, NULL, 10);
        else
            text_add(&text, value);
    }
    return json_is_at_end(&reader) ? 0 : -EINVAL;
}

/* The larger number or the earlier text comes first. Equal lines keep the order of the answer. */
static int ps_line_compare(const void *a, const void *b)
{
    const struct ps_line *one = a;
    const struct ps_line *other = b;

    if (one->number != other->number)
        return one->number > other->number ? -1 : 1;
    int order = strcmp(one->text, other->text);
    if (order != 0)
        return order;
    return one->start < other->start ? -1 : 1;
}

static void reverse(struct ps_lines *lines)
{
    for (size_t i = 0; i < lines->count / 2; i++) {
        struct ps_line line = lines->all[i];

        lines->all[i] = lines->all[lines->count - 1 - i];
        lines->all[lines->count - 1 - i] = line;
    }
}

/* Contract: `ret_lines` has room for all lines. */
static int read_lines(const char *answer, size_t length, enum options_sort sort,
                      struct ps_lines *ret_lines)
{
    while (length > 0) {
        const char *end = memchr(answer, '\n', length);

        if (end == NULL)
            return -EINVAL;
        struct ps_line *line = &ret_lines->all[ret_lines->count++];
        *line = (struct ps_line){.start = answer, .length = (size_t)(end - answer)};
        if (read_key(line, sort) < 0)
            return -EINVAL;
        length -= line->length + 1;
        answer = end + 1;
    }
    return 0;
}

int ps_sort(const char *answer, size_t length, enum options_sort sort, bool is_reversed,
            struct ps_lines *ret_lines)
{
    *ret_lines = (struct ps_lines){.all = NULL};
    if (length == 0)
        return 0;
    ret_lines->all = calloc(text_count_lines(answer, length) + 1, sizeof(*ret_lines->all));
    if (ret_lines->all == NULL)
        return -ENOMEM;
    int error = read_lines(answer, length, sort, ret_lines);
    qsort(ret_lines->all, ret_lines->count, sizeof(*ret_lines->all), ps_line_compare);
    if (is_reversed)
        reverse(ret_lines);
    return error;
}

void ps_print_json(FILE *out, const struct ps_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        fwrite(lines->all[i].start, 1, lines->all[i].length, out);
        fputc('\n', out);
    }
}

/* -- cells */

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
    for (size_t i = 0; i < PS_COLUMN_COUNT; i++) {
        char *cell = row->cells[i];

        if (strcmp(ps_columns[i].field, name) != 0)
            continue;
        if (ps_columns[i].kind == PS_COLUMN_BYTES)
            print_bytes(cell, strtoull(value, NULL, 10));
        else if (ps_columns[i].kind == PS_COLUMN_AGE)
            print_age(cell, strtoull(value, NULL, 10));
        else
            print_text(cell, value);
    }
}

static void read_row(const struct ps_line *line, struct row *ret_row)
{
    struct json_reader reader;
    char name[64];
    char value[CELL_SIZE];

    for (size_t i = 0; i < PS_COLUMN_COUNT; i++)
        memcpy(ret_row->cells[i], "-", sizeof("-"));
    json_reader_init(&reader, line->start, line->length);
    while (json_next(&reader, name, sizeof(name), value, sizeof(value)))
        set_cell(ret_row, name, value);
}

/* -- layout */

static void widen(struct layout *layout, const struct row *row)
{
    for (size_t i = 0; i < PS_COLUMN_COUNT; i++) {
        size_t width = columns_width(row->cells[i], layout->is_utf8);

        layout->widths[i] = width > layout->widths[i] ? width : layout->widths[i];
        layout->is_empty[i] &= strcmp(row->cells[i], "-") == 0;
    }
}

static size_t total_width(const struct layout *layout)
{
    size_t total = 0;

    for (size_t i = 0; i < PS_COLUMN_COUNT; i++)
        if (layout->is_shown[i])
            total += layout->widths[i] + (total > 0 ? GAP : 0);
    return total;
}

/* Makes the widest text one place narrower. Returns false when no text may be cut any more. */
static bool cut(struct layout *layout, bool is_last)
{
    size_t widest = PS_COLUMN_COUNT;

    for (size_t i = 0; i < PS_COLUMN_COUNT; i++) {
        size_t least = is_last ? CUT_TO : ps_columns[i].cut_to;

        if (layout->is_shown[i] && ps_columns[i].cut_to > 0 && layout->widths[i] > least &&
            (widest == PS_COLUMN_COUNT || layout->widths[i] > layout->widths[widest]))
            widest = i;
    }
    if (widest == PS_COLUMN_COUNT)
        return false;
    layout->widths[widest]--;
    return true;
}

static void drop(struct layout *layout, unsigned turn)
{
    for (size_t i = 0; i < PS_COLUMN_COUNT; i++)
        if (ps_columns[i].dropped == turn ||
            (turn == EMPTY_DROPPED && layout->is_empty[i] && ps_columns[i].dropped > 0))
            layout->is_shown[i] = false;
}

static void fit(struct layout *layout, size_t width)
{
    const struct layout natural = *layout;

    for (unsigned turn = 1; turn <= LAST_DROPPED + 1; turn++) {
        memcpy(layout->widths, natural.widths, sizeof(natural.widths));
        while (total_width(layout) > width && cut(layout, turn > LAST_DROPPED))
            continue;
        if (total_width(layout) <= width)
            return;
        drop(layout, turn);
    }
}

/* -- the table */

static void print_row(FILE *out, const struct row *row, const struct layout *layout)
{
    char line[PS_LINE_SIZE];
    struct text text;

    text_init(&text, line, sizeof(line));
    for (size_t i = 0; i < PS_COLUMN_COUNT; i++) {
        size_t width = layout->widths[i];

        if (!layout->is_shown[i])
            continue;
        for (size_t gap = 0; text.length > 0 && gap < GAP; gap++)
            text_add_char(&text, ' ');
        for (size_t used = strlen(row->cells[i]);
             ps_columns[i].kind != PS_COLUMN_TEXT && used < width; used++)
            text_add_char(&text, ' ');
        if (ps_columns[i].kind == PS_COLUMN_TEXT)
            columns_add_fit(&text, row->cells[i], width, layout->is_utf8);
        else
            text_add(&text, row->cells[i]);
    }
    while (text.length > 0 && line[text.length - 1] == ' ')
        text.length--;
    fwrite(line, 1, text.length, out);
    fputc('\n', out);
}

void ps_print_table(FILE *out, const struct ps_lines *lines, size_t width)
{
    struct layout layout = {.is_utf8 = columns_is_utf8()};
    struct row titles;
    struct row row;

    for (size_t i = 0; i < PS_COLUMN_COUNT; i++) {
        snprintf(titles.cells[i], sizeof(titles.cells[i]), "%s", ps_columns[i].title);
        layout.is_shown[i] = true;
    }
    widen(&layout, &titles);
    memset(layout.is_empty, true, sizeof(layout.is_empty));
    for (size_t i = 0; i < lines->count; i++) {
        read_row(&lines->all[i], &row);
        widen(&layout, &row);
    }
    if (width > 0)
        fit(&layout, width);
    print_row(out, &titles, &layout);
    for (size_t i = 0; i < lines->count; i++) {
        read_row(&lines->all[i], &row);
        print_row(out, &row, &layout);
    }
}
