/* The supervisor's side of a configuration: read and found good, with what it needs opened. */
#ifndef SUPERVISOR_CONFIGURATION_H
#define SUPERVISOR_CONFIGURATION_H

#include "base/contract.h"
#include "base/listener.h"
#include "base/text.h"
#include "config/command_line.h"
#include "config/config.h"
#include "config/config_sources.h"
#include "process/channel.h"

#include <stdint.h>

struct configuration {
    int bundle_fd;                 /* -1: nothing is loaded */
    int log_fd;                    /* -1: it is not a file */
    char *log_path;                /* NULL: it is not a file */
    struct listener_set listeners; /* open, all of them */
    uint64_t drain_timeout_ms;
    struct config_sources *sources;
    char *control_path; /* as at the start; NULL: the default */
};

void configuration_init(struct configuration *configuration);
/* Reads and validates everything, then opens the log and those listeners that `before` does not
 * have; nothing of `before` changes, and both share sockets until one of them is dropped. 0 and in
 * `message` warnings, or -errno and in `message` what is wrong, lines ending in newlines. */
int configuration_load(struct configuration *configuration, const struct command_line *command_line,
                       const struct configuration *before, struct text *message) MUST_CHECK;
/* To a worker. 0 or -errno. */
int configuration_send(const struct configuration *configuration, int channel_fd) MUST_CHECK;
/* Gives up what tunnels are asked for at; the admin page's listener stays. */
void configuration_stop_listening(struct configuration *configuration);
/* Opens the log file anew. 0, or -errno: the old one stays. Harmless without a file. */
int configuration_reopen_log(struct configuration *configuration) MUST_CHECK;
/* Closes and frees all but the sockets of `kept` (NULL: all). */
void configuration_drop(struct configuration *configuration, const struct configuration *kept);

#endif
