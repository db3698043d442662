/* List files: names and addresses. Each line is in one of three formats. Pure.
 *
 * Plain: one entry (list_entry.h). Hosts: `0.0.0.0 NAME ...`, or another address that leads only to
 * this machine. Adblock: `||NAME^`, which means the name and all below it. Comments begin with `#`
 * or `;`, or with a `!` at the start of the line or behind a blank.
 */
#ifndef CONFIG_LIST_FILE_H
#define CONFIG_LIST_FILE_H

#include "base/contract.h"
#include "config/diagnostics.h"

#include <stdbool.h>
#include <stddef.h>

struct name_set;
struct network_set;

enum list_file_format {
    LIST_FILE_PLAIN,
    LIST_FILE_HOSTS,
    LIST_FILE_ADBLOCK,
    LIST_FILE_FORMAT_COUNT,
};

struct list_file {
    const char *path;
    bool is_lenient; /* what is no entry is skipped; the first such line becomes a warning */
    size_t entry_counts[LIST_FILE_FORMAT_COUNT]; /* set by the parser, like the next member */
    size_t skipped_count; /* lines with something that was skipped; other names in them count as
                             entries */
};

/* Returns "plain", "hosts" or "adblock" (static). */
const char *list_file_format_name(enum list_file_format format);
/* Adds the entries to the sets. The first 20 errors go to `diagnostics` under the file's path.
 * Returns 0, -EINVAL (there were errors) or -ENOMEM. */
int list_file_parse(struct list_file *file, const char *text, size_t length,
                    struct diagnostics *diagnostics, struct name_set *names,
                    struct network_set *networks) MUST_CHECK;

#endif
