/* What the command line says about running. Plain values, no IO. */
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
    struct ip_network from[COMMAND_LINE_FROM_MAX]; /* --from: anywhere but to special addresses */
    size_t from_count;
    bool is_admin_off;        /* -a off */
    unsigned workers;         /* threads; 0: one per core */
    const char *control_path; /* of -s; NULL: what the configuration says, or the default */
};

void command_line_init(struct command_line *command_line);
/* For tunnels, unless listeners for them were named. */
void command_line_use_default_listener(struct command_line *command_line);
/* Never an open proxy by accident: a listener beyond loopback needs --from. 0, or -1 and why in
 * `message`. */
int command_line_check(const struct command_line *command_line, struct text *message) MUST_CHECK;

#endif
