/* Who may ask the admin page: the checks that keep a browser from being used against it. Pure. */
#ifndef ADMIN_HTTP_GUARD_H
#define ADMIN_HTTP_GUARD_H

#include "base/text.h"
#include "wire/http1_head.h"

#include <stdbool.h>
#include <stddef.h>

/* Returns true for a Host field that an attacker's DNS can't point here (DNS rebinding): an IP
 * literal, `localhost`, `*.localhost` or one of `names` (normalised, as in wire/authority.h), with
 * any port or none. */
bool http_guard_knows_host(struct view host, const char *const *names, size_t count);
/* Adds what to tell a client that used another Host: which name that was, if it is a name at all,
 * and which setting makes it known. */
void http_guard_explain(struct text *out, struct view host);
/* Returns true when there is no Origin (the client is not a browser, or it is a GET of our own
 * page), or when it is the one that belongs to `host`. */
bool http_guard_is_same_origin(struct view origin, struct view host);

#endif
