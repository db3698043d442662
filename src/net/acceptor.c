/* Listeners are watched level-triggered and shared by all threads: while connections wait, epoll
 * wakes some loop that watches the listener, so taking only a few per turn loses nothing and leaves
 * the rest to the other threads.
 *
 * The first turn takes one connection: an accept that finds no connection costs as much as one that
 * finds one, and that cost would be added for every client that comes alone. While the queue stays
 * filled from turn to turn, the number doubles.
 *
 * Of the threads that sleep, the kernel wakes the one that has watched the longest. While there is
 * little to do that is always the same one, and it would get all the tunnels that open one by one
 * and stay. So a thread that was woken for a connection goes to the end of the line.
 *
 * There are two states: watching, and paused. A pause takes 100 ms when descriptors or memory ran
 * out, and 2 ms when the owner is not ready. While paused, all watches are out of the epoll set,
 * since a level-triggered listener would wake the loop all the time. Stopped is paused without a
 * deadline.
 *
 * The surprise is the reserve, an eventfd (reopening it needs no file): at EMFILE it is closed, and
 * the room of that one descriptor serves to accept, refuse and close connections one after the
 * other. Clients that find adit out of descriptors get an answer instead of a connection that
 * hangs.
 */
#include "net/acceptor.h"

#include "loop/loop.h"
#include "net/socket_address.h"
#include "observe/counters.h"
#include "observe/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 8,    /* of a listener: a storm is shared by the threads */
    REFUSALS_PER_PAUSE = 64, /* on the reserve: cheap, and 640 per second empty any queue in time */
    PAUSE_MS = 100,
    SHORT_PAUSE_MS = 2,
};

struct listener_watch {
    struct list link;
    struct watch watch;
    struct garbage garbage;
    struct acceptor *acceptor;
    int fd; /* the caller's */
    unsigned slot;
    unsigned accepts;   /* of its latest turn, at most */
    uint32_t last_turn; /* of the loop, in which somebody waited */
};

struct acceptor {
    struct loop *loop;
    struct acceptor_owner owner;
    struct counters *counters; /* NULL: no reserve, and nobody is told */
    struct log_ring *log;
    struct deadline pause;
    int reserve_fd; /* -1: could not be taken back yet */
    bool is_stopped;
    struct list listeners;
};

static struct listener_watch *listener_watch_of(struct list *link)
{
    return container_of(link, struct listener_watch, link);
}

