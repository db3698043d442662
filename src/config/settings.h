/* What the command line says about running. Plain values, no IO. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/listener.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_FROM_MAX 256
#define SETTINGS_WORKERS_MAX 256

struct settings {
    const char *config_path;                   /* of -c; NULL: the built-in configuration */
    struct listener_set listeners;             /* -l, -a ADDR:PORT */
    struct ip_network from[SETTINGS_FROM_MAX]; /* --from: anywhere but to special addresses */
    size_t from_count;
    bool is_admin_off;        /* -a off */
    unsigned workers;         /* threads; 0: one per core */
    const char *control_path; /* of -s; NULL: what the configuration says, or the default */
};

void settings_init(struct settings *settings);
/* For tunnels, unless listeners for them were named. */
void settings_use_default_listener(struct settings *settings);
/* Never an open proxy by accident: a listener beyond loopback needs --from. 0, or -1 and why in
 * `message`. */
int settings_check(const struct settings *settings, struct text *message) MUST_CHECK;

#endif
