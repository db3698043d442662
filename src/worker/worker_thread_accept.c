/* What becomes of a connection that was accepted: this thread's front-end has it, or another thread
 * that carries less (worker/handover.h), or it is refused at once when it took the last descriptor.
 */
#include "net/room.h"
#include "worker/snapshot.h"
#include "worker/worker_thread_private.h"

/* NULL: this one should keep what it accepted. Looks at one other thread each time: over a
 * few connections that is as good as looking at all, and 64 threads would cost a microsecond. */
static struct worker_thread *thread_find_idler(struct worker_thread *thread)
{
    unsigned others = thread->thread_count - 1;

    if (others == 0 || thread->env.is_draining)
        return NULL;
    unsigned step = 1 + thread->looks++ % others;
    struct worker_thread *other = thread->threads[(thread->index + step) % thread->thread_count];
    uint64_t mine = counter_read(&thread->counters, COUNTER_CONNECTIONS_OPEN);
    uint64_t theirs = counter_read(&other->counters, COUNTER_CONNECTIONS_OPEN) +
                      handover_waiting(other->handover);
    return mine > theirs + theirs / 2 + 1 ? other : NULL;
}

/* A connection in a box has no place yet among those that the process may have. */
static bool thread_is_room_short(const struct worker_thread *thread)
{
    const struct room *room = thread->env.room;

    return room_taken(room) + HANDOVER_MAX * thread->thread_count >= room_limit(room);
}

static bool thread_hand_over(struct worker_thread *thread, const struct handed *handed)
{
    struct worker_thread *other = thread_find_idler(thread);

    return other != NULL && !thread_is_room_short(thread) &&
           handover_give(other->handover, thread->use->snapshot, handed);
}

void thread_accepted(void *self, int fd, const struct ip_endpoint *client, unsigned listener_slot,
                     bool is_last_descriptor)
{
    struct worker_thread *thread = self;
    const struct handed handed = {.fd = fd, .listener_slot = listener_slot, .client = *client};

    if (is_last_descriptor)
        front_refuse_at_once(thread->front, fd, client, listener_slot);
    else if (!thread_hand_over(thread, &handed))
        front_accept(thread->front, fd, client, listener_slot);
}

bool thread_is_ready(void *self)
{
    const struct worker_thread *thread = self;

    return front_is_ready(thread->front);
}

void thread_take_over(void *self, const struct handed *handed)
{
    struct worker_thread *thread = self;

    front_accept(thread->front, handed->fd, &handed->client, handed->listener_slot);
}
