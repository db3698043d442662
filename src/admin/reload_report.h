/* What became of the last reload, for everybody who shows adit's state. */
#ifndef ADMIN_RELOAD_REPORT_H
#define ADMIN_RELOAD_REPORT_H

#include "base/contract.h"

#include <stdbool.h>
#include <stdint.h>

#define RELOAD_ERROR_SIZE 512

struct reload_report {
    bool is_good;
    uint64_t wall_ms;              /* since the epoch: of the last one, or of the start */
    uint64_t good_wall_ms;         /* of the last good one, or of the start: what serves */
    char error[RELOAD_ERROR_SIZE]; /* the first one, on one line; "": it was good */
};

void reload_report_init(struct reload_report *report, uint64_t wall_ms);
/* A reload of `path` (NULL: of the built-in configuration) is over. `text`: what it said, lines. */
void reload_report_note(struct reload_report *report, uint64_t wall_ms, bool is_good,
                        const char *path, const char *text);

#endif
