/* The main thread collects what its threads report: events for the admin page's streams, samples
 * for the history, and who moves how much.
 *
 * The history takes a sample per second, but sleeps while no figure changes, so that an idle adit
 * does not wake up at all. A figure changes either in a turn of a thread's loop, which wakes the
 * history, or by a failed login at the admin page, which is an event of this thread itself.
 */
#include "worker/worker_events.h"

#include "admin/history.h"
#include "admin/toplists.h"
#include "observe/event_feed.h"
#include "observe/talkers.h"
#include "system/clock.h"
#include "worker/worker_private.h"
#include "worker/worker_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TELL_S = 5
}; /* each telling walks over all open tunnels; every 5 s that cost is negligible */

struct worker_events {
    struct worker *worker;
    struct list subscribers;
    struct task more_events;
    struct event_feed own_events; /* of this thread */
    struct deadline second;
    struct history *history;
    struct toplists *toplists;
    unsigned tell_in_s;  /* seconds until the threads are asked who moves how much */
    bool is_telling_due; /* figures have changed since the threads were asked */
    bool is_history_kept;
    bool is_turn_awaited; /* no figure changed, and the threads were asked to report their next turn
                           */
    bool is_dozing; /* the history sleeps: its last sample stays true until somebody wakes it */
    char lines[64 * 1024]; /* taken from a feed, and being passed to the subscribers */
};

/* -- events */

static void history_wake(struct worker_events *events);

static const uint32_t refusal_events = 1U << ACCESS_DENY | 1U << ACCESS_AUTH_FAILURE;
static const uint32_t all_events = (1U << ACCESS_EVENT_COUNT) - 1;

static void events_want(struct worker_events *events)
{
    const struct worker *worker = events->worker;
    uint32_t awaited = list_is_empty(&events->subscribers) ? 0 : all_events;
    awaited |= events->is_dozing ? refusal_events : 0;
    uint32_t wanted = awaited | (events->is_history_kept ? refusal_events : 0);

    for (unsigned i = 0; i < worker->thread_count; i++)
        event_feed_want(worker_thread_events(worker->threads[i]), wanted, awaited);
    event_feed_want(&events->own_events, wanted, awaited);
}

static void events_tell(struct worker_events *events, enum access_event event, const char *line,
                        size_t length)
{
    if (events->is_history_kept && refusal_events & 1U << event)
        history_add_deny(events->history, line, length);
    for (struct list *link = events->subscribers.next; link != &events->subscribers;) {
        struct event_subscriber *subscriber = container_of(link, struct event_subscriber, link);

        link = link->next; /* the callback may unsubscribe it */
        subscriber->happened(subscriber, event, line, length);
    }
}

static void events_tell_lines(struct worker_events *events, const char *lines, size_t length)
{
    while (length > 0) {
        const char *end = memchr(lines, '\n', length);

        ENSURE(end != NULL);
        events_tell(events, (enum access_event)(lines[0] - '0'), lines + 1,
                    (size_t)(end - lines) - 1);
        length -= (size_t)(end + 1 - lines);
        lines = end + 1;
    }
}

/* Passes on what is in the feed. Returns false when it was empty. */
static bool events_take_from(struct worker_events *events, struct event_feed *feed)
{
    size_t length = event_feed_take(feed, events->lines, sizeof(events->lines));

    events_tell_lines(events, events->lines, length);
    return length > 0;
}

/* Looks at every feed once, and posts itself again when one had something: events that came to a
 * feed after it was looked at are taken in the next turn. */
static void events_take(struct task *task)
{
    struct worker_events *events = container_of(task, struct worker_events, more_events);
    const struct worker *worker = events->worker;
    bool is_more = events_take_from(events, &events->own_events);

    for (unsigned i = 0; i < worker->thread_count; i++)
        is_more |= events_take_from(events, worker_thread_events(worker->threads[i]));
    if (!is_more)
        return;
    history_wake(events);
    task_post(events->worker->loop, task);
}

static void events_own_wake(void *self)
{
    struct worker_events *events = self;

    task_post(events->worker->loop, &events->more_events);
}

struct event_feed *worker_events_own(struct worker_events *events)
{
    return &events->own_events;
}

void worker_events_happened(void *self)
{
    struct worker *worker = self;
    struct worker_events *events = worker->events;

    history_wake(events);
    events_take(&events->more_events);
}

void worker_events_watch_threads(struct worker_events *events)
{
    history_wake(events);
    events_want(events);
}

/* Takes all waiting events first, so that the new subscriber gets only what happens from now on. */
void worker_events_subscribe(void *self, struct event_subscriber *subscriber)
{
    struct worker *worker = self;
    struct worker_events *events = worker->events;

    events_take(&events->more_events);
    list_append(&events->subscribers, &subscriber->link);
    events_want(events);
}

void worker_events_unsubscribe(void *self, struct event_subscriber *subscriber)
{
    struct worker *worker = self;

    list_remove(&subscriber->link);
    events_want(worker->events);
}

static void history_wake(struct worker_events *events)
{
    events->is_turn_awaited = false;
    if (!events->is_dozing)
        return;
    events->is_dozing = false;
    history_repeat(events->history, clock_wall_ms());
    deadline_set(events->worker->loop, &events->second,
                 loop_now_ms(events->worker->loop) + HISTORY_INTERVAL_MS);
    events_want(events);
}

