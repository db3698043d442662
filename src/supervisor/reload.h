/* The configuration that adit goes by, and how another one takes its place. The functions that take
 * a channel write to the worker's end of it; it may be -1 when there is no worker, but for
 * reload_begin. */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include "admin/reload_report.h"
#include "base/contract.h"
#include "config/command_line.h"
#include "process/reload_result.h"
#include "supervisor/configuration.h"
#include "supervisor/machine_files.h"

#include <stdbool.h>
#include <stdint.h>

enum reload_state {
    RELOAD_NONE,     /* no reload goes on; `next` is empty */
    RELOAD_SENT,     /* the worker has been sent `next` */
    RELOAD_RETIRING, /* `current` is the new one; the worker empties old listeners; `next` is empty
                      */
};

struct reload {
    const struct command_line *command_line;
    struct configuration current;          /* what a new worker gets */
    struct configuration next;             /* while RELOAD_SENT */
    uint8_t state;                         /* enum reload_state */
    bool is_wanted;                        /* by a signal, for the reload that comes next */
    unsigned asks;                         /* over the channel, for the reload that comes next */
    unsigned current_asks;                 /* for the one that goes on */
    char signaller[RELOAD_SIGNALLER_SIZE]; /* whose SIGHUP the one that goes on is; "": nobody's */
    struct reload_report report;           /* of the last one */
    char *message;                         /* its diagnostics, CHANNEL_TEXT_MAX bytes */
};

void reload_init(struct reload *reload, const struct command_line *command_line);
/* Loads the configuration to begin with, and says on stderr what is wrong with it. 0 or -errno. */
int reload_load_first(struct reload *reload) MUST_CHECK;
/* Closes and frees everything. */
void reload_drop(struct reload *reload);

/* True when somebody wants a reload and none goes on. */
bool reload_is_due(const struct reload *reload);
/* Loads what is written now and sends it to the worker, or tells why not. `signaller`, of
 * RELOAD_SIGNALLER_SIZE bytes, is who sent the last signal. */
void reload_begin(struct reload *reload, int channel_fd, struct machine_files *files,
                  const char *signaller);
/* Answers those who ask while adit drains. */
void reload_refuse(struct reload *reload, int channel_fd);

/* The worker goes by `next`; or not, and `why_not` is not empty. */
void reload_taken(struct reload *reload, int channel_fd, const char *why_not);
/* The worker has emptied the old listeners. */
void reload_retired(struct reload *reload);
/* The worker ended, perhaps in the middle of a reload. Whoever asked has lost his connection with
 * it. */
void reload_worker_ended(struct reload *reload);
/* A drain overtakes the reload. */
void reload_abandon(struct reload *reload);

#endif
