/* `adit top`: a live full-screen view of a running adit. */
#ifndef TOP_TOP_H
#define TOP_TOP_H

/* Runs until the user ends it. `path` is of the control socket; NULL: the usual places are tried.
 * Returns the exit status, after it has given the terminal back as it was. */
int top_run(const char *path);

#endif
