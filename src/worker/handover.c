/* The box is a few places under a lock. Whoever fills the first place posts a letter to the box's
 * thread. It is posted under the lock, so that no letter is on its way once the box has been
 * closed.
 */
#include "worker/handover.h"

#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct handover {
    struct handover_owner owner;
    pthread_mutex_t lock;
    struct handed connections[HANDOVER_MAX];
    unsigned count;
    const void *snapshot;
    bool is_closed;
    struct letter letter;
    _Atomic unsigned waiting; /* counted until they are taken, not only until they left the box */
};

static unsigned empty(struct handover *handover, struct handed *connections, bool is_last)
{
    pthread_mutex_lock(&handover->lock);
    unsigned count = handover->count;
    for (unsigned i = 0; i < count; i++)
        connections[i] = handover->connections[i];
    handover->count = 0;
    handover->is_closed |= is_last;
    pthread_mutex_unlock(&handover->lock);
    return count;
}

static void take_all(struct handover *handover, bool is_last)
{
    struct handed connections[HANDOVER_MAX];
    unsigned count = empty(handover, connections, is_last);

    for (unsigned i = 0; i < count; i++) {
        handover->owner.take(handover->owner.self, &connections[i]);
        atomic_fetch_sub_explicit(&handover->waiting, 1, memory_order_relaxed);
    }
}

static void connections_came(struct letter *letter)
{
    take_all(container_of(letter, struct handover, letter), false);
}

int handover_create(const struct handover_owner *owner, struct handover **ret_handover)
{
    struct handover *handover = calloc(1, sizeof(*handover));

    if (handover == NULL)
        return -ENOMEM;
    handover->owner = *owner;
    pthread_mutex_init(&handover->lock, NULL);
    letter_init(&handover->letter, connections_came);
    *ret_handover = handover;
    return 0;
}

void handover_destroy(struct handover *handover)
{
    if (handover == NULL)
        return;
    letter_take_back(handover->owner.loop, &handover->letter);
    for (unsigned i = 0; i < handover->count; i++)
        close(handover->connections[i].fd);
    pthread_mutex_destroy(&handover->lock);
    free(handover);
}

bool handover_give(struct handover *handover, const void *snapshot, const struct handed *handed)
{
    pthread_mutex_lock(&handover->lock);
    bool is_taken =
        !handover->is_closed && handover->snapshot == snapshot && handover->count < HANDOVER_MAX;
    if (is_taken) {
        if (handover->count == 0)
            letter_post(handover->owner.loop, &handover->letter);
        handover->connections[handover->count++] = *handed;
        atomic_fetch_add_explicit(&handover->waiting, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&handover->lock);
    return is_taken;
}

unsigned handover_waiting(const struct handover *handover)
{
    return atomic_load_explicit(&handover->waiting, memory_order_relaxed);
}

void handover_use_snapshot(struct handover *handover, const void *snapshot)
{
    pthread_mutex_lock(&handover->lock);
    handover->snapshot = snapshot;
    pthread_mutex_unlock(&handover->lock);
}

void handover_close(struct handover *handover)
{
    take_all(handover, true);
    letter_take_back(handover->owner.loop, &handover->letter);
}
