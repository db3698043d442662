/* The listening sockets: opened by the supervisor, kept while worker processes come and go. */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "base/contract.h"
#include "base/listener.h"
#include "base/text.h"

struct listeners_plan {
    const struct listener_set *wanted; /* all of the new configuration */
    /* What this adit listens to already. A listener of the same use that is written the same way is
     * taken over, and both sets then have its descriptor. */
    const struct listener_set *before;
    const char *where[LISTENER_USE_COUNT]; /* where a user chooses another address: "with -l" */
};

/* Opens `listener`, which is one of `wanted`, and appends it to `opened`. After a failure the
 * caller closes what `opened` has so far.
 *
 * Returns 0 and adds warnings to `message`, or returns -errno and adds a line that says what
 * happened, why and what to do. */
int listeners_open(const struct listeners_plan *plan, const struct listener *listener,
                   struct listener_set *opened, struct text *message) MUST_CHECK;

#endif
