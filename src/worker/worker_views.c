/* Questions about tunnels go round by round: every thread is asked the same, and when the last has
 * answered, so is whoever asked. Who asks for the same list while a round goes on shares the next
 * one, so that many who look cost the threads no more than one does. Each kill has a round of its
 * own, since each is to know what it did.
 *
 * Figures are read at once: they are atomic, and every thread writes its own.
 *
 * The history takes a sample a second, but dozes off when the figures stand still, so that an idle
 * adit does nothing at all. What changes a figure is a turn of a thread, which wakes it, or a
 * failed login at the admin page, which is an event of this thread.
 */
#include "worker/worker_views.h"

#include "access/auth.h"
#include "admin/history.h"
#include "admin/toplists.h"
#include "config/settings.h"
#include "loop/loop.h"
#include "net/room.h"
#include "observe/event_feed.h"
#include "observe/log.h"
#include "observe/talkers.h"
#include "system/clock.h"
#include "worker/snapshot.h"
#include "worker/worker_explain.h"
#include "worker/worker_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TELL_S = 5 }; /* a walk over all open tunnels: nothing beside what they cost in that time */

struct worker_views {
    struct views views;
    struct loop *loop;
    void (*look)(void *self, struct worker_look *ret_look);
    void *self;
    struct list waiting; /* tunnels_query: for a round to begin */
    struct list asking;  /* those that this round answers; may be empty */
    struct task begin;
    unsigned awaited_count; /* threads; 0: no round goes on */
    struct list subscribers;
    struct task more_events;
    struct event_feed own_events; /* of this thread */
    struct deadline second;
    struct history *history;
    struct toplists *toplists;
    unsigned tell_in_s;  /* until the threads shall tell who moves how much */
    bool is_telling_due; /* figures have changed since they did */
    struct worker_explain *explain;
    bool is_history_kept;
    bool is_turn_awaited;  /* the last sample was like the one before */
    bool is_dozing;        /* the history: its last sample is true until somebody wakes it */
    char lines[64 * 1024]; /* on their way */
};

static struct worker_look look_at(const struct worker_views *views)
{
    struct worker_look look;

    views->look(views->self, &look);
    return look;
}

/* -- tunnels */

static void answer_round(struct worker_views *views, const struct tunnels_answer *answer)
{
    while (!list_is_empty(&views->asking)) {
        struct tunnels_query *query = container_of(views->asking.next, struct tunnels_query, link);

        list_remove(&query->link);
        query->is_asked = false;
        query->answered(query, answer);
    }
}

static void end_round(struct worker_views *views)
{
    const struct worker_look look = look_at(views);
    char *parts[SETTINGS_WORKERS_MAX];
    size_t lengths[SETTINGS_WORKERS_MAX];
    struct tunnels_answer answer = {.parts = parts, .lengths = lengths, .is_complete = true};

    for (unsigned i = 0; i < look.thread_count; i++) {
        const struct worker_thread_answer part = worker_thread_take_answer(look.threads[i]);

        answer.tunnel_count += part.tunnel_count;
        answer.is_complete &= !part.is_out_of_memory;
        parts[answer.part_count] = part.lines;
        lengths[answer.part_count] = part.length;
        answer.part_count += part.lines != NULL;
    }
    answer_round(views, &answer);
    for (size_t i = 0; i < answer.part_count; i++)
        free(parts[i]);
}

static struct tunnels_query *first_of(const struct list *queries)
{
    return container_of(queries->next, struct tunnels_query, link);
}

/* All who want the same as the one who has waited longest. */
static void gather(struct worker_views *views)
{
    const struct tunnels_query *first = first_of(&views->waiting);

    for (struct list *link = views->waiting.next; link != &views->waiting;) {
        struct tunnels_query *query = container_of(link, struct tunnels_query, link);

        link = link->next;
        if (query != first && (first->is_kill || query->is_kill ||
                               !tunnel_filter_equals(&first->filter, &query->filter)))
            continue;
        list_remove(&query->link);
        list_append(&views->asking, &query->link);
    }
}

