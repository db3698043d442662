/* What the parts of adit top's screen draw on: the size and the abilities of the terminal, and a
 * few functions that put text on it. Rows and columns are counted from 0 at the upper left; a style
 * is one of ncurses' attributes. */
#ifndef TOP_TOP_CANVAS_H
#define TOP_TOP_CANVAS_H

#include "base/text.h"

#include <stdbool.h>

/* ncurses' macros have names such as `move` and `erase`; its functions do the same. */
#define NCURSES_NOMACROS
#include <curses.h>

enum {
    TOP_CANVAS_COLUMNS_MAX = 1000, /* the rest of a wider window stays empty */
    TOP_CANVAS_LINE_SIZE = 4 * TOP_CANVAS_COLUMNS_MAX + 1, /* UTF-8 takes up to 4 bytes */
};

enum top_colour {
    TOP_COLOUR_NONE, /* the terminal's own */
    TOP_COLOUR_GOOD, /* green */
    TOP_COLOUR_NOTE, /* yellow */
    TOP_COLOUR_BAD,  /* red */
    TOP_COLOUR_CALM, /* cyan */
    TOP_COLOUR_COUNT,
};

struct top_canvas {
    bool is_utf8;     /* of the locale; otherwise only ASCII is drawn */
    bool has_colours; /* false on a terminal without, and with NO_COLOR */
    int rows;
    int columns;                     /* at most TOP_CANVAS_COLUMNS_MAX */
    char line[TOP_CANVAS_LINE_SIZE]; /* the text of top_canvas_begin_line */
};

/* Finds out what the terminal can do and how large it is. ncurses must have been started. */
void top_canvas_init(struct top_canvas *canvas);
/* Takes over the size that ncurses has for the window now. */
void top_canvas_measure(struct top_canvas *canvas);

/* The attribute for a colour, which is A_NORMAL on a terminal without colours. */
attr_t top_canvas_paint(const struct top_canvas *canvas, enum top_colour colour);
/* Puts a string that is cut at the window's edge. Returns the column behind it. */
int top_canvas_put(const struct top_canvas *canvas, int row, int column, attr_t style,
                   const char *string);
/* Puts a string that ends at the window's edge, or nothing when it would begin before or at
 * `column`. */
void top_canvas_put_right(const struct top_canvas *canvas, int row, int column, attr_t style,
                          const char *string);
/* Begins a new text in canvas->line, which overwrites the text before. Returns `line`. */
struct text *top_canvas_begin_line(struct top_canvas *canvas, struct text *line);

#endif
