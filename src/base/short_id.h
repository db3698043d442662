/* Turns a 64-bit id into the short string that people see, and back. It is base 32 without i, l, o
 * and u, so that no digit is mistaken for a letter and no word comes out. */
#ifndef BASE_SHORT_ID_H
#define BASE_SHORT_ID_H

#include "base/contract.h"

#include <stdint.h>

struct text;

enum { SHORT_ID_MAX = 13 };

/* Writes the string without a NUL. Returns its length. */
size_t short_id_put(char out[SHORT_ID_MAX], uint64_t id);
void short_id_print(struct text *out, uint64_t id);
/* Parses such a string. Returns 0, or -EINVAL when no id is shown so. */
int short_id_parse(const char *text, size_t length, uint64_t *ret_id) MUST_CHECK;

#endif
