/* The terminal of `adit top`: its modes, what is drawn and what is typed. */
#ifndef TOP_TOP_SCREEN_H
#define TOP_TOP_SCREEN_H

#include "base/contract.h"
#include "top/top_ui.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct top_screen;

/* Takes the terminal that standard input and output are. 0; -ENOMEM; -ENOTTY: it is of a kind that
 * no full-screen program can use. One at a time. */
int top_screen_create(struct top_screen **ret_screen) MUST_CHECK;
/* Gives the terminal back as it was. */
void top_screen_destroy(struct top_screen *screen);

/* The terminal has another size now. */
void top_screen_resize(struct top_screen *screen);
/* Draws everything anew; only what differs is sent. */
void top_screen_draw(struct top_screen *screen, const struct top_ui *ui);
/* Rows for tunnels, as drawn last. */
size_t top_screen_page(const struct top_screen *screen);
/* The next key that was pressed; false: none waits. */
bool top_screen_read_key(struct top_screen *screen, uint32_t *ret_key);

#endif