static void begin_round(struct task *task)
{
    struct worker_views *views = container_of(task, struct worker_views, begin);

    if (views->awaited_count > 0 || list_is_empty(&views->waiting))
        return;
    const struct worker_look look = look_at(views);
    gather(views);
    const struct tunnels_query *query = first_of(&views->asking);
    for (unsigned i = 0; i < look.thread_count; i++)
        if (worker_thread_ask(look.threads[i], &query->filter, query->is_kill))
            views->awaited_count++;
    if (views->awaited_count > 0)
        return;
    end_round(views);
    task_post(views->loop, task);
}

void worker_views_thread_answered(struct worker_views *views)
{
    if (--views->awaited_count > 0)
        return;
    end_round(views);
    task_post(views->loop, &views->begin);
}

static void ask_tunnels(void *self, struct tunnels_query *query)
{
    struct worker_views *views = self;

    REQUIRE(!query->is_asked);
    query->is_asked = true;
    list_append(&views->waiting, &query->link);
    task_post(views->loop, &views->begin);
}

static void cancel_tunnels(void *self, struct tunnels_query *query)
{
    (void)self;
    if (!query->is_asked)
        return;
    query->is_asked = false;
    list_remove(&query->link);
}

/* -- events and the history */

static void wake_history(struct worker_views *views);

static const uint32_t refusals = 1U << ACCESS_DENY | 1U << ACCESS_AUTH_FAILURE;
static const uint32_t all_events = (1U << ACCESS_EVENT_COUNT) - 1;

static void want_events(struct worker_views *views)
{
    const struct worker_look look = look_at(views);
    uint32_t awaited = list_is_empty(&views->subscribers) ? 0 : all_events;
    awaited |= views->is_dozing ? refusals : 0;
    uint32_t wanted = awaited | (views->is_history_kept ? refusals : 0);

    for (unsigned i = 0; i < look.thread_count; i++)
        event_feed_want(worker_thread_events(look.threads[i]), wanted, awaited);
    event_feed_want(&views->own_events, wanted, awaited);
}

static void tell(struct worker_views *views, enum access_event event, const char *line,
                 size_t length)
{
    if (views->is_history_kept && refusals & 1U << event)
        history_add_deny(views->history, line, length);
    for (struct list *link = views->subscribers.next; link != &views->subscribers;) {
        struct event_subscriber *subscriber = container_of(link, struct event_subscriber, link);

        link = link->next; /* it may leave */
        subscriber->happened(subscriber, event, line, length);
    }
}

static void tell_lines(struct worker_views *views, const char *lines, size_t length)
{
    while (length > 0) {
        const char *end = memchr(lines, '\n', length);

        ENSURE(end != NULL);
        tell(views, (enum access_event)(lines[0] - '0'), lines + 1, (size_t)(end - lines) - 1);
        length -= (size_t)(end + 1 - lines);
        lines = end + 1;
    }
}

/* False: nothing has happened there. */
static bool take_from(struct worker_views *views, struct event_feed *feed)
{
    size_t length = event_feed_take(feed, views->lines, sizeof(views->lines));

    tell_lines(views, views->lines, length);
    return length > 0;
}

/* What came meanwhile from those who were looked at first waits for the next turn. */
static void take_events(struct task *task)
{
    struct worker_views *views = container_of(task, struct worker_views, more_events);
    const struct worker_look look = look_at(views);
    bool is_more = take_from(views, &views->own_events);

    for (unsigned i = 0; i < look.thread_count; i++)
        is_more |= take_from(views, worker_thread_events(look.threads[i]));
    if (!is_more)
        return;
    wake_history(views);
    task_post(views->loop, task);
}

static void own_events_wake(void *self)
{
    struct worker_views *views = self;

    task_post(views->loop, &views->more_events);
}

struct event_feed *worker_views_events(struct worker_views *views)
{
    return &views->own_events;
}

void worker_views_happened(struct worker_views *views)
{
    wake_history(views);
    take_events(&views->more_events);
}

void worker_views_watch_threads(struct worker_views *views)
{
    wake_history(views);
    want_events(views);
}

/* What happened before is not for him. */
static void subscribe(void *self, struct event_subscriber *subscriber)
{
    struct worker_views *views = self;

    take_events(&views->more_events);
    list_append(&views->subscribers, &subscriber->link);
    want_events(views);
}

static void unsubscribe(void *self, struct event_subscriber *subscriber)
{
    list_remove(&subscriber->link);
    want_events(self);
}

static void read_stats(void *self, struct stats *ret_stats);

