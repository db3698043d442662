/* Texts that are printed into memory, of any length. */
#ifndef ADMIN_MEMORY_TEXT_H
#define ADMIN_MEMORY_TEXT_H

#include "base/contract.h"

#include <stdio.h>

/* Ends what open_memstream(text, ...) began. The text, which the caller frees, or NULL: no memory,
 * at the end or on the way. */
char *memory_text_finish(FILE *out, char **text) MUST_CHECK;

#endif
