/* The terminal is looked up before ncurses takes it. On a terminal that ncurses does not know it
 * would leak some memory, and on one that can't place its cursor it would try to draw all the same.
 *
 * This has a file of its own because term.h defines `lines`, `columns` and a hundred more words as
 * macros.
 */
#include "top/top_terminal.h"

#include <unistd.h>

#include <curses.h>
#include <term.h>

bool top_terminal_is_usable(void)
{
    int found;

    if (setupterm(NULL, STDOUT_FILENO, &found) == ERR)
        return false;
    bool is_usable = tigetstr("cup") != NULL; /* it can place the cursor */
    del_curterm(cur_term);
    return is_usable;
}
