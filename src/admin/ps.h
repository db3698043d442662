/* The answer to `ps` as a table for people. */
#ifndef ADMIN_PS_H
#define ADMIN_PS_H

#include "base/contract.h"

#include <stddef.h>
#include <stdio.h>

/* Lines of JSON, without the first one of the answer. 0 or -EINVAL. */
int ps_print_table(FILE *out, const char *lines, size_t length) MUST_CHECK;

#endif
