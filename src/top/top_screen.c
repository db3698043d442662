/* Everything is drawn anew each time into ncurses' picture of the screen, and ncurses sends what
 * differs. From above: a line about adit, three lines of gauges, a banner if the last reload
 * failed, the titles, the tunnels (top_table.c), details if they are asked for, and a line for
 * keys, questions and messages.
 */
#include "top/top_screen.h"

#include "system/columns.h"
#include "top/top_canvas.h"
#include "top/top_table.h"
#include "top/top_terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    COLUMNS_MIN = 40, /* in a smaller window only a message is drawn */
    ROWS_MIN = 8,
    GAUGE_ROW = 1,
    GAUGE_ROWS = 3, /* of two gauges each */
    BANNER_ROW = GAUGE_ROW + GAUGE_ROWS,
    /* An arrow key arrives as Escape and more bytes. When nothing follows for this long, it was the
     * Escape key itself; on a slow line the bytes may be apart. */
    ESCAPE_DELAY_MS = 50,
};

struct top_screen {
    SCREEN *terminal;
    struct top_canvas canvas;
    struct top_view view;
    int banner; /* rows that the banner takes in the picture of now: 0 to 2 */
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

int top_screen_create(struct top_screen **ret_screen)
{
    struct top_screen *screen = calloc(1, sizeof(*screen));

    if (screen == NULL)
        return -ENOMEM;
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
    top_canvas_init(&screen->canvas);
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
    top_canvas_measure(&screen->canvas);
}

size_t top_screen_page(const struct top_screen *screen)
{
    return screen->view.page;
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

/* -- adit and its gauges */

static void draw_head(struct top_screen *screen, const struct top_ui *ui)
{
    const struct top_model *model = &ui->model;
    bool is_serving = strcmp(model->state, "serving") == 0;
    struct text line;
    int column = top_canvas_put(&screen->canvas, 0, 0, A_BOLD, "adit ");

    column = top_canvas_put(&screen->canvas, 0, column, A_BOLD, model->version);
    if (ui->peer == TOP_PEER_SILENT) {
        top_canvas_put(&screen->canvas, 0, column + 2,
                       A_BOLD | top_canvas_paint(&screen->canvas, TOP_COLOUR_BAD),
                       "adit does not answer; trying again");
        return;
    }
    if (ui->peer == TOP_PEER_ASKED)
        return;
    column = top_canvas_put(
        &screen->canvas, 0, column + 2,
        A_BOLD | top_canvas_paint(&screen->canvas, is_serving ? TOP_COLOUR_GOOD : TOP_COLOUR_NOTE),
        model->state);
    text_add(top_canvas_begin_line(&screen->canvas, &line), "up ");
    columns_add_age(&line, model->uptime_s * 1000);
    column = top_canvas_put(&screen->canvas, 0, column + 2, A_NORMAL, screen->canvas.line);
    double asked = top_model_gauge(model, TOP_GAUGE_ASKED);
    if (asked > 0) {
        text_add(top_canvas_begin_line(&screen->canvas, &line), top_gauge_name(TOP_GAUGE_ASKED));
        text_add_char(&line, ' ');
        columns_add_count(&line, asked);
        column = top_canvas_put(&screen->canvas, 0, column + 2, A_NORMAL, screen->canvas.line);
    }
    if (ui->is_paused)
        top_canvas_put_right(&screen->canvas, 0, column,
                             A_BOLD | top_canvas_paint(&screen->canvas, TOP_COLOUR_NOTE), "PAUSED");
}

/* Writes the text of the banner into screen->canvas.line. Returns the offset at which the error
 * begins, behind the time and the place. */
static size_t write_banner(struct top_screen *screen, const struct top_model *model)
{
    time_t now = time(NULL);
    struct tm today;
    char date[16];
    struct text line;

    strftime(date, sizeof(date), "%F", gmtime_r(&now, &today));
    text_add(top_canvas_begin_line(&screen->canvas, &line), "reload failed at ");
    columns_add_moment(&line, model->reload_time, date);
    text_add(&line, ": ");
    const char *error = columns_add_place(&line, model->reload_error);
    size_t start = line.length;
    text_add(&line, error);
    return start;
}

/* Returns how many rows the banner takes. The error gets a second row when the text does not fit
 * into one and the window is high enough. */
static int banner_rows(struct top_screen *screen, const struct top_model *model)
{
    if (model->reload_error[0] == '\0')
        return 0;
    write_banner(screen, model);
    bool is_long =
        columns_width(screen->canvas.line, screen->canvas.is_utf8) > (size_t)screen->canvas.columns;
    return is_long && screen->canvas.rows >= 2 * ROWS_MIN ? 2 : 1;
}

/* Shows that the last reload failed, so that nobody who looks at the screen believes that the new
 * configuration serves. */
static void draw_banner(struct top_screen *screen, const struct top_model *model)
{
    attr_t style = A_BOLD | top_canvas_paint(&screen->canvas, TOP_COLOUR_BAD);

    if (screen->banner == 0)
        return;
    size_t start = write_banner(screen, model);
    if (screen->banner > 1) {
        top_canvas_put(&screen->canvas, BANNER_ROW + 1, 0, style, screen->canvas.line + start);
        screen->canvas.line[start] = '\0';
    }
    top_canvas_put(&screen->canvas, BANNER_ROW, 0, style, screen->canvas.line);
}

static void draw_gauge(struct top_screen *screen, const struct top_model *model,
                       enum top_gauge gauge, int row, int column, int width)
{
    static const enum top_colour colours[] = {
        [TOP_GAUGE_UP] = TOP_COLOUR_GOOD,      [TOP_GAUGE_DOWN] = TOP_COLOUR_CALM,
        [TOP_GAUGE_TUNNELS] = TOP_COLOUR_NONE, [TOP_GAUGE_NEW] = TOP_COLOUR_GOOD,
        [TOP_GAUGE_DENIED] = TOP_COLOUR_NOTE,  [TOP_GAUGE_FAILED] = TOP_COLOUR_BAD,
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
    top_canvas_put(&screen->canvas, row, column, A_NORMAL, top_gauge_name(gauge));
    top_canvas_put(&screen->canvas, row, column + LABEL_WIDTH + 1 + VALUE_WIDTH - (int)text.length,
                   A_BOLD, number);
    if (room > 0) {
        columns_add_sparkline(top_canvas_begin_line(&screen->canvas, &text), model->gauges[gauge],
                              model->history_count, (size_t)room, screen->canvas.is_utf8);
        top_canvas_put(&screen->canvas, row, column + LABEL_WIDTH + 1 + VALUE_WIDTH + 1,
                       top_canvas_paint(&screen->canvas, colours[gauge]), screen->canvas.line);
    }
}

static void draw_gauges(struct top_screen *screen, const struct top_model *model)
{
    int half = screen->canvas.columns / 2;

    for (int i = 0; i < 2 * GAUGE_ROWS; i++)
        draw_gauge(screen, model, (enum top_gauge)i, GAUGE_ROW + i % GAUGE_ROWS,
                   i < GAUGE_ROWS ? 0 : half, half);
}

/* -- details of the selected tunnel */

/* Labels and values that are drawn one behind the other and wrapped at the edge of the window. */
struct flow {
    struct top_screen *screen;
    int first_row; /* on the screen; -1: nothing is drawn, lines are only counted */
    int limit;     /* lines that may be drawn */
    int row;       /* the line of now, from 0 */
    int column;    /* where the next label begins */
};

/* Adds a label and its value, in the next line when they do not fit into this one. */
static void flow_add(struct flow *flow, const char *label, const char *value)
{
    enum { GAP = 3 };
    struct top_screen *screen = flow->screen;
    int width = (int)(columns_width(label, screen->canvas.is_utf8) + 1 +
                      columns_width(value, screen->canvas.is_utf8));

    if (flow->column > 0 && flow->column + width > screen->canvas.columns) {
        flow->row++;
        flow->column = 0;
    }
    if (flow->first_row >= 0 && flow->row < flow->limit) {
        int column = top_canvas_put(&screen->canvas, flow->first_row + flow->row, flow->column,
                                    top_canvas_paint(&screen->canvas, TOP_COLOUR_CALM), label);

        top_canvas_put(&screen->canvas, flow->first_row + flow->row, column + 1, A_NORMAL, value);
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

/* Draws the details of a tunnel from `first_row` on, at most `limit` lines of them. Returns how
 * many lines they would need. */
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

/* Returns how many rows the details get, with the line that separates them from the table. One row
 * is always left for a tunnel. */
static int details_height(struct top_screen *screen, const struct top_ui *ui)
{
    const struct top_tunnel *tunnel = top_model_selected(&ui->model);
    int room = screen->canvas.rows - table_row(screen) - 1 - 1;

    if (!ui->is_detailed || tunnel == NULL || room < 1)
        return 0;
    int wanted = flow_details(screen, tunnel, -1, 0) + 1;
    return wanted < room ? wanted : room;
}

static void draw_details(struct top_screen *screen, const struct top_ui *ui, int height)
{
    int row = screen->canvas.rows - 1 - height;

    if (height == 0)
        return;
    if (height > 1) {
        mvhline(row, 0, 0, screen->canvas.columns);
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
        text_add(top_canvas_begin_line(&screen->canvas, &line), "/");
        text_add(&line, model->filter);
        column = top_canvas_put(&screen->canvas, row, column,
                                A_BOLD | top_canvas_paint(&screen->canvas, TOP_COLOUR_NOTE),
                                screen->canvas.line) +
                 2;
    }
    top_canvas_begin_line(&screen->canvas, &line);
    text_add_decimal(&line, model->row_count > 0 ? model->selected_row + 1 : 0);
    text_add_char(&line, '/');
    text_add_decimal(&line, model->row_count);
    int end = screen->canvas.columns - (int)line.length - 1;
    top_canvas_put_right(&screen->canvas, row, column, A_NORMAL, screen->canvas.line);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        int width = (int)(strlen(keys[i].key) + 1 + strlen(keys[i].does));

        if (column + width > end)
            return;
        top_canvas_put(&screen->canvas, row, column, A_BOLD, keys[i].key);
        top_canvas_put(&screen->canvas, row, column + width - (int)strlen(keys[i].does), A_NORMAL,
                       keys[i].does);
        column += width + 2;
    }
}

static void draw_filter(struct top_screen *screen, const struct top_model *model, int row)
{
    struct text line;
    int end = top_canvas_put(&screen->canvas, row, 0, A_BOLD, "/");

    end = top_canvas_put(&screen->canvas, row, end, A_BOLD, model->filter);
    top_canvas_begin_line(&screen->canvas, &line);
    text_add_decimal(&line, model->row_count);
    text_add(&line, " of ");
    text_add_decimal(&line, model->answer.count);
    text_add(&line, "  Enter keep  Esc clear");
    top_canvas_put_right(&screen->canvas, row, end + 1, A_NORMAL, screen->canvas.line);
    move(row, end < screen->canvas.columns ? end : screen->canvas.columns - 1);
}

static void draw_question(struct top_screen *screen, const struct top_ui *ui, int row)
{
    static const char answers[] = "? y/n";
    struct text line;
    size_t room = (size_t)screen->canvas.columns - (sizeof(answers) - 1);

    text_add(top_canvas_begin_line(&screen->canvas, &line), "kill ");
    text_add(&line, ui->kill_text);
    size_t width = columns_width(screen->canvas.line, screen->canvas.is_utf8);
    char cut[TOP_CANVAS_LINE_SIZE];
    struct text question;
    text_init(&question, cut, sizeof(cut));
    columns_add_fit(&question, screen->canvas.line, width < room ? width : room,
                    screen->canvas.is_utf8);
    text_add(&question, answers);
    top_canvas_put(&screen->canvas, row, 0,
                   A_BOLD | top_canvas_paint(&screen->canvas, TOP_COLOUR_BAD), cut);
}

static void draw_last_line(struct top_screen *screen, const struct top_ui *ui)
{
    int row = screen->canvas.rows - 1;

    if (ui->mode == TOP_MODE_KILL)
        draw_question(screen, ui, row);
    else if (ui->mode == TOP_MODE_HELP)
        top_canvas_put(&screen->canvas, row, 0, A_BOLD, "any key goes back");
    else if (ui->mode == TOP_MODE_FILTER)
        draw_filter(screen, &ui->model, row);
    else if (ui->message[0] != '\0')
        top_canvas_put(&screen->canvas, row, 0,
                       A_BOLD |
                           top_canvas_paint(&screen->canvas,
                                            ui->is_message_bad ? TOP_COLOUR_BAD : TOP_COLOUR_GOOD),
                       ui->message);
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
    int row = (screen->canvas.rows - 1 - height) / 2;
    int column = (screen->canvas.columns - WIDTH) / 2;
    bool is_framed = row >= 1 && column >= 2;

    row = row < 0 ? 0 : row;
    column = column < 0 ? 0 : column;
    for (int i = is_framed ? -1 : 0; i < height + is_framed && row + i < screen->canvas.rows - 1;
         i++) {
        if (is_framed)
            mvhline(row + i, column - 2, ' ', WIDTH + 4);
        else
            mvhline(row + i, 0, ' ', screen->canvas.columns);
        if (i >= 0 && i < height)
            top_canvas_put(&screen->canvas, row + i, column, A_NORMAL, lines[i]);
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
    top_canvas_put(&screen->canvas, row - 1, column, A_BOLD, " keys ");
}

static void draw_too_small(struct top_screen *screen)
{
    char line[64];

    screen->view.page = 0;
    snprintf(line, sizeof(line), "%dx%d is too small", screen->canvas.columns, screen->canvas.rows);
    top_canvas_put(&screen->canvas, 0, 0, A_BOLD, line);
    snprintf(line, sizeof(line), "adit top takes %dx%d", COLUMNS_MIN, ROWS_MIN);
    top_canvas_put(&screen->canvas, 1, 0, A_NORMAL, line);
    top_canvas_put(&screen->canvas, 2, 0, A_NORMAL, "q quits");
}

void top_screen_draw(struct top_screen *screen, const struct top_ui *ui)
{
    bool is_typing = ui->mode == TOP_MODE_FILTER;

    erase();
    screen->banner = banner_rows(screen, &ui->model);
    if (screen->canvas.columns < COLUMNS_MIN || screen->canvas.rows < ROWS_MIN) {
        draw_too_small(screen);
        is_typing = false;
    } else {
        int height = details_height(screen, ui);

        screen->view.page = (size_t)(screen->canvas.rows - table_row(screen) - 1 - height);
        draw_head(screen, ui);
        draw_gauges(screen, &ui->model);
        draw_banner(screen, &ui->model);
        top_table_draw(&screen->canvas, ui, title_row(screen), &screen->view);
        draw_details(screen, ui, height);
        if (ui->mode == TOP_MODE_HELP)
            draw_help(screen);
        draw_last_line(screen, ui);
    }
    curs_set(is_typing ? 1 : 0);
    refresh();
}
