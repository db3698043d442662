/* Values of a query, `name=value&name=value`, as a browser writes it. */
#ifndef WIRE_QUERY_H
#define WIRE_QUERY_H

#include "base/contract.h"
#include "wire/http1_head.h"

#include <stddef.h>

/* The first value of that name, decoded (%41, + for a blank), with a NUL behind. Its length, or
 * -ENOENT: there is none; -EINVAL: a broken escape, or a control character; -ENAMETOOLONG. */
int query_value(struct view query, const char *name, char *ret_value, size_t size) MUST_CHECK;

#endif
