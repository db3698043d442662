/* Closes the sockets of listeners that are no longer in use. */
#ifndef NET_LISTENER_CLOSE_H
#define NET_LISTENER_CLOSE_H

#include "base/listener.h"

/* Closes this process's descriptors in `set`, except for those of sockets that `kept` has as well
 * (NULL keeps none). The set itself is not changed, because its owner either drops it or shares it
 * with threads. */
void listener_set_close(const struct listener_set *set, const struct listener_set *kept);

#endif
