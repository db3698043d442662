/* A job is one pair of credentials to be hashed, with the clients that ask for it, each with the
 * checks that wait for it. It stands in `jobs` (by digest, so that equal credentials share one job)
 * until it is done. It waits in the line of each of its clients (base/fair_line.h), then, when the
 * turn of one has come, in `ready` until a helper takes it. A job is dropped when no check waits
 * for it any more. But once it runs, it runs to its end and counts for all clients that asked;
 * otherwise a client could guess for free by hanging up early.
 */
#include "access/auth_jobs.h"

#include "base/client_key.h"
#include "system/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_MAX = 8192 };

static void auth_job_free(struct auth_job *job)
{
    auth_users_release(job->users);
    explicit_bzero(job, sizeof(*job));
    free(job);
}

struct auth_job *auth_job_find(struct auth *auth, const uint8_t digest[AUTH_DIGEST_SIZE])
{
    uint64_t hash = hash_bytes(&auth->seed, digest, AUTH_DIGEST_SIZE);
    struct hash_link *link = hash_table_first(&auth->jobs, hash);

    for (; link != NULL; link = hash_table_next(link)) {
        struct auth_job *job = container_of(link, struct auth_job, link);

        if (memcmp(job->digest, digest, AUTH_DIGEST_SIZE) == 0)
            return job;
    }
    return NULL;
}

struct auth_job *auth_job_add(struct auth *auth, const uint8_t digest[AUTH_DIGEST_SIZE])
{
    if (auth->waiting_count >= QUEUE_MAX)
        return NULL;
    struct auth_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return NULL;
    list_init(&job->ready_link);
    list_init(&job->askers);
    memcpy(job->digest, digest, AUTH_DIGEST_SIZE);
    hash_table_insert(&auth->jobs, &job->link, hash_bytes(&auth->seed, digest, AUTH_DIGEST_SIZE));
    auth->waiting_count++;
    return job;
}

/* The asker's turn has come, and with it the job's, so the job's other askers leave their lines. */
static void auth_asker_begin(struct auth *auth, struct auth_asker *asker)
{
    struct auth_job *job = asker->job;

    fair_place_move(&job->place, &asker->place);
    for (struct list *link = job->askers.next; link != &job->askers; link = link->next)
        fair_line_leave(&auth->line, &container_of(link, struct auth_asker, link)->place);
    list_append(&auth->ready, &job->ready_link);
    pthread_cond_signal(&auth->has_work);
}

static struct auth_asker *auth_asker_add(struct auth *auth, struct auth_job *job,
                                         const struct ip_address *client)
{
    struct client_key key = client_key_of(client);
    bool is_at_work = !fair_place_is_out(&job->place);
    struct auth_asker *asker = calloc(1, sizeof(*asker));

    if (asker == NULL)
        return NULL;
    int result = is_at_work ? -EINPROGRESS : fair_line_enter(&auth->line, &asker->place, &key);
    if (result < 0 && result != -EINPROGRESS) {
        free(asker);
        return NULL;
    }
    asker->job = job;
    asker->client = *client;
    list_init(&asker->checks);
    list_append(&job->askers, &asker->link);
    if (result == 0)
        auth_asker_begin(auth, asker);
    return asker;
}

struct auth_asker *auth_asker_find(struct auth *auth, struct auth_job *job,
                                   const struct ip_address *client)
{
    struct client_key key = client_key_of(client);

    for (struct list *link = job->askers.next; link != &job->askers; link = link->next) {
        struct auth_asker *asker = container_of(link, struct auth_asker, link);
        struct client_key its_key = client_key_of(&asker->client);

        if (client_key_equals(&key, &its_key))
            return asker;
    }
    return auth_asker_add(auth, job, client);
}

void auth_asker_drop(struct auth *auth, struct auth_asker *asker)
{
    fair_line_leave(&auth->line, &asker->place);
    list_remove(&asker->link);
    free(asker);
}

/* Contract: no helper works on the job, or it has finished. */
static void auth_job_leave_line(struct auth *auth, struct auth_job *job)
{
    struct fair_place *place;

    fair_line_leave(&auth->line, &job->place);
    while ((place = fair_line_next(&auth->line)) != NULL)
        auth_asker_begin(auth, container_of(place, struct auth_asker, place));
}

void auth_job_drop(struct auth *auth, struct auth_job *job)
{
    list_remove(&job->ready_link);
    auth->waiting_count--;
    auth_job_leave_line(auth, job);
    hash_table_remove(&auth->jobs, &job->link);
    auth_job_free(job);
}

uint64_t auth_hold_ms(struct auth_users *users)
{
    const struct auth_pace *pace = auth_users_pace(users);

    return pace != NULL ? auth_pace_hold_ms(pace) : 0;
}

/* Returns until when the answer is held back, counted from when hashing began or from when the
 * check came, whichever is later: a client that asks while another one's hash runs must not learn
 * when that ends. */
static uint64_t auth_due_ms(const struct auth_job *job, const struct auth_check *check)
{
    uint64_t since_ms = check->asked_ms > job->began_ms ? check->asked_ms : job->began_ms;

    return since_ms + auth_hold_ms(job->users);
}

void auth_asker_finish(struct auth *auth, struct auth_asker *asker, enum auth_result result)
{
    const struct auth_job *job = asker->job;
    uint64_t told_ms = job->began_ms + auth_hold_ms(job->users);
    bool is_wrong = result == AUTH_WRONG;

    while (!list_is_empty(&asker->checks)) {
        struct auth_check *check = container_of(asker->checks.next, struct auth_check, link);

        list_remove(&check->link);
        check->asker = NULL;
        check->result = (uint8_t)result;
        if (is_wrong) {
            told_ms = check->due_ms = auth_due_ms(job, check);
            result = AUTH_WRONG_AGAIN;
        }
        letter_post(check->loop, &check->letter);
    }
    if (is_wrong)
        auth_failure_add(&auth->failures, &asker->client, job->digest, clock_monotonic_ms(),
                         told_ms);
    auth_asker_drop(auth, asker);
}

void auth_job_finish(struct auth *auth, struct auth_job *job, enum auth_result result)
{
    explicit_bzero(job->password, sizeof(job->password));
    auth_job_leave_line(auth, job);
    hash_table_remove(&auth->jobs, &job->link);
    if (result == AUTH_GRANTED)
        auth_success_add(&auth->successes, job->digest, clock_monotonic_ms());
    for (struct list *link = job->askers.next; link != &job->askers;) {
        struct auth_asker *asker = container_of(link, struct auth_asker, link);

        link = link->next; /* it is freed */
        auth_asker_finish(auth, asker, result);
    }
    auth_job_free(job);
}
