/* The widths are chosen anew for each picture, in three rounds over the columns, from the one that
 * is asked for most to the one that is asked for least: each column first gets its least width, or
 * is not shown when that does not fit; then what is left goes to what is usual in a column, and
 * then to what is longer in the tunnels of now.
 *
 * Only tunnels that are seen are looked at, so a thousand cost what twenty do.
 */
#include "top/top_table.h"

#include "system/columns.h"

#include <stdint.h>
#include <string.h>

static void table_add_right(struct text *out, const char *value, size_t width)
{
    for (size_t i = strlen(value); i < width; i++)
        text_add_char(out, ' ');
    text_add(out, value);
}

enum table_column {
    COLUMN_AGE,
    COLUMN_UP,
    COLUMN_DOWN,
    COLUMN_RATE,
    COLUMN_CLIENT,
    COLUMN_USER,
    COLUMN_TARGET,
    COLUMN_ADDRESS,
    COLUMN_RULE,
    COLUMN_ID,
    COLUMN_COUNT,
};

/* The widths are in columns of the terminal. An address with its port takes 21, with IPv6 47. A
 * column is not shown with less than its `min`. */
static const struct column_row {
    const char *title;
    enum top_sort sort;   /* the order that an arrow here shows; TOP_SORT_COUNT: none */
    enum top_field field; /* the text that it shows; TOP_FIELD_COUNT: it shows a number */
    size_t min, usual, max;
} column_rows[] = {
    [COLUMN_AGE] = {"AGE", TOP_SORT_AGE, TOP_FIELD_COUNT, 6, 6, 6},
    [COLUMN_UP] = {"UP", TOP_SORT_BYTES, TOP_FIELD_COUNT, 5, 5, 5},
    [COLUMN_DOWN] = {"DOWN", TOP_SORT_BYTES, TOP_FIELD_COUNT, 5, 5, 5},
    [COLUMN_RATE] = {"RATE", TOP_SORT_RATE, TOP_FIELD_COUNT, 7, 7, 7},
    [COLUMN_CLIENT] = {"CLIENT", TOP_SORT_COUNT, TOP_FIELD_CLIENT, 15, 21, 47},
    [COLUMN_USER] = {"USER", TOP_SORT_COUNT, TOP_FIELD_USER, 8, 12, 16},
    [COLUMN_TARGET] = {"TARGET", TOP_SORT_COUNT, TOP_FIELD_TARGET, 14, 40, 80},
    [COLUMN_ADDRESS] = {"ADDRESS", TOP_SORT_COUNT, TOP_FIELD_ADDRESS, 21, 21, 47},
    [COLUMN_RULE] = {"RULE", TOP_SORT_COUNT, TOP_FIELD_RULE, 8, 20, 40},
    [COLUMN_ID] = {"ID", TOP_SORT_COUNT, TOP_FIELD_ID, 13, 13, 13},
};
static_assert(ARRAY_LENGTH(column_rows) == COLUMN_COUNT, "a row for every column");

/* The order in which columns get their width. In a narrow window the last ones are not shown. */
static const enum table_column by_need[] = {COLUMN_TARGET,  COLUMN_RATE,   COLUMN_AGE,  COLUMN_DOWN,
                                            COLUMN_UP,      COLUMN_CLIENT, COLUMN_USER, COLUMN_RULE,
                                            COLUMN_ADDRESS, COLUMN_ID};
static_assert(ARRAY_LENGTH(by_need) == COLUMN_COUNT, "every column has its place");

/* Returns the least width of a column. A third of the window is the target's. */
static size_t column_min(const struct top_canvas *canvas, enum table_column column)
{
    size_t third = (size_t)canvas->columns * 35 / 100;
    const struct column_row *row = &column_rows[column];

    if (column != COLUMN_TARGET || third < row->min)
        return row->min;
    return third < row->usual ? third : row->usual;
}

/* Returns the width that a column can make use of now. */
static size_t column_longest(const struct top_model *model, enum table_column column)
{
    enum top_field field = column_rows[column].field;
    size_t max = column_rows[column].max;

    if (field == TOP_FIELD_COUNT || model->longest[field] > max)
        return max;
    return model->longest[field];
}

/* A width of 0 says that the column is not shown. */
static void table_choose_widths(const struct top_canvas *canvas, const struct top_model *model,
                                size_t ret_widths[COLUMN_COUNT])
{
    size_t room = (size_t)canvas->columns + 1; /* there is no gap behind the last */

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        enum table_column column = by_need[i];
        size_t min = column_min(canvas, column);
        bool is_shown =
            room >= min + 1 && (column != COLUMN_USER || model->longest[TOP_FIELD_USER] > 0);

        ret_widths[column] = is_shown ? min : 0;
        room -= is_shown ? min + 1 : 0;
    }
    for (size_t i = 0; i < 2 * COLUMN_COUNT; i++) {
        enum table_column column = by_need[i % COLUMN_COUNT];
        size_t wanted =
            i < COLUMN_COUNT ? column_rows[column].usual : column_longest(model, column);
        size_t more = wanted > ret_widths[column] ? wanted - ret_widths[column] : 0;

        if (ret_widths[column] == 0)
            continue;
        more = more < room ? more : room;
        ret_widths[column] += more;
        room -= more;
    }
}

