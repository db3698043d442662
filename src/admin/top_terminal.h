/* Whether the terminal that $TERM names is known and can do what a full screen needs. */
#ifndef ADMIN_TOP_TERMINAL_H
#define ADMIN_TOP_TERMINAL_H

#include <stdbool.h>

bool top_terminal_is_usable(void);

#endif
