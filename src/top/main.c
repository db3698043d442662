/* The program behind `adit top`. It is a program of its own so that the proxy does not link
 * ncurses. adit executes it (cli/top_program.h); people do not call it, so its command line may
 * change.
 */
#include "top/top.h"

#include <stddef.h>

/* The only argument is the path of the control socket. Without it the usual places are tried. */
int main(int argc, char **argv)
{
    return top_run(argc > 1 ? argv[1] : NULL);
}
