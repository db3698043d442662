/* `adit top` is a program of its own, adit-top, since only that command needs ncurses. */
#ifndef CLI_TOP_PROGRAM_H
#define CLI_TOP_PROGRAM_H

/* Executes adit-top in place of this program. When `control_path` is NULL, it uses the default
 * socket. Returns only when that failed: says why, and returns the exit status. */
int top_program_run(const char *control_path);

#endif
