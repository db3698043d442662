/* What the supervisor says on stderr of where adit listens. */
#ifndef SUPERVISOR_ANNOUNCE_H
#define SUPERVISOR_ANNOUNCE_H

#include "base/listener.h"

/* Says, once it serves, where it listens. At least one of `listeners` is for tunnels. */
void announce_start(const struct listener_set *listeners, unsigned threads);
/* Says where the admin page is, when a reload has brought or moved it. */
void announce_admin_page(const struct listener *admin);

#endif
