/* Files by a pattern. Not glob(3): that takes a folder it can't look into for an empty one, at each
 * of its steps but one, and rules would be lost without a word.
 */
#ifndef SYSTEM_FILE_GLOB_H
#define SYSTEM_FILE_GLOB_H

#include "base/contract.h"

#include <stddef.h>

/* Files and folders kept at once. */
#define FILE_GLOB_PATHS_MAX 16384

struct file_paths {
    char **items; /* NULL: none */
    size_t count;
};

/* What matches, in any order: `*`, `?` and `[...]` within a name, a dot in front only where it is
 * written; a backslash takes the next sign as it is. What is called exactly like the pattern goes
 * before all that it matches. 0, also without a match; -ENOENT: the folder to look into, as far as
 * it is named without a pattern, is not there; -E2BIG: too many; -errno: a folder can't be looked
 * into, and so nobody knows what matches. */
int file_glob(const char *pattern, struct file_paths *ret_paths) MUST_CHECK;
void file_paths_free(struct file_paths *paths);

#endif
