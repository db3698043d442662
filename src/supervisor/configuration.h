/* The supervisor's side of a configuration: one that was read and found good, with everything open
 * that it needs: its listening sockets, its log, and the bundle of texts that a worker gets. */
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
    int bundle_fd;                 /* the files it was read from; -1: nothing is loaded */
    int log_fd;                    /* -1: the log is not a file */
    char *log_path;                /* NULL: the log is not a file */
    struct listener_set listeners; /* all of them are open */
    uint64_t drain_timeout_ms;
    struct config_sources *sources;
    char *control_path; /* of the control socket, which only a start opens; NULL: the default */
};

void configuration_init(struct configuration *configuration);
/* Reads and validates everything, then opens the log and those listeners that `before` does not
 * have. Nothing of `before` changes; both share sockets until one of them is dropped. Returns 0 and
 * adds warnings to `message`, or returns -errno and adds what is wrong; each line ends in a
 * newline.
 */
int configuration_load(struct configuration *configuration, const struct command_line *command_line,
                       const struct configuration *before, struct text *message) MUST_CHECK;
/* Sends it to a worker, with its descriptors. Returns 0 or -errno. */
int configuration_send(const struct configuration *configuration, int channel_fd) MUST_CHECK;
/* Closes the listeners for tunnels; the one of the admin page stays, so that a drain can be
 * watched.
 */
void configuration_stop_listening(struct configuration *configuration);
/* Opens the log file again by its path. Returns 0, or -errno and keeps the old one. Does nothing
 * when the log is not a file. */
int configuration_reopen_log(struct configuration *configuration) MUST_CHECK;
/* Closes and frees everything but the sockets that `kept` has, too (NULL: none is kept). */
void configuration_drop(struct configuration *configuration, const struct configuration *kept);

#endif
