/* The table of tunnels on adit top's screen: which columns are shown, how wide, and which rows. */
#ifndef TOP_TOP_TABLE_H
#define TOP_TOP_TABLE_H

#include "top/top_canvas.h"
#include "top/top_ui.h"

#include <stddef.h>

/* The part of the table that is seen. */
struct top_view {
    size_t page;  /* rows that the window has for tunnels */
    size_t first; /* the tunnel in the uppermost of them; the drawing moves it */
};

/* Draws the titles in `row` and the tunnels below, or why there are none. Scrolls so that the
 * selected tunnel is seen. */
void top_table_draw(struct top_canvas *canvas, const struct top_ui *ui, int row,
                    struct top_view *view);

#endif