static void take_reserve(struct acceptor *acceptor)
{
    if (acceptor->reserve_fd < 0 && acceptor->counters != NULL)
        acceptor->reserve_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void give_reserve(struct acceptor *acceptor)
{
    if (acceptor->reserve_fd >= 0)
        close(acceptor->reserve_fd);
    acceptor->reserve_fd = -1;
}

static void unwatch(struct listener_watch *listener)
{
    if (listener->watch.fd >= 0)
        watch_take_fd(listener->acceptor->loop, &listener->watch);
}

static void unwatch_all(struct acceptor *acceptor)
{
    for (struct list *link = acceptor->listeners.next; link != &acceptor->listeners;
         link = link->next)
        unwatch(listener_watch_of(link));
}

/* Returns 0 when a connection was delivered to the owner, otherwise -errno. */
static int accept_one(struct listener_watch *listener, bool is_last_descriptor)
{
    struct acceptor *acceptor = listener->acceptor;
    union socket_address peer;
    socklen_t size = sizeof(peer);
    int fd = accept4(listener->fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return -errno;
    struct ip_endpoint client = socket_address_to_endpoint(&peer);
    acceptor->owner.accepted(acceptor->owner.self, fd, &client, listener->slot, is_last_descriptor);
    return 0;
}

/* These errors belong to the connection that would have been accepted (accept(2) passes them on),
 * and not to adit: the next connection may be fine. */
static bool concerns_one_connection(int error)
{
    switch (-error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

static void refuse_on_reserve(struct listener_watch *listener)
{
    struct acceptor *acceptor = listener->acceptor;

    if (acceptor->reserve_fd < 0)
        return;
    give_reserve(acceptor);
    for (int i = 0; i < REFUSALS_PER_PAUSE; i++) {
        int error = accept_one(listener, true);
        if (error < 0 && !concerns_one_connection(error))
            break;
    }
    take_reserve(acceptor);
}

static void run_short(struct listener_watch *listener, int error)
{
    struct acceptor *acceptor = listener->acceptor;

    if (acceptor->counters == NULL)
        return;
    counter_add(acceptor->counters, COUNTER_ACCEPT_ERRORS, 1);
    log_notice(acceptor->log, LOG_TOPIC_DESCRIPTORS,
               "can't accept a connection: %s; refusing what waits, trying again in %d ms",
               strerror(-error), PAUSE_MS);
    if (error == -EMFILE || error == -ENFILE)
        refuse_on_reserve(listener);
}

static void pause_accepting(struct acceptor *acceptor, uint64_t ms)
{
    unwatch_all(acceptor);
    deadline_set(acceptor->loop, &acceptor->pause, loop_now_ms(acceptor->loop) + ms);
}

static bool owner_is_ready(const struct acceptor *acceptor)
{
    return acceptor->owner.is_ready == NULL || acceptor->owner.is_ready(acceptor->owner.self);
}

static void let_others_go_first(struct listener_watch *listener)
{
    if (listener->watch.fd >= 0 && watch_go_last(listener->acceptor->loop, &listener->watch) < 0)
        pause_accepting(listener->acceptor, PAUSE_MS);
}

/* How many connections to take in this turn. A listener that had connections in the turn before has
 * a queue: the number doubles. */
static unsigned accepts_due(struct listener_watch *listener)
{
    uint32_t turn = loop_turn_number(listener->acceptor->loop);
    bool is_filled = turn - listener->last_turn == 1;
    unsigned doubled = 2 * listener->accepts;

    listener->accepts = !is_filled ? 1 : doubled < ACCEPTS_PER_TURN ? doubled : ACCEPTS_PER_TURN;
    listener->last_turn = turn;
    return listener->accepts;
}

static void on_connections(struct watch *watch, uint32_t events)
{
    struct listener_watch *listener = container_of(watch, struct listener_watch, watch);
    unsigned due = accepts_due(listener);

    (void)events;
    for (unsigned left = due; left > 0; left--) {
        if (!owner_is_ready(listener->acceptor)) {
            pause_accepting(listener->acceptor, SHORT_PAUSE_MS);
            return;
        }
        int error = accept_one(listener, false);

        if (error == -EAGAIN)
            return;
        if (error < 0 && !concerns_one_connection(error)) {
            run_short(listener, error);
            pause_accepting(listener->acceptor, PAUSE_MS);
            return;
        }
    }
    if (due == 1 && listener->acceptor->owner.is_shared)
        let_others_go_first(listener);
}

static int watch_one(struct listener_watch *listener)
{
    return watch_open_input(listener->acceptor->loop, &listener->watch, listener->fd, true,
                            on_connections);
}

static int watch_all(struct acceptor *acceptor)
{
    for (struct list *link = acceptor->listeners.next; link != &acceptor->listeners;
         link = link->next) {
        int error = watch_one(listener_watch_of(link));

        if (error < 0) {
            unwatch_all(acceptor);
            return error;
        }
    }
    return 0;
}

static void pause_passed(struct deadline *deadline)
{
    struct acceptor *acceptor = container_of(deadline, struct acceptor, pause);

    take_reserve(acceptor);
    if (watch_all(acceptor) < 0)
        pause_accepting(acceptor, PAUSE_MS);
}

static void free_listener(struct garbage *garbage)
{
    free(container_of(garbage, struct listener_watch, garbage));
}

static void acceptor_forget(struct listener_watch *listener)
{
    unwatch(listener);
    list_remove(&listener->link);
    loop_free_later(listener->acceptor->loop, &listener->garbage, free_listener);
}

static struct listener_watch *acceptor_find(const struct acceptor *acceptor, unsigned slot)
{
    for (struct list *link = acceptor->listeners.next; link != &acceptor->listeners;
         link = link->next)
        if (listener_watch_of(link)->slot == slot)
            return listener_watch_of(link);
    return NULL;
}

int acceptor_add(struct acceptor *acceptor, const struct listener *listener)
{
    struct listener_watch *watched = calloc(1, sizeof(*watched));
    bool is_watching = !acceptor->is_stopped && !deadline_is_set(&acceptor->pause);

    if (watched == NULL)
        return -ENOMEM;
    *watched = (struct listener_watch){.watch.fd = -1,
                                       .acceptor = acceptor,
                                       .fd = listener->fd,
                                       .slot = listener->slot,
                                       .accepts = 1};
    int error = is_watching ? watch_one(watched) : 0;
    if (error < 0) {
        free(watched);
        return error;
    }
    list_append(&acceptor->listeners, &watched->link);
    return 0;
}

bool acceptor_has(const struct acceptor *acceptor, unsigned slot)
{
    return acceptor_find(acceptor, slot) != NULL;
}

int acceptor_create(struct loop *loop, const struct acceptor_owner *owner,
                    struct counters *counters, struct log_ring *log, struct acceptor **ret_acceptor)
{
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));

    if (acceptor == NULL)
        return -ENOMEM;
    acceptor->loop = loop;
    acceptor->owner = *owner;
    acceptor->counters = counters;
    acceptor->log = log;
    acceptor->reserve_fd = -1;
    list_init(&acceptor->listeners);
    deadline_init(&acceptor->pause, pause_passed);
    take_reserve(acceptor);
    *ret_acceptor = acceptor;
    return 0;
}

/* Takes what waits in the queue, and returns what is left of `limit`. */
static unsigned empty_queue(struct listener_watch *listener, unsigned limit)
{
    while (limit > 0) {
        int error = accept_one(listener, false);

        limit--;
        if (error == 0 || concerns_one_connection(error))
            continue;
        if (error != -EAGAIN)
            run_short(listener, error);
        break;
    }
    return limit;
}

void acceptor_remove(struct acceptor *acceptor, unsigned slot, unsigned limit)
{
    struct listener_watch *listener = acceptor_find(acceptor, slot);

    if (listener == NULL)
        return;
    unwatch(listener);
    empty_queue(listener, limit);
    acceptor_forget(listener);
}

void acceptor_stop(struct acceptor *acceptor, unsigned limit)
{
    if (acceptor->is_stopped)
        return;
    acceptor->is_stopped = true;
    deadline_cancel(acceptor->loop, &acceptor->pause);
    unwatch_all(acceptor);
    for (struct list *link = acceptor->listeners.next; link != &acceptor->listeners;
         link = link->next)
        limit = empty_queue(listener_watch_of(link), limit);
}

void acceptor_destroy(struct acceptor *acceptor)
{
    deadline_cancel(acceptor->loop, &acceptor->pause);
    while (!list_is_empty(&acceptor->listeners))
        acceptor_forget(listener_watch_of(acceptor->listeners.next));
    give_reserve(acceptor);
    free(acceptor);
}