static void table_add_number(struct text *out, enum table_column column,
                             const struct top_tunnel *tunnel)
{
    uint64_t rate = tunnel->up_rate + tunnel->down_rate;

    if (column == COLUMN_AGE) {
        columns_add_age(out, tunnel->duration_ms);
    } else if (column == COLUMN_UP) {
        columns_add_bytes(out, (double)tunnel->up_bytes);
    } else if (column == COLUMN_DOWN) {
        columns_add_bytes(out, (double)tunnel->down_bytes);
    } else if (rate > 0) {
        columns_add_bytes(out, (double)rate);
        text_add(out, "/s");
    } else {
        text_add(out, "-");
    }
}

static void table_add_cell(const struct top_canvas *canvas, struct text *out,
                           enum table_column column, size_t width, const struct top_tunnel *tunnel)
{
    enum top_field field = column_rows[column].field;
    char number[32];
    struct text text;

    if (field != TOP_FIELD_COUNT) {
        const char *value = tunnel->texts[field];

        columns_add_fit(out, value[0] != '\0' ? value : "-", width, canvas->is_utf8);
        return;
    }
    text_init(&text, number, sizeof(number));
    table_add_number(&text, column, tunnel);
    table_add_right(out, number, width);
}

/* Adds a title, with an arrow where the table is sorted by it. Numbers end at the right, and so do
 * their titles. */
static void table_add_title(const struct top_canvas *canvas, struct text *out,
                            enum table_column column, size_t width, const struct top_model *model)
{
    const struct column_row *row = &column_rows[column];
    const char *arrow = canvas->is_utf8 ? "▼" : "v";
    char title[32];
    struct text text;

    if (model->is_reversed)
        arrow = canvas->is_utf8 ? "▲" : "^";
    text_init(&text, title, sizeof(title));
    text_add(&text, row->title);
    if (row->sort == model->sort)
        text_add(&text, arrow);
    size_t title_width = columns_width(title, canvas->is_utf8);
    for (size_t i = title_width; row->field == TOP_FIELD_COUNT && i < width; i++)
        text_add_char(out, ' ');
    columns_add_fit(out, title, row->field == TOP_FIELD_COUNT ? title_width : width,
                    canvas->is_utf8);
}

/* Draws a tunnel, or the titles when `tunnel` is NULL. */
static void table_draw_row(struct top_canvas *canvas, const struct top_model *model,
                           const size_t widths[COLUMN_COUNT], int row, attr_t style,
                           const struct top_tunnel *tunnel)
{
    struct text line;
    bool is_first = true;

    top_canvas_begin_line(canvas, &line);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        enum table_column column = (enum table_column)i;

        if (widths[column] == 0)
            continue;
        if (!is_first)
            text_add_char(&line, ' ');
        is_first = false;
        if (tunnel != NULL)
            table_add_cell(canvas, &line, column, widths[column], tunnel);
        else
            table_add_title(canvas, &line, column, widths[column], model);
    }
    for (size_t i = columns_width(canvas->line, canvas->is_utf8); i < (size_t)canvas->columns; i++)
        text_add_char(&line, ' ');
    top_canvas_put(canvas, row, 0, style, canvas->line);
}

/* The selected tunnel must be seen, and no row may stay empty while there is a tunnel for it. */
static void view_scroll(struct top_view *view, const struct top_model *model)
{
    size_t page = view->page;

    if (view->first + page > model->row_count)
        view->first = model->row_count > page ? model->row_count - page : 0;
    if (model->selected_row < view->first)
        view->first = model->selected_row;
    if (page > 0 && model->selected_row >= view->first + page)
        view->first = model->selected_row - page + 1;
}

void top_table_draw(struct top_canvas *canvas, const struct top_ui *ui, int row,
                    struct top_view *view)
{
    const struct top_model *model = &ui->model;
    int first_row = row + 1;
    size_t widths[COLUMN_COUNT];

    view_scroll(view, model);
    table_choose_widths(canvas, model, widths);
    table_draw_row(canvas, model, widths, row, A_BOLD | A_UNDERLINE, NULL);
    for (size_t i = 0; i < view->page && view->first + i < model->row_count; i++) {
        size_t tunnel = view->first + i;
        attr_t style = tunnel == model->selected_row ? A_REVERSE : A_NORMAL;

        if (ui->peer == TOP_PEER_SILENT)
            style |= A_DIM;
        table_draw_row(canvas, model, widths, first_row + (int)i, style, model->rows[tunnel]);
    }
    if (model->row_count > 0)
        return;
    if (!model->has_answer)
        top_canvas_put(canvas, first_row, 0, A_NORMAL, "waiting for the first answer");
    else if (model->answer.count > 0)
        top_canvas_put(canvas, first_row, 0, A_NORMAL,
                       "no tunnel matches the filter; Esc clears it");
    else
        top_canvas_put(canvas, first_row, 0, A_NORMAL, "no tunnel is open");
}
