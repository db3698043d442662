/* Texts that are printed into memory, of any length. */
#ifndef ADMIN_MEMORY_TEXT_H
#define ADMIN_MEMORY_TEXT_H

#include "base/contract.h"

#include <stdio.h>

/* Closes a stream of open_memstream(text, ...). Returns the text, which the caller frees, or NULL
 * when memory ran out at any time since the stream was opened. */
char *memory_text_finish(FILE *out, char **text) MUST_CHECK;

#endif
