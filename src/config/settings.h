/* What the command line says about running. Plain values, no IO. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_LISTENERS_MAX 64
#define SETTINGS_FROM_MAX 256
#define SETTINGS_WORKERS_MAX 256
#define SETTINGS_DEFAULT_PORT 10800

struct settings {
    const char *config_path; /* of -c; NULL: the built-in configuration */
    struct ip_endpoint listeners[SETTINGS_LISTENERS_MAX];
    size_t listener_count;
    struct ip_network from[SETTINGS_FROM_MAX]; /* --from: anywhere but to special addresses */
    size_t from_count;
    bool is_admin_off; /* -a off */
    bool has_admin;    /* -a ADDR:PORT */
    struct ip_endpoint admin;
    unsigned workers;         /* threads; 0: one per core */
    const char *control_path; /* of -s; NULL: what the configuration says, or the default */
};

void settings_init(struct settings *settings);
/* 127.0.0.1:10800, unless listeners were named. */
void settings_use_default_listener(struct settings *settings);
/* Never an open proxy by accident: a listener beyond loopback needs --from. 0, or -1 and why in
 * `message`. */
int settings_check(const struct settings *settings, struct text *message) MUST_CHECK;

#endif