/* The threads are asked to report their next turn one second before the history goes to sleep. A
 * turn that was running when they were asked is over by then, and its figures are in the last
 * sample. */
static void history_doze_soon(struct worker_events *events)
{
    const struct worker *worker = events->worker;

    if (events->is_turn_awaited) {
        events->is_dozing = true;
        deadline_cancel(events->worker->loop, &events->second);
        events_want(events);
        return;
    }
    events->is_turn_awaited = true;
    for (unsigned i = 0; i < worker->thread_count; i++)
        worker_thread_await_turn(worker->threads[i]);
}

/* Takes over what the threads have counted so far. */
static void talkers_take_all(struct worker_events *events, const struct stats *stats)
{
    const struct worker *worker = events->worker;
    uint64_t now_ms = loop_now_ms(events->worker->loop);

    for (unsigned i = 0; i < worker->thread_count; i++)
        toplists_take(events->toplists, worker_thread_talkers(worker->threads[i]), now_ms);
    toplists_add_denied(events->toplists, stats, now_ms);
}

static void talkers_have_told(struct worker_events *events)
{
    const struct order order = {.kind = ORDER_TELL_TALKERS};

    events->tell_in_s = TELL_S;
    events->is_telling_due = false;
    worker_order_all(events->worker, &order, NULL);
}

/* Asks every few seconds while figures change, and once more when they have stopped changing. It
 * must not ask without a change: each order is a turn of the thread, which would wake the history,
 * so that it never sleeps. */
static void talkers_follow(struct worker_events *events, const struct stats *stats, bool is_still)
{
    events->is_telling_due |= !is_still;
    events->tell_in_s -= events->tell_in_s > 0;
    if (!events->is_telling_due || (events->tell_in_s > 0 && !is_still))
        return;
    talkers_take_all(events, stats);
    talkers_have_told(events);
}

static void history_second_passed(struct deadline *deadline)
{
    struct worker_events *events = container_of(deadline, struct worker_events, second);
    uint64_t now_ms = loop_now_ms(events->worker->loop);
    uint64_t next_ms = deadline->at_ms + HISTORY_INTERVAL_MS;
    struct stats stats;

    worker_read_stats(events->worker, &stats);
    bool is_still = history_is_current(events->history, &stats);
    history_add_sample(events->history, &stats, clock_wall_ms());
    talkers_follow(events, &stats, is_still);
    events_take(&events->more_events);
    /* After the machine was suspended, samples that were missed are not taken later. */
    deadline_set(events->worker->loop, deadline,
                 next_ms > now_ms ? next_ms : now_ms + HISTORY_INTERVAL_MS);
    if (is_still)
        history_doze_soon(events);
    else
        events->is_turn_awaited = false;
}

void worker_events_keep_history(struct worker_events *events, bool is_kept)
{
    if (is_kept == events->is_history_kept)
        return;
    const struct worker *worker = events->worker;

    events->is_history_kept = is_kept;
    events->is_dozing = false;
    for (unsigned i = 0; i < worker->thread_count; i++)
        talkers_want(worker_thread_talkers(worker->threads[i]), is_kept);
    if (is_kept)
        talkers_have_told(events);
    if (is_kept)
        deadline_set(events->worker->loop, &events->second, loop_now_ms(events->worker->loop));
    else
        deadline_cancel(events->worker->loop, &events->second);
    events_want(events);
}

char *worker_events_print_history(void *self, size_t *ret_length)
{
    struct worker *worker = self;
    struct worker_events *events = worker->events;
    static const struct listener_set nowhere;
    const struct snapshot *snapshot = worker->snapshot;
    struct stats stats;

    events_take(&events->more_events);
    worker_read_stats(events->worker, &stats);
    if (events->is_dozing)
        history_repeat(events->history, clock_wall_ms());
    return history_print(events->history, &stats,
                         snapshot != NULL ? &snapshot->listeners : &nowhere, ret_length);
}

char *worker_events_print_toplists(void *self, size_t *ret_length)
{
    struct worker *worker = self;
    struct worker_events *events = worker->events;
    struct stats stats;

    worker_read_stats(events->worker, &stats);
    talkers_take_all(events, &stats);
    return toplists_print(events->toplists, loop_now_ms(events->worker->loop), ret_length);
}

/* -- life */

static int events_create_parts(struct worker_events *events)
{
    int error = history_create(&events->history);

    if (error == 0)
        error = toplists_create(&events->toplists);
    if (error == 0)
        error = event_feed_init(&events->own_events, events_own_wake, events);
    return error;
}

int worker_events_create(struct worker *worker, struct worker_events **ret_events)
{
    struct worker_events *events = calloc(1, sizeof(*events));

    if (events == NULL)
        return -ENOMEM;
    events->worker = worker;
    list_init(&events->subscribers);
    task_init(&events->more_events, events_take);
    deadline_init(&events->second, history_second_passed);
    int error = events_create_parts(events);
    if (error < 0) {
        worker_events_destroy(events);
        return error;
    }
    *ret_events = events;
    return 0;
}

void worker_events_destroy(struct worker_events *events)
{
    if (events == NULL)
        return;
    task_cancel(&events->more_events);
    deadline_cancel(events->worker->loop, &events->second);
    event_feed_finish(&events->own_events);
    history_destroy(events->history);
    toplists_destroy(events->toplists);
    free(events);
}
