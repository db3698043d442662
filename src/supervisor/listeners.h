/* The listening sockets: opened by the supervisor, kept while worker processes come and go. */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "base/contract.h"
#include "base/listener.h"
#include "base/text.h"

struct listeners_plan {
    const struct listener_set *wanted; /* all that are to be there together */
    const struct listener_set *before; /* that this adit has; those of the same use that are written
                                          the same are taken over: both sets name them then */
    const char *where[LISTENER_USE_COUNT]; /* another address is chosen: "with -l" */
};

/* Opens `listener`, which is one of the wanted, and puts it into `opened`, where those before it
 * are. Where that fails, what is there stays for the caller to close.
 *
 * 0 and in `message` warnings, or -errno and there a line: what happened, why and what to do. */
int listeners_open(const struct listeners_plan *plan, const struct listener *listener,
                   struct listener_set *opened, struct text *message) MUST_CHECK;

#endif
