/* `adit top`: a live full-screen view of a running adit. */
#ifndef TOP_TOP_H
#define TOP_TOP_H

/* `path` NULL: the default control socket. Returns the exit status; the terminal is then as it was.
 */
int top_run(const char *path);

#endif
