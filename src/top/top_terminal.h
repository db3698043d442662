/* Whether the terminal that $TERM names is known and can do what a full screen needs. */
#ifndef TOP_TOP_TERMINAL_H
#define TOP_TOP_TERMINAL_H

#include <stdbool.h>

bool top_terminal_is_usable(void);

#endif
