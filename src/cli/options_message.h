/* Messages about words of the command line. Each function adds to `message` and returns -EINVAL,
 * for the caller to return. */
#ifndef CLI_OPTIONS_MESSAGE_H
#define CLI_OPTIONS_MESSAGE_H

#include "base/text.h"

/* Adds: BEFORE 'WORD'AFTER */
int options_fail(struct text *message, const char *before, const char *word, const char *after);
/* Says that there is no such option or command, and which one may have been meant. */
int options_fail_unknown_option(struct text *message, const char *word);
int options_fail_unknown_command(struct text *message, const char *word);

#endif
