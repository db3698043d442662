/* Finds files by a pattern. glob(3) is not used: in most of its steps it treats a folder that it
 * can't read as an empty one, and rules would be missing without an error.
 */
#ifndef SYSTEM_FILE_GLOB_H
#define SYSTEM_FILE_GLOB_H

#include "base/contract.h"

#include <stddef.h>

/* The most files and folders that are kept at once. */
#define FILE_GLOB_PATHS_MAX 16384

struct file_paths {
    char **items; /* NULL: none */
    size_t count;
};

/* Finds what matches, in any order. `*`, `?` and `[...]` match within a name, and a leading dot
 * only where the pattern has it; a backslash makes the next character stand for itself. A file that
 * is called exactly like the pattern is taken instead of what the pattern matches.
 *
 * Returns 0, also when nothing matches; -ENOENT when the folder in front of the first pattern does
 * not exist; -E2BIG when there are too many; or another negative errno when a folder can't be read,
 * so that it is not known what matches. */
int file_glob(const char *pattern, struct file_paths *ret_paths) MUST_CHECK;
void file_paths_free(struct file_paths *paths);

#endif
