/* The thread with the tunnels adds to the lists, and the thread that shows them empties them, so
 * both take the lock. The state is atomic and is read without the lock, so a thread whose talkers
 * nobody wants to see takes no lock.
 */
#include "observe/talkers.h"

#include <string.h>

int talkers_init(struct talkers *talkers)
{
    int error = 0;

    memset(talkers, 0, sizeof(*talkers));
    pthread_mutex_init(&talkers->lock, NULL);
    for (size_t i = 0; i < TALKERS_KIND_COUNT && error == 0; i++)
        error = top_list_init(&talkers->lists[i], TALKERS_MAX);
    return error;
}

void talkers_finish(struct talkers *talkers)
{
    for (size_t i = 0; i < TALKERS_KIND_COUNT; i++)
        top_list_finish(&talkers->lists[i]);
    pthread_mutex_destroy(&talkers->lock);
}

void talkers_add(struct talkers *talkers, const char *user, size_t user_length, const char *host,
                 size_t host_length, uint64_t bytes)
{
    pthread_mutex_lock(&talkers->lock);
    top_list_add(&talkers->lists[TALKERS_USERS], user, user_length, bytes);
    top_list_add(&talkers->lists[TALKERS_HOSTS], host, host_length, bytes);
    pthread_mutex_unlock(&talkers->lock);
}

/* Only NEW becomes ON: when the other side has lost interest meanwhile, it stays OFF. */
void talkers_begin(struct talkers *talkers)
{
    int before = TALKERS_NEW;

    atomic_compare_exchange_strong_explicit(&talkers->state, &before, TALKERS_ON,
                                            memory_order_relaxed, memory_order_relaxed);
}

void talkers_want(struct talkers *talkers, bool is_wanted)
{
    if (is_wanted == (talkers_state(talkers) != TALKERS_OFF))
        return;
    atomic_store_explicit(&talkers->state, is_wanted ? TALKERS_NEW : TALKERS_OFF,
                          memory_order_relaxed);
}

void talkers_take(struct talkers *talkers, struct top_list *const lists[TALKERS_KIND_COUNT])
{
    pthread_mutex_lock(&talkers->lock);
    for (size_t i = 0; i < TALKERS_KIND_COUNT; i++) {
        top_list_add_all(lists[i], &talkers->lists[i]);
        top_list_clear(&talkers->lists[i]);
    }
    pthread_mutex_unlock(&talkers->lock);
}
