/* Everything is drawn anew each time into ncurses' picture of the screen, and ncurses sends what
 * differs. From above: a line about adit, three of gauges, the titles, the tunnels, details if they
 * are asked for, and a line for keys, questions and messages. Only tunnels that are seen are looked
 * at, so a thousand cost what twenty do.
 *
 * Columns of the table: those that are most asked for stay when the window is narrow; what is left
 * goes first to what is usual in a column, then to what is longer now.
 */
#include "top/top_screen.h"

#include "system/columns.h"
#include "top/top_terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NCURSES_NOMACROS
#include <curses.h>

enum {
    COLUMNS_MIN = 40,
    ROWS_MIN = 8,
    COLUMNS_MAX = 1000, /* of a window that is wider, the rest stays empty */
    SCREEN_LINE_SIZE = 4 * COLUMNS_MAX + 1,
    GAUGE_ROW = 1,
    GAUGE_ROWS = 3,
    BANNER_ROW = GAUGE_ROW + GAUGE_ROWS,
    ESCAPE_DELAY_MS = 50, /* an Escape that is nothing's beginning, over a slow line */
};

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_NOTE, COLOUR_BAD, COLOUR_CALM, COLOUR_COUNT };

struct top_screen {
    SCREEN *terminal;
    bool is_utf8;
    bool has_colours;
    int rows;
    int columns;
    size_t page;
    size_t first_row; /* of the tunnels, that is seen */
    int banner;       /* rows that it takes: 0 to 2 */
    char line[SCREEN_LINE_SIZE];
};

static int title_row(const struct top_screen *screen)
{
    return BANNER_ROW + screen->banner;
}

static int table_row(const struct top_screen *screen)
{
    return title_row(screen) + 1;
}

/* -- the terminal */

static void measure(struct top_screen *screen)
{
    getmaxyx(stdscr, screen->rows, screen->columns);
    if (screen->columns > COLUMNS_MAX)
        screen->columns = COLUMNS_MAX;
}

static bool begin_colours(void)
{
    static const short colours[COLOUR_COUNT] = {-1, COLOR_GREEN, COLOR_YELLOW, COLOR_RED,
                                                COLOR_CYAN};
    const char *no_color = getenv("NO_COLOR");

    if ((no_color != NULL && no_color[0] != '\0') || !has_colors() || start_color() == ERR ||
        use_default_colors() == ERR)
        return false;
    for (int i = 1; i < COLOUR_COUNT; i++)
        init_pair((short)i, colours[i], -1);
    return true;
}

int top_screen_create(struct top_screen **ret_screen)
{
    struct top_screen *screen = calloc(1, sizeof(*screen));

    if (screen == NULL)
        return -ENOMEM;
    screen->is_utf8 = columns_is_utf8();
    screen->terminal = top_terminal_is_usable() ? newterm(NULL, stdout, stdin) : NULL;
    if (screen->terminal == NULL) {
        free(screen);
        return -ENOTTY;
    }
    set_escdelay(ESCAPE_DELAY_MS);
    cbreak();
    noecho();
    keypad(stdscr, true);
    nodelay(stdscr, true);
    leaveok(stdscr, false);
    curs_set(0);
    screen->has_colours = begin_colours();
    measure(screen);
    *ret_screen = screen;
    return 0;
}

void top_screen_destroy(struct top_screen *screen)
{
    endwin();
    delscreen(screen->terminal);
    free(screen);
}

void top_screen_resize(struct top_screen *screen)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    clearok(stdscr, true);
    measure(screen);
}

size_t top_screen_page(const struct top_screen *screen)
{
    return screen->page;
}

