/* The terminal of `adit top`: takes it and gives it back, draws on it and reads keys from it. */
#ifndef TOP_TOP_SCREEN_H
#define TOP_TOP_SCREEN_H

#include "base/contract.h"
#include "top/top_ui.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct top_screen;

/* Takes the terminal that is standard input and output. Returns 0, -ENOMEM, or -ENOTTY when it is
 * of a kind that no full-screen program can use. There may be one screen at a time, as ncurses is
 * global.
 */
int top_screen_create(struct top_screen **ret_screen) MUST_CHECK;
/* Gives the terminal back as it was. */
void top_screen_destroy(struct top_screen *screen);

/* Adapts to a new size of the terminal; for SIGWINCH. */
void top_screen_resize(struct top_screen *screen);
/* Draws the whole picture; ncurses sends only what differs from the last one. */
void top_screen_draw(struct top_screen *screen, const struct top_ui *ui);
/* Returns how many rows the last picture had for tunnels. */
size_t top_screen_page(const struct top_screen *screen);
/* Reads the next key that was pressed. Returns false when none waits. */
bool top_screen_read_key(struct top_screen *screen, uint32_t *ret_key);

#endif
