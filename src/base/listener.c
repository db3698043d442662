/* A set is small and is changed only while it is being made, so it is an array that insertion keeps
 * sorted by use. All listeners of one use therefore stand together, in the order in which they were
 * added.
 */
#include "base/listener.h"

#include <string.h>

/* There is no socket yet: no descriptor, and `bound` is the same as `written` until the kernel has
 * told the port. */
struct listener listener_of(enum listener_use use, const struct ip_endpoint *written)
{
    return (struct listener){.use = use, .written = *written, .bound = *written, .fd = -1};
}

struct listener listener_default(enum listener_use use)
{
    const char *text = use == LISTENER_ADMIN ? LISTENER_ADMIN_DEFAULT : LISTENER_TUNNELS_DEFAULT;
    struct ip_endpoint written;
    int error = ip_endpoint_parse(text, strlen(text), &written);

    ENSURE(error == 0);
    return listener_of(use, &written);
}

void listener_set_add(struct listener_set *set, const struct listener *listener)
{
    size_t place = set->count;

    REQUIRE(set->count < LISTENER_SET_MAX);
    for (; place > 0 && set->all[place - 1].use > listener->use; place--)
        set->all[place] = set->all[place - 1];
    set->all[place] = *listener;
    set->count++;
}

void listener_set_keep(struct listener_set *set, enum listener_use use)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++)
        if (set->all[i].use == use)
            set->all[kept++] = set->all[i];
    set->count = kept;
}

size_t listener_set_count(const struct listener_set *set, enum listener_use use)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++)
        count += set->all[i].use == use;
    return count;
}

const struct listener *listener_set_first(const struct listener_set *set, enum listener_use use)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->all[i].use == use)
            return &set->all[i];
    return NULL;
}

const struct listener *listener_set_find(const struct listener_set *set, enum listener_use use,
                                         const struct ip_endpoint *written)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->all[i].use == use && ip_endpoint_equals(&set->all[i].written, written))
            return &set->all[i];
    return NULL;
}

/* An id of 0 is no socket, and finds none. */
const struct listener *listener_set_find_socket(const struct listener_set *set, uint64_t id)
{
    for (size_t i = 0; i < set->count && id != 0; i++)
        if (set->all[i].id == id)
            return &set->all[i];
    return NULL;
}

/* A socket on [::] also takes IPv4 unless told otherwise, but not when another listener has the
 * same port on an IPv4 address: binding both would fail. */
bool listener_set_lets_take_v4(const struct listener_set *set, const struct ip_endpoint *written)
{
    if (written->address.family != IP_V6 || !ip_address_is_unspecified(&written->address))
        return false;
    for (size_t i = 0; i < set->count && written->port != 0; i++) {
        const struct ip_endpoint *other = &set->all[i].bound;

        if (other->address.family == IP_V4 && other->port == written->port)
            return false;
    }
    return true;
}
