/* Says on stderr where adit listens. */
#ifndef SUPERVISOR_ANNOUNCE_H
#define SUPERVISOR_ANNOUNCE_H

#include "base/listener.h"

/* Says where adit listens, with how many threads, and how to try it; for the moment when the first
 * worker is ready. At least one of `listeners` must be for tunnels. */
void announce_start(const struct listener_set *listeners, unsigned threads);
/* Says where the admin page is, for a reload that has brought it or moved it. */
void announce_admin_page(const struct listener *admin);

#endif
