/* Decides who gets a connection that this thread accepted: its own front-end, or another thread
 * that carries fewer (worker/handover.h). A connection that took the last descriptor is refused at
 * once, since a tunnel needs a second one.
 */
#include "net/room.h"
#include "worker/snapshot.h"
#include "worker/worker_thread_private.h"

/* Returns a thread that carries clearly fewer connections, or NULL when this one should keep what
 * it accepted. Each call compares with one other thread: over a few connections that is as good as
 * comparing with all, which would cost a microsecond with 64 threads. */
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

/* Returns whether the process is near its limit of connections. Those in boxes are not counted yet,
 * so room is left for all boxes being full. */
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
