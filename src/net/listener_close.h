/* Closes the sockets of listeners that nobody wants any more. */
#ifndef NET_LISTENER_CLOSE_H
#define NET_LISTENER_CLOSE_H

#include "base/listener.h"

/* Closes this process's descriptors of `set`, but those of sockets that `kept` (NULL: none) has as
 * well. The set itself stays as it is: it is given up, or shared with threads. */
void listener_set_close(const struct listener_set *set, const struct listener_set *kept);

#endif
