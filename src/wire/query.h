/* Reads values out of a query, `name=value&name=value`, as a browser writes it. */
#ifndef WIRE_QUERY_H
#define WIRE_QUERY_H

#include "base/contract.h"
#include "wire/http1_head.h"

#include <stddef.h>

/* Finds the first value of that name and decodes it (%41, + for a blank); a NUL is put behind it.
 * Returns its length, or -ENOENT when there is none, -EINVAL when it has a broken escape or a
 * control character, -ENAMETOOLONG when it does not fit. */
int query_value(struct view query, const char *name, char *ret_value, size_t size) MUST_CHECK;

#endif
