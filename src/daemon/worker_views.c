/* Questions about tunnels go round by round: every thread is asked the same, and when the last has
 * answered, so is whoever asked. Who asks for the same list while a round goes on shares the next
 * one, so that many who look cost the threads no more than one does. Each kill has a round of its
 * own, since each is to know what it did.
 *
 * Figures are read at once: they are atomic, and every thread writes its own.
 */
#include "daemon/worker_views.h"

#include "config/settings.h"
#include "daemon/worker_thread.h"
#include "loop/clock.h"
#include "loop/loop.h"
#include "observe/log.h"
#include "tunnel/auth.h"

#include <errno.h>
#include <stdlib.h>

struct worker_views {
    struct views views;
    struct loop *loop;
    void (*look)(void *self, struct worker_look *ret_look);
    void *self;
    struct list waiting; /* tunnels_query: for a round to begin */
    struct list asking;  /* those that this round answers; may be empty */
    struct task begin;
    unsigned awaited_count; /* threads; 0: no round goes on */
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

/* -- figures */

static void read_stats(void *self, struct stats *ret_stats)
{
    const struct worker_look look = look_at(self);

    *ret_stats = (struct stats){
        .workers = look.thread_count,
        .state = look.state,
        .uptime_s = (clock_monotonic_ms() - look.adit_started_ms) / 1000,
        .worker_restarts = look.restarts,
        .log_dropped = log_dropped(look.log),
    };
    for (unsigned i = 0; i < look.thread_count; i++) {
        const struct counters *counters = worker_thread_counters(look.threads[i]);
        struct resolver_counters dns;

        for (size_t row = 0; row < COUNTER_COUNT; row++)
            ret_stats->counters[row] += counter_read(counters, (enum counter)row);
        worker_thread_dns_counters(look.threads[i], &dns);
        ret_stats->dns_cache_hits += dns.cache_hits;
        ret_stats->dns_cache_misses += dns.cache_misses;
        ret_stats->dns_questions += dns.questions;
    }
    /* Hashes are computed by threads that carry no tunnels. */
    ret_stats->counters[COUNTER_AUTH_HASHES] +=
        counter_read(auth_counters(look.auth), COUNTER_AUTH_HASHES);
}

/* -- life */

static const struct views_ops ops = {
    .ask_tunnels = ask_tunnels,
    .cancel_tunnels = cancel_tunnels,
    .read_stats = read_stats,
};

int worker_views_create(struct loop *loop, void (*look)(void *self, struct worker_look *ret_look),
                        void *self, struct worker_views **ret_views)
{
    struct worker_views *views = calloc(1, sizeof(*views));

    if (views == NULL)
        return -ENOMEM;
    *views = (struct worker_views){.loop = loop, .look = look, .self = self};
    views->views = (struct views){.ops = &ops, .self = views};
    list_init(&views->waiting);
    list_init(&views->asking);
    task_init(&views->begin, begin_round);
    *ret_views = views;
    return 0;
}

void worker_views_destroy(struct worker_views *views)
{
    if (views == NULL)
        return;
    task_cancel(&views->begin);
    free(views);
}

const struct views *worker_views_ops(struct worker_views *views)
{
    return &views->views;
}
