/* Queries about tunnels are answered in rounds, one round at a time: every thread gets the same
 * order, and when the last thread has answered, the query is answered. Queries for the same list
 * that come during a round share the next one, so many observers cost the threads no more than one
 * does. Each kill has a round of its own, since its answer is the number of tunnels that it ended.
 */
#include "worker/worker_tunnels.h"

#include "worker/worker_private.h"

#include <errno.h>
#include <stdlib.h>

struct worker_tunnels {
    struct worker *worker;
    struct list waiting; /* tunnels_query; no round has begun for them yet */
    struct list asking;  /* those that this round answers; empty when all of them were cancelled */
    struct task begin;
    struct round round;
    struct order_answer
        answers[COMMAND_LINE_WORKERS_MAX]; /* of the round; zero for a thread that has ended */
};

static void tunnels_answer_round(struct worker_tunnels *tunnels,
                                 const struct tunnels_answer *answer)
{
    while (!list_is_empty(&tunnels->asking)) {
        struct tunnels_query *query =
            container_of(tunnels->asking.next, struct tunnels_query, link);

        list_remove(&query->link);
        query->is_asked = false;
        query->answered(query, answer);
    }
}

static void tunnels_answered_by(struct round *round, unsigned index, struct order_answer *answer)
{
    struct worker_tunnels *tunnels = container_of(round, struct worker_tunnels, round);

    tunnels->answers[index] = *answer;
    answer->lines = NULL;
}

static void tunnels_release_answers(struct worker_tunnels *tunnels)
{
    for (unsigned i = 0; i < tunnels->worker->thread_count; i++) {
        order_answer_release(&tunnels->answers[i]);
        tunnels->answers[i] = (struct order_answer){.lines = NULL};
    }
}

static void tunnels_end_round(struct round *round)
{
    struct worker_tunnels *tunnels = container_of(round, struct worker_tunnels, round);
    char *parts[COMMAND_LINE_WORKERS_MAX];
    size_t lengths[COMMAND_LINE_WORKERS_MAX];
    struct tunnels_answer answer = {.parts = parts, .lengths = lengths, .is_complete = true};

    for (unsigned i = 0; i < tunnels->worker->thread_count; i++) {
        const struct order_answer *part = &tunnels->answers[i];

        answer.tunnel_count += part->tunnel_count;
        answer.is_complete &= part->error == 0;
        parts[answer.part_count] = part->lines;
        lengths[answer.part_count] = part->length;
        answer.part_count += part->lines != NULL;
    }
    tunnels_answer_round(tunnels, &answer);
    tunnels_release_answers(tunnels);
    task_post(tunnels->worker->loop, &tunnels->begin);
}

static struct tunnels_query *tunnels_first_of(const struct list *queries)
{
    return container_of(queries->next, struct tunnels_query, link);
}

/* Moves the query that has waited longest to `asking`, and with it those that want the same. */
static void tunnels_gather(struct worker_tunnels *tunnels)
{
    const struct tunnels_query *first = tunnels_first_of(&tunnels->waiting);

    for (struct list *link = tunnels->waiting.next; link != &tunnels->waiting;) {
        struct tunnels_query *query = container_of(link, struct tunnels_query, link);

        link = link->next;
        if (query != first && (first->is_kill || query->is_kill ||
                               !tunnel_filter_equals(&first->filter, &query->filter)))
            continue;
        list_remove(&query->link);
        list_append(&tunnels->asking, &query->link);
    }
}

static void tunnels_begin_round(struct task *task)
{
    struct worker_tunnels *tunnels = container_of(task, struct worker_tunnels, begin);

    if (round_is_under_way(&tunnels->round) || list_is_empty(&tunnels->waiting))
        return;
    tunnels_gather(tunnels);
    const struct tunnels_query *query = tunnels_first_of(&tunnels->asking);
    const struct order order = {.kind = query->is_kill ? ORDER_KILL : ORDER_LIST,
                                .filter = query->filter};
    worker_order_all(tunnels->worker, &order, &tunnels->round);
}

void worker_tunnels_ask(void *self, struct tunnels_query *query)
{
    struct worker *worker = self;
    struct worker_tunnels *tunnels = worker->tunnels;

    REQUIRE(!query->is_asked);
    query->is_asked = true;
    list_append(&tunnels->waiting, &query->link);
    task_post(tunnels->worker->loop, &tunnels->begin);
}

void worker_tunnels_cancel(void *self, struct tunnels_query *query)
{
    (void)self;
    if (!query->is_asked)
        return;
    query->is_asked = false;
    list_remove(&query->link);
}

int worker_tunnels_create(struct worker *worker, struct worker_tunnels **ret_tunnels)
{
    static const struct round_handlers handlers = {.answered = tunnels_answered_by,
                                                   .completed = tunnels_end_round};
    struct worker_tunnels *tunnels = calloc(1, sizeof(*tunnels));

    if (tunnels == NULL)
        return -ENOMEM;
    tunnels->worker = worker;
    round_init(&tunnels->round, &handlers);
    list_init(&tunnels->waiting);
    list_init(&tunnels->asking);
    task_init(&tunnels->begin, tunnels_begin_round);
    *ret_tunnels = tunnels;
    return 0;
}

void worker_tunnels_destroy(struct worker_tunnels *tunnels)
{
    if (tunnels == NULL)
        return;
    task_cancel(&tunnels->begin);
    tunnels_release_answers(tunnels);
    free(tunnels);
}
