/* The program behind `adit top`, apart from adit, so that the proxy does not link ncurses. adit
 * executes it (cli/top_program.h); its own command line is no interface.
 */
#include "top/top.h"

#include <stddef.h>

/* The control socket's path, if it is not to be looked for. */
int main(int argc, char **argv)
{
    return top_run(argc > 1 ? argv[1] : NULL);
}
