/* What the command line says about how adit runs. These are plain values; nothing is read or
 * opened. */
#ifndef CONFIG_COMMAND_LINE_H
#define CONFIG_COMMAND_LINE_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/listener.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_LINE_FROM_MAX 256
#define COMMAND_LINE_WORKERS_MAX 256

struct command_line {
    const char *config_path;                       /* of -c; NULL: the built-in configuration */
    struct listener_set listeners;                 /* -l, -a ADDR:PORT */
    struct ip_network from[COMMAND_LINE_FROM_MAX]; /* --from: clients that may go anywhere except to
                                                      special addresses */
    size_t from_count;
    bool is_admin_off;        /* -a off */
    unsigned workers;         /* threads; 0: one per core */
    const char *control_path; /* of -s; NULL: what the configuration says, or the default */
};

void command_line_init(struct command_line *command_line);
/* Adds the default listener for tunnels, unless one was named. */
void command_line_use_default_listener(struct command_line *command_line);
/* Refuses an open proxy by accident: a listener beyond loopback needs --from. Returns 0, or -1 and
 * the reason in `message`. */
int command_line_check(const struct command_line *command_line, struct text *message) MUST_CHECK;

#endif
