/* Whether the terminal that $TERM names is known and can do what a full screen needs. */
#ifndef TOP_TOP_TERMINAL_H
#define TOP_TOP_TERMINAL_H

#include <stdbool.h>

/* Asks the terminfo database about the terminal of standard output. Call it before ncurses starts.
 */
bool top_terminal_is_usable(void);

#endif
