/* The supervisor and the worker do this alike: each has descriptors of its own for the sockets that
 * they share. */
#include "net/listener_close.h"

#include <unistd.h>

void listener_set_close(const struct listener_set *set, const struct listener_set *kept)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct listener *listener = &set->all[i];

        if (listener->fd >= 0 &&
            (kept == NULL || listener_set_find_socket(kept, listener->id) == NULL))
            close(listener->fd);
    }
}
