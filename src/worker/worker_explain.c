/* Answers questions to `explain` on the worker's main thread, with a resolver of its own.
 *
 * The answer is delivered in a later turn of the loop, so the asker's callback never runs inside
 * the call that asked. A lookup has `resolver timeout`, as in tunnels. A second after that, the
 * question ends with what is known so far. This is needed when a reload has shortened the timeout:
 * a lookup of the same name for an earlier question still has the longer one.
 *
 * New contents of /etc/hosts and /etc/resolv.conf are given to the resolver when the next question
 * comes, and not when they change, since most adits are never asked.
 */
#include "worker/worker_explain.h"

#include "loop/loop.h"
#include "process/file_text.h"
#include "process/file_watch.h"
#include "worker/explanation.h"
#include "worker/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPLAINS_MAX = 4, GRACE_MS = 1000 };

struct worker_explain {
    struct loop *loop;
    struct resolver *resolver;
    struct file_text *files[WATCHED_FILE_COUNT]; /* what the resolver uses; references */
    unsigned count;
};

struct work {
    struct worker_explain *explain;
    struct explain_request *request;
    struct explanation explanation;
    struct question question;
    char words[QUESTION_FIELD_COUNT][QUESTION_WORD_MAX + 1];
    struct snapshot *snapshot;
    enum explanation_outcome outcome;
    struct deadline patience;
    struct task deliver;
    struct garbage garbage;
    FILE *out;
    char *text;
    size_t length;
};

static void work_free(struct garbage *garbage)
{
    struct work *work = container_of(garbage, struct work, garbage);

    free(work->text);
    free(work);
}

static void end_work(struct work *work)
{
    struct worker_explain *explain = work->explain;

    work->request->work = NULL;
    explanation_cancel(&work->explanation);
    deadline_cancel(explain->loop, &work->patience);
    task_cancel(&work->deliver);
    if (work->out != NULL)
        fclose(work->out);
    work->out = NULL;
    snapshot_release(work->snapshot);
    explain->count--;
    loop_free_later(explain->loop, &work->garbage, work_free);
}

static void deliver(struct task *task)
{
    struct work *work = container_of(task, struct work, deliver);
    struct explain_request *request = work->request;
    bool is_good = !ferror(work->out);

    is_good &= fclose(work->out) == 0;
    work->out = NULL;
    const struct explain_answer answer = {
        .verdict = explanation_outcome_name(work->outcome),
        .exit_status = explanation_exit_status(work->outcome),
        .text = is_good ? work->text : "",
        .length = is_good ? work->length : 0,
    };

    end_work(work);
    request->answered(request, &answer);
}

static void work_ended(struct explanation *explanation, enum explanation_outcome outcome)
{
    struct work *work = container_of(explanation, struct work, explanation);

    work->outcome = outcome;
    deadline_cancel(work->explain->loop, &work->patience);
    task_post(work->explain->loop, &work->deliver);
}

static void explain_patience_passed(struct deadline *deadline)
{
    struct work *work = container_of(deadline, struct work, patience);

    explanation_end_lookup(&work->explanation);
}

/* -- the question */

static int explain_read_question(const struct explain_request *request, struct work *work,
                                 const char **ret_problem)
{
    question_init(&work->question);
    if (request->words[QUESTION_TARGET] == NULL) {
        *ret_problem = "the target is missing; write HOST:PORT";
        return -EINVAL;
    }
    for (size_t i = 0; i < QUESTION_FIELD_COUNT; i++) {
        const char *word = request->words[i];

        if (word == NULL)
            continue;
        if (snprintf(work->words[i], sizeof(work->words[i]), "%s", word) > QUESTION_WORD_MAX) {
            *ret_problem = "a word of the question is too long";
            return -EINVAL;
        }
        int error =
            question_set(&work->question, (enum question_field)i, work->words[i], ret_problem);
        if (error < 0)
            return error;
    }
    return 0;
}

/* -- names */

static void use_hosts(struct worker_explain *explain, struct file_text *text)
{
    struct file_text *before = explain->files[WATCHED_HOSTS];

    explain->files[WATCHED_HOSTS] = file_text_hold(text);
    resolver_use_hosts(explain->resolver, text->hosts);
    file_text_release(before);
}

static void use_names(struct worker_explain *explain, const struct snapshot *snapshot,
                      struct file_text *const *files)
{
    use_hosts(explain, files[WATCHED_HOSTS]);
    snapshot_use_servers(snapshot, explain->resolver, files[WATCHED_RESOLV_CONF]);
    resolver_set_timeout(explain->resolver, snapshot->config->values.dns_timeout_ms);
}

/* -- life */

static int start_work(struct work *work)
{
    struct worker_explain *explain = work->explain;

    work->out = open_memstream(&work->text, &work->length);
    if (work->out == NULL)
        return -ENOMEM;
    explain->count++;
    snapshot_hold(work->snapshot);
    deadline_init(&work->patience, explain_patience_passed);
    task_init(&work->deliver, deliver);
    deadline_set(explain->loop, &work->patience,
                 loop_now_ms(explain->loop) + GRACE_MS +
                     work->snapshot->config->values.dns_timeout_ms);
    explanation_start(&work->explanation, &work->question, work->snapshot, true, explain->resolver,
                      work->out, work_ended);
    return 0;
}

int worker_explain_start(struct worker_explain *explain, struct explain_request *request,
                         struct snapshot *snapshot, struct file_text *const *files,
                         const char **ret_problem)
{
    if (explain->count == EXPLAINS_MAX)
        return -EBUSY;
    struct work *work = calloc(1, sizeof(*work));
    if (work == NULL)
        return -ENOMEM;
    work->explain = explain;
    work->request = request;
    work->snapshot = snapshot;
    int error = explain_read_question(request, work, ret_problem);
    if (error == 0) {
        use_names(explain, snapshot, files);
        error = start_work(work);
    }
    if (error < 0)
        free(work);
    else
        request->work = work;
    return error;
}

void worker_explain_cancel(struct worker_explain *explain, struct explain_request *request)
{
    (void)explain;
    if (request->work != NULL)
        end_work(request->work);
}

int worker_explain_create(struct loop *loop, struct worker_explain **ret_explain)
{
    struct worker_explain *explain = calloc(1, sizeof(*explain));

    if (explain == NULL)
        return -ENOMEM;
    explain->loop = loop;
    int error = resolver_create(loop, GRACE_MS, NULL, &explain->resolver); /* see use_names */
    if (error < 0) {
        free(explain);
        return error;
    }
    *ret_explain = explain;
    return 0;
}

void worker_explain_destroy(struct worker_explain *explain)
{
    if (explain == NULL)
        return;
    REQUIRE(explain->count == 0);
    resolver_destroy(explain->resolver);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(explain->files[i]);
    free(explain);
}
