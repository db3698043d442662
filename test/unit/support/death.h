/* What a process says that a broken contract ends. */
#ifndef SUPPORT_DEATH_H
#define SUPPORT_DEATH_H

#include <stddef.h>

enum { DEATH_WORDS_SIZE = 4096 };

/* Calls `body` in a child process, which must end by SIGABRT, or the test fails. `words` is what
 * it wrote to standard error. */
void death_of(void (*body)(void *self), void *self, char words[DEATH_WORDS_SIZE]);

#endif
