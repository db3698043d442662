/* What adit runs with: the built-in defaults, changed by the command line. Plain values, no IO. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

#define SETTINGS_LISTENERS_MAX 64
#define SETTINGS_FROM_MAX 256
#define SETTINGS_WORKERS_MAX 256
#define SETTINGS_DEFAULT_PORT 10800

struct settings {
    struct ip_endpoint listeners[SETTINGS_LISTENERS_MAX];
    size_t listener_count;
    struct ip_network from[SETTINGS_FROM_MAX]; /* --from: anywhere but to special addresses */
    size_t from_count;
    unsigned workers;         /* threads; 0: one a core */
    const char *control_path; /* of -s; NULL: the default */
    uint64_t head_timeout_ms;
    uint64_t dial_timeout_ms;
    uint64_t dns_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t half_closed_timeout_ms;
    uint64_t stuck_timeout_ms;
    uint64_t drain_timeout_ms;
};

void settings_init(struct settings *settings);
/* 127.0.0.1:10800, unless listeners were named. */
void settings_use_default_listener(struct settings *settings);
/* Never an open proxy by accident: a listener beyond loopback needs --from. 0, or -1 and why in
 * `message`. */
int settings_check(const struct settings *settings, struct text *message) MUST_CHECK;

#endif
