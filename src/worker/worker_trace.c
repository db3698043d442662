/* While anybody traces, the threads record every step of every tunnel. The filters are applied
 * here, on the main thread, so that a thread never has to wait for a filter to change.
 */
#include "worker/worker_trace.h"

#include "admin/json.h"
#include "base/short_id.h"
#include "observe/trace.h"
#include "worker/worker_private.h"
#include "worker/worker_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct worker_trace {
    struct worker *worker;
    struct list subscribers;
    struct task more;
    uint64_t
        told_dropped; /* how many of the steps that threads have dropped the subscribers know of */
    /* The steps that were taken from a thread and are being passed to the subscribers. All that a
     * thread has recorded fits, so one taking leaves nothing behind that a new subscriber, for whom
     * it was not recorded, would get. */
    char lines[TRACE_RING_BYTES];
};

/* The parts of a step that filters look at. */
struct trace_facts {
    struct access_record record;
    char target[TRACE_LINE_MAX];
    bool is_last;
};

static void trace_read(const char *line, size_t length, struct trace_facts *ret_facts)
{
    struct json_reader reader;
    char name[16];
    char value[TRACE_LINE_MAX];
    int ignored = 0;

    *ret_facts = (struct trace_facts){.record.target = ret_facts->target};
    json_reader_init(&reader, line, length);
    while (json_next(&reader, name, sizeof(name), value, sizeof(value))) {
        if (strcmp(name, "id") == 0)
            ignored |= short_id_parse(value, strlen(value), &ret_facts->record.id);
        else if (strcmp(name, "client") == 0)
            ignored |= ip_endpoint_parse(value, strlen(value), &ret_facts->record.client);
        else if (strcmp(name, "target") == 0)
            memcpy(ret_facts->target, value, ret_facts->record.target_length = strlen(value));
        else if (strcmp(name, "what") == 0)
            ret_facts->is_last = strcmp(value, "closed") == 0;
    }
    ENSURE(ignored == 0);
}

static void trace_tell(struct worker_trace *trace, const char *line, size_t length)
{
    struct trace_facts facts;

    trace_read(line, length - 1, &facts);
    for (struct list *link = trace->subscribers.next; link != &trace->subscribers;) {
        struct trace_subscriber *subscriber = container_of(link, struct trace_subscriber, link);

        link = link->next; /* the callback may unsubscribe it */
        if (tunnel_filter_matches(&subscriber->filter, &facts.record))
            subscriber->stepped(subscriber, line, length, facts.is_last);
    }
}

/* Passes on what the thread has recorded. Returns false when there was nothing. */
static bool trace_take_from(struct worker_trace *trace, struct trace *source)
{
    size_t length = trace_take(source, trace->lines, sizeof(trace->lines));

    for (size_t at = 0; at < length;) {
        const char *line = trace->lines + at;
        const char *end = memchr(line, '\n', length - at);

        ENSURE(end != NULL);
        at += (size_t)(end + 1 - line);
        trace_tell(trace, line, (size_t)(end + 1 - line));
    }
    return length > 0;
}

static uint64_t trace_count_dropped(const struct worker_trace *trace)
{
    const struct worker *worker = trace->worker;
    uint64_t count = 0;

    for (unsigned i = 0; i < worker->thread_count; i++)
        count += trace_dropped(worker_thread_trace(worker->threads[i]));
    return count;
}

static void trace_tell_lost(struct worker_trace *trace)
{
    uint64_t dropped = trace_count_dropped(trace);
    uint64_t fresh = dropped - trace->told_dropped;

    trace->told_dropped = dropped;
    for (struct list *link = trace->subscribers.next; fresh > 0 && link != &trace->subscribers;) {
        struct trace_subscriber *subscriber = container_of(link, struct trace_subscriber, link);

        link = link->next; /* the callback may unsubscribe it */
        subscriber->lost(subscriber, fresh);
    }
}

static void trace_take_all(struct task *task)
{
    struct worker_trace *trace = container_of(task, struct worker_trace, more);
    const struct worker *worker = trace->worker;
    bool is_more = false;

    for (unsigned i = 0; i < worker->thread_count; i++)
        is_more |= trace_take_from(trace, worker_thread_trace(worker->threads[i]));
    trace_tell_lost(trace);
    if (is_more)
        task_post(worker->loop, task);
}

void worker_trace_happened(struct worker_trace *trace)
{
    if (!list_is_empty(&trace->subscribers))
        trace_take_all(&trace->more);
}

void worker_trace_watch_threads(struct worker_trace *trace)
{
    const struct worker *worker = trace->worker;
    bool is_wanted = !list_is_empty(&trace->subscribers);

    for (unsigned i = 0; i < worker->thread_count; i++)
        trace_want(worker_thread_trace(worker->threads[i]), is_wanted);
}

/* Takes all recorded steps first, so that the new subscriber gets only what happens from now on. */
void worker_trace_begin(void *self, struct trace_subscriber *subscriber)
{
    struct worker *worker = self;
    struct worker_trace *trace = worker->trace;

    trace_take_all(&trace->more);
    list_append(&trace->subscribers, &subscriber->link);
    worker_trace_watch_threads(trace);
}

void worker_trace_end(void *self, struct trace_subscriber *subscriber)
{
    struct worker *worker = self;

    list_remove(&subscriber->link);
    worker_trace_watch_threads(worker->trace);
}

int worker_trace_create(struct worker *worker, struct worker_trace **ret_trace)
{
    struct worker_trace *trace = calloc(1, sizeof(*trace));

    if (trace == NULL)
        return -ENOMEM;
    trace->worker = worker;
    list_init(&trace->subscribers);
    task_init(&trace->more, trace_take_all);
    *ret_trace = trace;
    return 0;
}

void worker_trace_destroy(struct worker_trace *trace)
{
    if (trace == NULL)
        return;
    task_cancel(&trace->more);
    free(trace);
}