static void wake_history(struct worker_views *views)
{
    views->is_turn_awaited = false;
    if (!views->is_dozing)
        return;
    views->is_dozing = false;
    history_repeat(views->history, clock_wall_ms());
    deadline_set(views->loop, &views->second, loop_now_ms(views->loop) + HISTORY_INTERVAL_MS);
    want_events(views);
}

/* Threads are asked to tell of a turn a second before the history dozes: a turn that began before
 * they could know is over by then, and its figures are in the last sample. */
static void doze_soon(struct worker_views *views)
{
    const struct worker_look look = look_at(views);

    if (views->is_turn_awaited) {
        views->is_dozing = true;
        deadline_cancel(views->loop, &views->second);
        want_events(views);
        return;
    }
    views->is_turn_awaited = true;
    for (unsigned i = 0; i < look.thread_count; i++)
        worker_thread_await_turn(look.threads[i]);
}

/* What the threads know by now. */
static void take_talkers(struct worker_views *views, const struct stats *stats)
{
    const struct worker_look look = look_at(views);
    uint64_t now_ms = loop_now_ms(views->loop);

    for (unsigned i = 0; i < look.thread_count; i++)
        toplists_take(views->toplists, worker_thread_talkers(look.threads[i]), now_ms);
    toplists_add_denied(views->toplists, stats, now_ms);
}

static void have_talkers_told(struct worker_views *views)
{
    const struct worker_look look = look_at(views);

    views->tell_in_s = TELL_S;
    views->is_telling_due = false;
    for (unsigned i = 0; i < look.thread_count; i++)
        worker_thread_tell_talkers(look.threads[i]);
}

/* Every few seconds while something moves, and once more when it has come to rest: a thread that is
 * told to would never doze. */
static void follow_talkers(struct worker_views *views, const struct stats *stats, bool is_still)
{
    views->is_telling_due |= !is_still;
    views->tell_in_s -= views->tell_in_s > 0;
    if (!views->is_telling_due || (views->tell_in_s > 0 && !is_still))
        return;
    take_talkers(views, stats);
    have_talkers_told(views);
}

static void second_passed(struct deadline *deadline)
{
    struct worker_views *views = container_of(deadline, struct worker_views, second);
    uint64_t now_ms = loop_now_ms(views->loop);
    uint64_t next_ms = deadline->at_ms + HISTORY_INTERVAL_MS;
    struct stats stats;

    read_stats(views, &stats);
    bool is_still = history_is_current(views->history, &stats);
    history_add_sample(views->history, &stats, clock_wall_ms());
    follow_talkers(views, &stats, is_still);
    take_events(&views->more_events);
    /* After a suspend what was missed is not made up for. */
    deadline_set(views->loop, deadline, next_ms > now_ms ? next_ms : now_ms + HISTORY_INTERVAL_MS);
    if (is_still)
        doze_soon(views);
    else
        views->is_turn_awaited = false;
}

void worker_views_keep_history(struct worker_views *views, bool is_kept)
{
    if (is_kept == views->is_history_kept)
        return;
    const struct worker_look look = look_at(views);

    views->is_history_kept = is_kept;
    views->is_dozing = false;
    for (unsigned i = 0; i < look.thread_count; i++)
        talkers_want(worker_thread_talkers(look.threads[i]), is_kept);
    if (is_kept)
        have_talkers_told(views);
    if (is_kept)
        deadline_set(views->loop, &views->second, loop_now_ms(views->loop));
    else
        deadline_cancel(views->loop, &views->second);
    want_events(views);
}

/* Where tunnels may be asked for; `listeners` has CONFIG_LISTENERS_MAX of room. */
static size_t read_listeners(const struct worker_views *views, struct ip_endpoint *listeners)
{
    const struct snapshot *snapshot = look_at(views).snapshot;
    size_t count = 0;

    for (size_t i = 0; snapshot != NULL && i < snapshot->listener_count; i++)
        if (!snapshot->listeners[i].is_admin)
            listeners[count++] = snapshot->listeners[i].bound;
    return count;
}

static char *print_history(void *self, size_t *ret_length)
{
    struct worker_views *views = self;
    struct ip_endpoint listeners[CONFIG_LISTENERS_MAX];
    size_t count = read_listeners(views, listeners);
    struct stats stats;

    take_events(&views->more_events);
    read_stats(views, &stats);
    if (views->is_dozing)
        history_repeat(views->history, clock_wall_ms());
    return history_print(views->history, &stats, listeners, count, ret_length);
}

