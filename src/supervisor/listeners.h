/* The listening sockets: opened by the supervisor, kept while worker processes come and go. */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "base/contract.h"
#include "base/text.h"
#include "config/settings.h"

#include <stdint.h>

struct listeners {
    int fds[SETTINGS_LISTENERS_MAX];
    struct ip_endpoint written[SETTINGS_LISTENERS_MAX];
    struct ip_endpoint endpoints[SETTINGS_LISTENERS_MAX]; /* bound; port 0 resolved */
    uint64_t ids[SETTINGS_LISTENERS_MAX];                 /* of the sockets, never used twice */
    bool takes_v4[SETTINGS_LISTENERS_MAX];                /* on [::], IPv4 as well */
    size_t count;
};

struct listeners_plan {
    const struct ip_endpoint *endpoints;
    size_t count;
    const struct listeners *before; /* those written the same are taken over: both name them then */
    const struct listeners *others; /* that this adit has, too, for something else */
    const struct listeners *beside; /* that it will have besides these; NULL: none yet */
    const struct ip_endpoint *also; /* that will be opened afterwards; NULL: none */
    const char *where;              /* another address is chosen: "with -l" */
};

/* [::]:PORT takes IPv4 as well, unless an IPv4 address is to be listened on at that port: then each
 * has its own. That is decided when the socket is opened.
 *
 * All or none. 0 and in `message` warnings, or -errno and there a line: what happened, why and what
 * to do. */
int listeners_open(const struct listeners_plan *plan, struct listeners *ret_listeners,
                   struct text *message) MUST_CHECK;
/* Whether a socket on the endpoint would take IPv4 as well if the plan's were opened now. */
bool listeners_would_take_v4(const struct listeners_plan *plan, const struct ip_endpoint *endpoint);
/* Closes this process's copies of sockets that `kept` (NULL: none) does not name. Harmless the
 * second time. */
void listeners_close_others(struct listeners *listeners, const struct listeners *kept);
void listeners_close(struct listeners *listeners);

#endif
