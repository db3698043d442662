/* List files: a host name, *.suffix, CIDR block or address a line, `#` comments. Pure. */
#ifndef CONFIG_LIST_FILE_H
#define CONFIG_LIST_FILE_H

#include "base/contract.h"
#include "config/diagnostics.h"

#include <stddef.h>

struct name_set;
struct network_set;

/* Adds the entries to the sets. Errors go to `diagnostics` under the name `file`, the first 20 of
 * them. 0, -EINVAL (errors were added) or -ENOMEM. */
int list_file_parse(const char *text, size_t length, const char *file,
                    struct diagnostics *diagnostics, struct name_set *names,
                    struct network_set *networks) MUST_CHECK;

#endif