static char *print_toplists(void *self, size_t *ret_length)
{
    struct worker_views *views = self;
    struct stats stats;

    read_stats(views, &stats);
    take_talkers(views, &stats);
    return toplists_print(views->toplists, loop_now_ms(views->loop), ret_length);
}

/* -- figures */

/* As many as descriptors are there for, or as the configuration allows. */
static uint64_t tunnels_max(const struct worker_look *look)
{
    uint64_t room = room_limit(look->room);
    uint64_t set = look->snapshot != NULL ? look->snapshot->config->values.tunnels_max : 0;

    return set > 0 && set < room ? set : room;
}

static void read_stats(void *self, struct stats *ret_stats)
{
    const struct worker_look look = look_at(self);

    *ret_stats = (struct stats){
        .workers = look.thread_count,
        .state = look.state,
        .uptime_s = (clock_monotonic_ms() - look.adit_started_ms) / 1000,
        .worker_restarts = look.restarts,
        .log_dropped = log_dropped(look.log),
        .reload = look.reload,
        .tunnels_max = tunnels_max(&look),
        .meter = look.meter,
        .rules = look.rules,
    };
    for (unsigned i = 0; i < look.thread_count; i++) {
        const struct counters *counters = worker_thread_counters(look.threads[i]);

        stats_add(ret_stats, counters);
        ret_stats->events_dropped += event_feed_dropped(worker_thread_events(look.threads[i]));
    }
    /* Hashes are computed by threads that carry no tunnels. */
    ret_stats->counters[COUNTER_AUTH_HASHES] +=
        counter_read(auth_counters(look.auth), COUNTER_AUTH_HASHES);
    ret_stats->counters[COUNTER_AUTH_FAILURES] += counter_read(look.admin, COUNTER_AUTH_FAILURES);
}

/* -- a question */

static int explain(void *self, struct explain_request *request, const char **ret_problem)
{
    struct worker_views *views = self;
    const struct worker_look look = look_at(views);

    if (look.thread_count == 0)
        return -EBUSY;
    return worker_explain_start(views->explain, request, look.snapshot, look.files, ret_problem);
}

static void cancel_explain(void *self, struct explain_request *request)
{
    struct worker_views *views = self;

    worker_explain_cancel(views->explain, request);
}

/* -- life */

static const struct views_ops ops = {
    .ask_tunnels = ask_tunnels,
    .cancel_tunnels = cancel_tunnels,
    .read_stats = read_stats,
    .explain = explain,
    .cancel_explain = cancel_explain,
    .print_history = print_history,
    .print_toplists = print_toplists,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
};

int worker_views_create(struct loop *loop, void (*look)(void *self, struct worker_look *ret_look),
                        void *self, struct worker_views **ret_views)
{
    struct worker_views *views = calloc(1, sizeof(*views));

    if (views == NULL)
        return -ENOMEM;
    int error = history_create(&views->history);
    if (error == 0)
        error = toplists_create(&views->toplists);
    if (error == 0)
        error = event_feed_init(&views->own_events, own_events_wake, views);
    if (error == 0)
        error = worker_explain_create(loop, &views->explain);
    if (error < 0) {
        event_feed_finish(&views->own_events);
        history_destroy(views->history);
        toplists_destroy(views->toplists);
        free(views);
        return error;
    }
    views->loop = loop;
    views->look = look;
    views->self = self;
    views->views = (struct views){.ops = &ops, .self = views};
    list_init(&views->waiting);
    list_init(&views->asking);
    list_init(&views->subscribers);
    task_init(&views->begin, begin_round);
    task_init(&views->more_events, take_events);
    deadline_init(&views->second, second_passed);
    *ret_views = views;
    return 0;
}

void worker_views_destroy(struct worker_views *views)
{
    if (views == NULL)
        return;
    task_cancel(&views->begin);
    task_cancel(&views->more_events);
    deadline_cancel(views->loop, &views->second);
    event_feed_finish(&views->own_events);
    history_destroy(views->history);
    toplists_destroy(views->toplists);
    worker_explain_destroy(views->explain);
    free(views);
}

const struct views *worker_views_ops(struct worker_views *views)
{
    return &views->views;
}
