/* The configuration that adit serves by, and how another one replaces it. `channel_fd` is the
 * supervisor's end of the channel to the worker; it may be -1 when there is no worker, except in
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
    struct configuration next;             /* only in RELOAD_SENT */
    uint8_t state;                         /* enum reload_state */
    bool is_wanted;                        /* a SIGHUP came; the next reload is for it */
    unsigned asks;                         /* requests that the next reload answers */
    unsigned current_asks;                 /* requests that the reload under way answers */
    char signaller[RELOAD_SIGNALLER_SIZE]; /* whose SIGHUP began it; "": it was not a SIGHUP */
    struct reload_report report;           /* how the last reload went */
    char *message;                         /* its diagnostics; CHANNEL_TEXT_MAX bytes, owned */
};

void reload_init(struct reload *reload, const struct command_line *command_line);
/* Loads the first configuration, and says on stderr what is wrong with it. Returns 0 or -errno. */
int reload_load_first(struct reload *reload) MUST_CHECK;
/* Closes and frees everything. */
void reload_drop(struct reload *reload);

/* True when somebody wants a reload and none goes on. */
bool reload_is_due(const struct reload *reload);
/* Reads the configuration files again and sends the result to the worker; or keeps the old
 * configuration and tells whoever asked why. `signaller`, of RELOAD_SIGNALLER_SIZE bytes, is who
 * sent the last signal. */
void reload_begin(struct reload *reload, int channel_fd, struct machine_files *files,
                  const char *signaller);
/* Answers requests that come while adit drains: they are refused. */
void reload_refuse(struct reload *reload, int channel_fd);

/* To be called when the worker serves by `next` (`why_not` is ""), or could not take it and says
 * why. */
void reload_taken(struct reload *reload, int channel_fd, const char *why_not);
/* To be called when the worker has emptied the queues of the old listeners: the reload is over. */
void reload_retired(struct reload *reload);
/* To be called when the worker has ended. A reload that goes on is dropped, and nobody is answered:
 * the connections of those who asked ended with the worker. */
void reload_worker_ended(struct reload *reload);
/* Drops a reload that goes on, because adit drains. */
void reload_abandon(struct reload *reload);

#endif
