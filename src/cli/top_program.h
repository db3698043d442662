/* `adit top` is a program of its own, adit-top: it alone needs ncurses. */
#ifndef CLI_TOP_PROGRAM_H
#define CLI_TOP_PROGRAM_H

/* Executes it instead of this process. `control_path` NULL: the default socket. Returns an exit
 * status only when that failed, and has said why. */
int top_program_run(const char *control_path);

#endif
