/* Who may ask the admin page: the checks that keep a browser from being used against it. Pure. */
#ifndef ADMIN_HTTP_GUARD_H
#define ADMIN_HTTP_GUARD_H

#include "base/text.h"
#include "wire/http1_head.h"

#include <stdbool.h>
#include <stddef.h>

/* A Host field that an attacker's DNS can't point here (rebinding): an IP literal, `localhost`,
 * `*.localhost` or one of `names` (normalised, as of wire/authority.h), with any port or none. */
bool http_guard_knows_host(struct view host, const char *const *names, size_t count);
/* What to tell somebody who came by another name: that name, where it is one, and which setting
 * adds it. */
void http_guard_explain(struct text *out, struct view host);
/* No Origin (not a browser, or its own page's GET), or the one that belongs to `host`. */
bool http_guard_is_same_origin(struct view origin, struct view host);

#endif
