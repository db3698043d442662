/* What became of the last reload, for everybody who shows adit's state. */
#ifndef ADMIN_RELOAD_REPORT_H
#define ADMIN_RELOAD_REPORT_H

#include "base/contract.h"

#include <stdbool.h>
#include <stdint.h>

#define RELOAD_ERROR_SIZE 512

struct reload_report {
    bool is_good;
    uint64_t wall_ms;      /* when the last reload was, or the start; since the epoch */
    uint64_t good_wall_ms; /* when the configuration that serves was loaded; since the epoch */
    char error[RELOAD_ERROR_SIZE]; /* the first error, on one line; "": the reload was good */
};

void reload_report_init(struct reload_report *report, uint64_t wall_ms);
/* Notes that a reload of `path` (NULL: of the built-in configuration) is over. `text` holds the
 * lines that it has told people. */
void reload_report_note(struct reload_report *report, uint64_t wall_ms, bool is_good,
                        const char *path, const char *text);

#endif
