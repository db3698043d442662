/* The short string that a 64-bit id is shown as, and back: base 32 without i, l, o and u, so that
 * no digit is mistaken for a letter and no word comes out. */
#ifndef BASE_SHORT_ID_H
#define BASE_SHORT_ID_H

#include "base/contract.h"

#include <stdint.h>

struct text;

enum { SHORT_ID_MAX = 13 };

/* Returns the length; no NUL. */
size_t short_id_put(char out[SHORT_ID_MAX], uint64_t id);
void short_id_print(struct text *out, uint64_t id);
/* The id that is shown so. 0, or -EINVAL: none is. */
int short_id_parse(const char *text, size_t length, uint64_t *ret_id) MUST_CHECK;

#endif
