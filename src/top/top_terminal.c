/* Looked up before ncurses takes the terminal: of one that it does not know it would lose some
 * memory, and of a teletype it would make a try. Apart from the rest because term.h defines
 * `lines`, `columns` and a hundred more.
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
