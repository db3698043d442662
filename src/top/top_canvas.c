/* The few functions that all parts of the screen draw with. ncurses keeps a picture of the screen
 * and sends only what differs from it. ncurses would continue a long text in the next line, so
 * every text is cut at the edge of the window. What counts there is how many columns a character
 * takes on the terminal (0, 1 or 2), not how many bytes.
 *
 * Colours are used when the terminal has them and the environment variable NO_COLOR does not forbid
 * them. They only repeat what a text says, so nothing is lost without them.
 */
#include "top/top_canvas.h"

#include "system/columns.h"

#include <stdlib.h>

void top_canvas_measure(struct top_canvas *canvas)
{
    getmaxyx(stdscr, canvas->rows, canvas->columns);
    if (canvas->columns > TOP_CANVAS_COLUMNS_MAX)
        canvas->columns = TOP_CANVAS_COLUMNS_MAX;
}

static bool canvas_begin_colours(void)
{
    static const short colours[TOP_COLOUR_COUNT] = {-1, COLOR_GREEN, COLOR_YELLOW, COLOR_RED,
                                                    COLOR_CYAN};
    const char *no_color = getenv("NO_COLOR");

    if ((no_color != NULL && no_color[0] != '\0') || !has_colors() || start_color() == ERR ||
        use_default_colors() == ERR)
        return false;
    for (int i = 1; i < TOP_COLOUR_COUNT; i++)
        init_pair((short)i, colours[i], -1);
    return true;
}

void top_canvas_init(struct top_canvas *canvas)
{
    canvas->is_utf8 = columns_is_utf8();
    canvas->has_colours = canvas_begin_colours();
    top_canvas_measure(canvas);
}

attr_t top_canvas_paint(const struct top_canvas *canvas, enum top_colour colour)
{
    return canvas->has_colours ? (attr_t)COLOR_PAIR(colour) : A_NORMAL;
}

int top_canvas_put(const struct top_canvas *canvas, int row, int column, attr_t style,
                   const char *string)
{
    char cut[TOP_CANVAS_LINE_SIZE];
    struct text text;
    size_t width = columns_width(string, canvas->is_utf8);
    size_t room = column < canvas->columns ? (size_t)(canvas->columns - column) : 0;

    text_init(&text, cut, sizeof(cut));
    columns_add_fit(&text, string, width < room ? width : room, canvas->is_utf8);
    attrset((int)style);
    mvaddstr(row, column, cut);
    attrset(A_NORMAL);
    return column + (int)(width < room ? width : room);
}

void top_canvas_put_right(const struct top_canvas *canvas, int row, int column, attr_t style,
                          const char *string)
{
    int start = canvas->columns - (int)columns_width(string, canvas->is_utf8);

    if (start > column)
        top_canvas_put(canvas, row, start, style, string);
}

struct text *top_canvas_begin_line(struct top_canvas *canvas, struct text *line)
{
    text_init(line, canvas->line, sizeof(canvas->line));
    return line;
}
