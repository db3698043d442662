/* Who may ask the admin page: the checks that keep a browser from being used against it. Pure. */
#ifndef ADMIN_HTTP_GUARD_H
#define ADMIN_HTTP_GUARD_H

#include "wire/http1_head.h"

#include <stdbool.h>

/* A Host field that an attacker's DNS can't point here (rebinding): an IP literal, `localhost`,
 * `*.localhost` or `machine_name`, with any port or none. */
bool http_guard_knows_host(struct view host, const char *machine_name);
/* No Origin (not a browser, or its own page's GET), or the one that belongs to `host`. */
bool http_guard_is_same_origin(struct view origin, struct view host);

#endif
