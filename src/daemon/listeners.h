/* The listening sockets: opened once by the supervisor, inherited by every worker. */
#ifndef DAEMON_LISTENERS_H
#define DAEMON_LISTENERS_H

#include "base/contract.h"
#include "base/text.h"
#include "config/settings.h"

struct listeners {
    int fds[SETTINGS_LISTENERS_MAX];
    struct ip_endpoint endpoints[SETTINGS_LISTENERS_MAX]; /* bound; port 0 resolved */
    size_t count;
};

/* All or none. 0, or -errno and in `message` what happened, why and what to do. */
int listeners_open(const struct settings *settings, struct listeners *ret_listeners,
                   struct text *message) MUST_CHECK;
/* Closes this process's copies. Harmless the second time. */
void listeners_close(struct listeners *listeners);

#endif