bool top_screen_read_key(struct top_screen *screen, uint32_t *ret_key)
{
    static const struct {
        wint_t code;
        uint32_t key;
    } codes[] = {
        {KEY_UP, TOP_KEY_UP},
        {KEY_DOWN, TOP_KEY_DOWN},
        {KEY_PPAGE, TOP_KEY_PAGE_UP},
        {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
        {KEY_HOME, TOP_KEY_HOME},
        {KEY_END, TOP_KEY_END},
        {KEY_ENTER, '\n'},
        {KEY_BACKSPACE, TOP_KEY_BACKSPACE},
        {KEY_F(1), '?'},
        {KEY_F(10), 'q'},
    };
    wint_t code;
    int kind = get_wch(&code);

    if (kind == ERR)
        return false;
    *ret_key = kind == OK ? (uint32_t)code : TOP_KEY_OTHER;
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        if (kind == KEY_CODE_YES && codes[i].code == code)
            *ret_key = codes[i].key;
    return true;
}

/* -- bits of drawing */

static attr_t paint(const struct top_screen *screen, enum colour colour)
{
    return screen->has_colours ? (attr_t)COLOR_PAIR(colour) : A_NORMAL;
}

/* Cut at the window's edge. Returns the column behind it. */
static int put_at(const struct top_screen *screen, int row, int column, attr_t style,
                  const char *string)
{
    char cut[SCREEN_LINE_SIZE];
    struct text text;
    size_t width = columns_width(string, screen->is_utf8);
    size_t room = column < screen->columns ? (size_t)(screen->columns - column) : 0;

    text_init(&text, cut, sizeof(cut));
    columns_add_fit(&text, string, width < room ? width : room, screen->is_utf8);
    attrset((int)style);
    mvaddstr(row, column, cut);
    attrset(A_NORMAL);
    return column + (int)(width < room ? width : room);
}

/* Ends at the window's edge; nothing when it would stand before `column`. */
static void put_right(const struct top_screen *screen, int row, int column, attr_t style,
                      const char *string)
{
    int start = screen->columns - (int)columns_width(string, screen->is_utf8);

    if (start > column)
        put_at(screen, row, start, style, string);
}

static struct text *screen_begin_line(struct top_screen *screen, struct text *line)
{
    text_init(line, screen->line, sizeof(screen->line));
    return line;
}

static void add_right(struct text *out, const char *value, size_t width)
{
    for (size_t i = strlen(value); i < width; i++)
        text_add_char(out, ' ');
    text_add(out, value);
}

/* -- adit and its gauges */

static void draw_head(struct top_screen *screen, const struct top_ui *ui)
{
    const struct top_model *model = &ui->model;
    bool is_serving = strcmp(model->state, "serving") == 0;
    struct text line;
    int column = put_at(screen, 0, 0, A_BOLD, "adit ");

    column = put_at(screen, 0, column, A_BOLD, model->version);
    if (ui->peer == TOP_PEER_SILENT) {
        put_at(screen, 0, column + 2, A_BOLD | paint(screen, COLOUR_BAD),
               "adit does not answer; trying again");
        return;
    }
    if (ui->peer == TOP_PEER_ASKED)
        return;
    column = put_at(screen, 0, column + 2,
                    A_BOLD | paint(screen, is_serving ? COLOUR_GOOD : COLOUR_NOTE), model->state);
    text_add(screen_begin_line(screen, &line), "up ");
    columns_add_age(&line, model->uptime_s * 1000);
    column = put_at(screen, 0, column + 2, A_NORMAL, screen->line);
    double asked = top_model_gauge(model, TOP_GAUGE_ASKED);
    if (asked > 0) {
        text_add(screen_begin_line(screen, &line), top_gauge_name(TOP_GAUGE_ASKED));
        text_add_char(&line, ' ');
        columns_add_count(&line, asked);
        column = put_at(screen, 0, column + 2, A_NORMAL, screen->line);
    }
    if (ui->is_paused)
        put_right(screen, 0, column, A_BOLD | paint(screen, COLOUR_NOTE), "PAUSED");
}

/* Into screen->line. Returns where in it the error begins. */
static size_t write_banner(struct top_screen *screen, const struct top_model *model)
{
    time_t now = time(NULL);
    struct tm today;
    char date[16];
    struct text line;

    strftime(date, sizeof(date), "%F", gmtime_r(&now, &today));
    text_add(screen_begin_line(screen, &line), "reload failed at ");
    columns_add_moment(&line, model->reload_time, date);
    text_add(&line, ": ");
    const char *error = columns_add_place(&line, model->reload_error);
    size_t start = line.length;
    text_add(&line, error);
    return start;
}

/* The error gets a row of its own when it needs one and the window has it. */
static int banner_rows(struct top_screen *screen, const struct top_model *model)
{
    if (model->reload_error[0] == '\0')
        return 0;
    write_banner(screen, model);
    bool is_long = columns_width(screen->line, screen->is_utf8) > (size_t)screen->columns;
    return is_long && screen->rows >= 2 * ROWS_MIN ? 2 : 1;
}

/* A reload that failed: nobody who looks shall take the old configuration for the new one. */
static void draw_banner(struct top_screen *screen, const struct top_model *model)
{
    attr_t style = A_BOLD | paint(screen, COLOUR_BAD);

    if (screen->banner == 0)
        return;
    size_t start = write_banner(screen, model);
    if (screen->banner > 1) {
        put_at(screen, BANNER_ROW + 1, 0, style, screen->line + start);
        screen->line[start] = '\0';
    }
    put_at(screen, BANNER_ROW, 0, style, screen->line);
}

static void draw_gauge(struct top_screen *screen, const struct top_model *model,
                       enum top_gauge gauge, int row, int column, int width)
{
    static const enum colour colours[] = {
        [TOP_GAUGE_UP] = COLOUR_GOOD,      [TOP_GAUGE_DOWN] = COLOUR_CALM,
        [TOP_GAUGE_TUNNELS] = COLOUR_NONE, [TOP_GAUGE_NEW] = COLOUR_GOOD,
        [TOP_GAUGE_DENIED] = COLOUR_NOTE,  [TOP_GAUGE_FAILED] = COLOUR_BAD,
    };
    static_assert(ARRAY_LENGTH(colours) == 2 * GAUGE_ROWS, "a colour for every gauge of the block");
    enum { LABEL_WIDTH = 8, VALUE_WIDTH = 7, GAP = 2 };
    double value = top_model_gauge(model, gauge);
    int room = width - LABEL_WIDTH - 1 - VALUE_WIDTH - 1 - GAP;
    char number[32];
    struct text text;

    text_init(&text, number, sizeof(number));
    if (gauge <= TOP_GAUGE_DOWN) {
        columns_add_bytes(&text, value);
        text_add(&text, "/s");
    } else {
        columns_add_count(&text, value);
    }
    put_at(screen, row, column, A_NORMAL, top_gauge_name(gauge));
    put_at(screen, row, column + LABEL_WIDTH + 1 + VALUE_WIDTH - (int)text.length, A_BOLD, number);
    if (room > 0) {
        columns_add_sparkline(screen_begin_line(screen, &text), model->gauges[gauge],
                              model->history_count, (size_t)room, screen->is_utf8);
        put_at(screen, row, column + LABEL_WIDTH + 1 + VALUE_WIDTH + 1,
               paint(screen, colours[gauge]), screen->line);
    }
}

static void draw_gauges(struct top_screen *screen, const struct top_model *model)
{
    int half = screen->columns / 2;

    for (int i = 0; i < 2 * GAUGE_ROWS; i++)
        draw_gauge(screen, model, (enum top_gauge)i, GAUGE_ROW + i % GAUGE_ROWS,
                   i < GAUGE_ROWS ? 0 : half, half);
}

/* -- the table */

enum screen_column {
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

/* In columns of the terminal: an address with its port takes 21, over IPv6 47. `min`: not shown
 * with less. */
static const struct column_row {
    const char *title;
    enum top_sort sort;   /* that it shows */
    enum top_field field; /* TOP_FIELD_COUNT: a number */
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

/* The first ones stay longest. */
static const enum screen_column by_need[] = {
    COLUMN_TARGET, COLUMN_RATE, COLUMN_AGE,  COLUMN_DOWN,    COLUMN_UP,
    COLUMN_CLIENT, COLUMN_USER, COLUMN_RULE, COLUMN_ADDRESS, COLUMN_ID};
static_assert(ARRAY_LENGTH(by_need) == COLUMN_COUNT, "every column has its place");

/* A third of the window is the target's. */
static size_t column_min(const struct top_screen *screen, enum screen_column column)
{
    size_t third = (size_t)screen->columns * 35 / 100;
    const struct column_row *row = &column_rows[column];

    if (column != COLUMN_TARGET || third < row->min)
        return row->min;
    return third < row->usual ? third : row->usual;
}

/* What it can make use of. */
static size_t column_longest(const struct top_model *model, enum screen_column column)
{
    enum top_field field = column_rows[column].field;
    size_t max = column_rows[column].max;

    if (field == TOP_FIELD_COUNT || model->longest[field] > max)
        return max;
    return model->longest[field];
}

/* 0: the column is not shown. */
static void choose_widths(const struct top_screen *screen, const struct top_model *model,
                          size_t ret_widths[COLUMN_COUNT])
{
    size_t room = (size_t)screen->columns + 1; /* there is no gap behind the last */

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        enum screen_column column = by_need[i];
        size_t min = column_min(screen, column);
        bool is_shown =
            room >= min + 1 && (column != COLUMN_USER || model->longest[TOP_FIELD_USER] > 0);

        ret_widths[column] = is_shown ? min : 0;
        room -= is_shown ? min + 1 : 0;
    }
    for (size_t i = 0; i < 2 * COLUMN_COUNT; i++) {
        enum screen_column column = by_need[i % COLUMN_COUNT];
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

static void screen_add_number(struct text *out, enum screen_column column,
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

static void add_cell(const struct top_screen *screen, struct text *out, enum screen_column column,
                     size_t width, const struct top_tunnel *tunnel)
{
    enum top_field field = column_rows[column].field;
    char number[32];
    struct text text;

    if (field != TOP_FIELD_COUNT) {
        const char *value = tunnel->texts[field];

        columns_add_fit(out, value[0] != '\0' ? value : "-", width, screen->is_utf8);
        return;
    }
    text_init(&text, number, sizeof(number));
    screen_add_number(&text, column, tunnel);
    add_right(out, number, width);
}

/* With the arrow where the table is sorted by it; numbers end at the right, and so their titles. */
static void add_title(const struct top_screen *screen, struct text *out, enum screen_column column,
                      size_t width, const struct top_model *model)
{
    const struct column_row *row = &column_rows[column];
    const char *arrow = screen->is_utf8 ? "▼" : "v";
    char title[32];
    struct text text;

    if (model->is_reversed)
        arrow = screen->is_utf8 ? "▲" : "^";
    text_init(&text, title, sizeof(title));
    text_add(&text, row->title);
    if (row->sort == model->sort)
        text_add(&text, arrow);
    size_t title_width = columns_width(title, screen->is_utf8);
    for (size_t i = title_width; row->field == TOP_FIELD_COUNT && i < width; i++)
        text_add_char(out, ' ');
    columns_add_fit(out, title, row->field == TOP_FIELD_COUNT ? title_width : width,
                    screen->is_utf8);
}

/* `tunnel` NULL: the titles. */
static void draw_row(struct top_screen *screen, const struct top_model *model,
                     const size_t widths[COLUMN_COUNT], int row, attr_t style,
                     const struct top_tunnel *tunnel)
{
    struct text line;
    bool is_first = true;

    screen_begin_line(screen, &line);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        enum screen_column column = (enum screen_column)i;

        if (widths[column] == 0)
            continue;
        if (!is_first)
            text_add_char(&line, ' ');
        is_first = false;
        if (tunnel != NULL)
            add_cell(screen, &line, column, widths[column], tunnel);
        else
            add_title(screen, &line, column, widths[column], model);
    }
    for (size_t i = columns_width(screen->line, screen->is_utf8); i < (size_t)screen->columns; i++)
        text_add_char(&line, ' ');
    put_at(screen, row, 0, style, screen->line);
}

/* The selected row must be seen, and no row stay empty that need not. */
static void scroll_to(struct top_screen *screen, const struct top_model *model)
{
    size_t page = screen->page;

    if (screen->first_row + page > model->row_count)
        screen->first_row = model->row_count > page ? model->row_count - page : 0;
    if (model->selected_row < screen->first_row)
        screen->first_row = model->selected_row;
    if (page > 0 && model->selected_row >= screen->first_row + page)
        screen->first_row = model->selected_row - page + 1;
}

static void draw_table(struct top_screen *screen, const struct top_ui *ui)
{
    const struct top_model *model = &ui->model;
    size_t widths[COLUMN_COUNT];

    scroll_to(screen, model);
    choose_widths(screen, model, widths);
    draw_row(screen, model, widths, title_row(screen), A_BOLD | A_UNDERLINE, NULL);
    for (size_t i = 0; i < screen->page && screen->first_row + i < model->row_count; i++) {
        size_t row = screen->first_row + i;
        attr_t style = row == model->selected_row ? A_REVERSE : A_NORMAL;

        if (ui->peer == TOP_PEER_SILENT)
            style |= A_DIM;
        draw_row(screen, model, widths, table_row(screen) + (int)i, style, model->rows[row]);
    }
    if (model->row_count > 0)
        return;
    if (!model->has_answer)
        put_at(screen, table_row(screen), 0, A_NORMAL, "waiting for the first answer");
    else if (model->answer.count > 0)
        put_at(screen, table_row(screen), 0, A_NORMAL,
               "no tunnel matches the filter; Esc clears it");
    else
        put_at(screen, table_row(screen), 0, A_NORMAL, "no tunnel is open");
}

/* -- details of the selected tunnel */

struct flow {
    struct top_screen *screen;
    int first_row; /* -1: only counts */
    int limit;
    int row;
    int column;
};

/* A label and its value, on the next line when this one is full. */
static void flow_add(struct flow *flow, const char *label, const char *value)
{
    enum { GAP = 3 };
    struct top_screen *screen = flow->screen;
    int width =
        (int)(columns_width(label, screen->is_utf8) + 1 + columns_width(value, screen->is_utf8));

    if (flow->column > 0 && flow->column + width > screen->columns) {
        flow->row++;
        flow->column = 0;
    }
    if (flow->first_row >= 0 && flow->row < flow->limit) {
        int column = put_at(screen, flow->first_row + flow->row, flow->column,
                            paint(screen, COLOUR_CALM), label);

        put_at(screen, flow->first_row + flow->row, column + 1, A_NORMAL, value);
    }
    flow->column += width + GAP;
}

static void flow_add_bytes(struct flow *flow, const char *label, uint64_t bytes, uint64_t rate)
{
    char value[96];
    struct text text;

    text_init(&text, value, sizeof(value));
    text_add_decimal(&text, bytes);
    text_add(&text, " (");
    columns_add_bytes(&text, (double)rate);
    text_add(&text, "/s)");
    flow_add(flow, label, value);
}

/* Lines that it takes, of which `limit` are drawn below `first_row`. */
static int flow_details(struct top_screen *screen, const struct top_tunnel *tunnel, int first_row,
                        int limit)
{
    struct flow flow = {.screen = screen, .first_row = first_row, .limit = limit};
    char age[32];
    struct text text;

    for (int i = 0; i < TOP_FIELD_COUNT; i++)
        if (tunnel->texts[i][0] != '\0')
            flow_add(&flow, top_field_name((enum top_field)i), tunnel->texts[i]);
    text_init(&text, age, sizeof(age));
    columns_add_age(&text, tunnel->duration_ms);
    flow_add(&flow, "age", age);
    flow_add_bytes(&flow, "up_bytes", tunnel->up_bytes, tunnel->up_rate);
    flow_add_bytes(&flow, "down_bytes", tunnel->down_bytes, tunnel->down_rate);
    return flow.row + 1;
}

/* Lines for details, with the one above them that keeps them apart; at least one tunnel is seen. */
static int details_height(struct top_screen *screen, const struct top_ui *ui)
{
    const struct top_tunnel *tunnel = top_model_selected(&ui->model);
    int room = screen->rows - table_row(screen) - 1 - 1;

    if (!ui->is_detailed || tunnel == NULL || room < 1)
        return 0;
    int wanted = flow_details(screen, tunnel, -1, 0) + 1;
    return wanted < room ? wanted : room;
}

static void draw_details(struct top_screen *screen, const struct top_ui *ui, int height)
{
    int row = screen->rows - 1 - height;

    if (height == 0)
        return;
    if (height > 1) {
        mvhline(row, 0, 0, screen->columns);
        row++;
        height--;
    }
    flow_details(screen, top_model_selected(&ui->model), row, height);
}

/* -- the last line */

static void draw_keys(struct top_screen *screen, const struct top_ui *ui, int row)
{
    static const struct {
        const char *key;
        const char *does;
    } keys[] = {
        {"q", "quit"},        {"?", "help"}, {"/", "filter"},    {"a b r", "sort"},
        {"Enter", "details"}, {"k", "kill"}, {"Space", "pause"},
    };
    const struct top_model *model = &ui->model;
    struct text line;
    int column = 0;

    if (model->filter[0] != '\0') {
        text_add(screen_begin_line(screen, &line), "/");
        text_add(&line, model->filter);
        column = put_at(screen, row, column, A_BOLD | paint(screen, COLOUR_NOTE), screen->line) + 2;
    }
    screen_begin_line(screen, &line);
    text_add_decimal(&line, model->row_count > 0 ? model->selected_row + 1 : 0);
    text_add_char(&line, '/');
    text_add_decimal(&line, model->row_count);
    int end = screen->columns - (int)line.length - 1;
    put_right(screen, row, column, A_NORMAL, screen->line);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        int width = (int)(strlen(keys[i].key) + 1 + strlen(keys[i].does));

        if (column + width > end)
            return;
        put_at(screen, row, column, A_BOLD, keys[i].key);
        put_at(screen, row, column + width - (int)strlen(keys[i].does), A_NORMAL, keys[i].does);
        column += width + 2;
    }
}

static void draw_filter(struct top_screen *screen, const struct top_model *model, int row)
{
    struct text line;
    int end = put_at(screen, row, 0, A_BOLD, "/");

    end = put_at(screen, row, end, A_BOLD, model->filter);
    screen_begin_line(screen, &line);
    text_add_decimal(&line, model->row_count);
    text_add(&line, " of ");
    text_add_decimal(&line, model->answer.count);
    text_add(&line, "  Enter keep  Esc clear");
    put_right(screen, row, end + 1, A_NORMAL, screen->line);
    move(row, end < screen->columns ? end : screen->columns - 1);
}

static void draw_question(struct top_screen *screen, const struct top_ui *ui, int row)
{
    static const char answers[] = "? y/n";
    struct text line;
    size_t room = (size_t)screen->columns - (sizeof(answers) - 1);

    text_add(screen_begin_line(screen, &line), "kill ");
    text_add(&line, ui->kill_text);
    size_t width = columns_width(screen->line, screen->is_utf8);
    char cut[SCREEN_LINE_SIZE];
    struct text question;
    text_init(&question, cut, sizeof(cut));
    columns_add_fit(&question, screen->line, width < room ? width : room, screen->is_utf8);
    text_add(&question, answers);
    put_at(screen, row, 0, A_BOLD | paint(screen, COLOUR_BAD), cut);
}

static void draw_last_line(struct top_screen *screen, const struct top_ui *ui)
{
    int row = screen->rows - 1;

    if (ui->mode == TOP_MODE_KILL)
        draw_question(screen, ui, row);
    else if (ui->mode == TOP_MODE_HELP)
        put_at(screen, row, 0, A_BOLD, "any key goes back");
    else if (ui->mode == TOP_MODE_FILTER)
        draw_filter(screen, &ui->model, row);
    else if (ui->message[0] != '\0')
        put_at(screen, row, 0,
               A_BOLD | paint(screen, ui->is_message_bad ? COLOUR_BAD : COLOUR_GOOD), ui->message);
    else
        draw_keys(screen, ui, row);
}

/* -- help, and all */

static void draw_help(struct top_screen *screen)
{
    static const char *const lines[] = {
        "arrows, PgUp, PgDn, Home, End: select",
        "a  by age      the same key again:",
        "b  by bytes    the other way round",
        "r  by rate",
        "/      filter as you type",
        "Enter  details of the tunnel",
        "k      kill the tunnel (asks first)",
        "Space  pause, and go on",
        "Esc    back: details, filter, selection",
        "q      quit",
    };
    enum { WIDTH = 41 };
    int height = ARRAY_LENGTH(lines);
    int row = (screen->rows - 1 - height) / 2;
    int column = (screen->columns - WIDTH) / 2;
    bool is_framed = row >= 1 && column >= 2;

    row = row < 0 ? 0 : row;
    column = column < 0 ? 0 : column;
    for (int i = is_framed ? -1 : 0; i < height + is_framed && row + i < screen->rows - 1; i++) {
        if (is_framed)
            mvhline(row + i, column - 2, ' ', WIDTH + 4);
        else
            mvhline(row + i, 0, ' ', screen->columns);
        if (i >= 0 && i < height)
            put_at(screen, row + i, column, A_NORMAL, lines[i]);
    }
    if (!is_framed)
        return;
    mvhline(row - 1, column - 1, 0, WIDTH + 2);
    mvhline(row + height, column - 1, 0, WIDTH + 2);
    mvvline(row, column - 2, 0, height);
    mvvline(row, column + WIDTH + 1, 0, height);
    mvaddch(row - 1, column - 2, ACS_ULCORNER);
    mvaddch(row - 1, column + WIDTH + 1, ACS_URCORNER);
    mvaddch(row + height, column - 2, ACS_LLCORNER);
    mvaddch(row + height, column + WIDTH + 1, ACS_LRCORNER);
    put_at(screen, row - 1, column, A_BOLD, " keys ");
}

static void draw_too_small(struct top_screen *screen)
{
    char line[64];

    screen->page = 0;
    snprintf(line, sizeof(line), "%dx%d is too small", screen->columns, screen->rows);
    put_at(screen, 0, 0, A_BOLD, line);
    snprintf(line, sizeof(line), "adit top takes %dx%d", COLUMNS_MIN, ROWS_MIN);
    put_at(screen, 1, 0, A_NORMAL, line);
    put_at(screen, 2, 0, A_NORMAL, "q quits");
}

void top_screen_draw(struct top_screen *screen, const struct top_ui *ui)
{
    bool is_typing = ui->mode == TOP_MODE_FILTER;

    erase();
    screen->banner = banner_rows(screen, &ui->model);
    if (screen->columns < COLUMNS_MIN || screen->rows < ROWS_MIN) {
        draw_too_small(screen);
        is_typing = false;
    } else {
        int height = details_height(screen, ui);

        screen->page = (size_t)(screen->rows - table_row(screen) - 1 - height);
        draw_head(screen, ui);
        draw_gauges(screen, &ui->model);
        draw_banner(screen, &ui->model);
        draw_table(screen, ui);
        draw_details(screen, ui, height);
        if (ui->mode == TOP_MODE_HELP)
            draw_help(screen);
        draw_last_line(screen, ui);
    }
    curs_set(is_typing ? 1 : 0);
    refresh();
}
