/* Here are both ends of a hash: the helpers, which take jobs (auth_jobs.c) and hash, and the loops'
 * side, which answers at once or makes a check wait for a job. One lock protects all of it; it is
 * never held while hashing. As with the dial gate, the surprise is the time between the posting of
 * a letter and its delivery: a check that is cancelled in that time takes the letter back.
 *
 * The throttle is asked twice: when a check comes, and again when a helper takes its job, because a
 * client may have put many guesses into the queue before the first of them failed. A job that a
 * throttled client asked for is still hashed for its other clients.
 */
#include "access/auth.h"

#include "access/auth_hash.h"
#include "access/auth_jobs.h"
#include "access/auth_memory.h"
#include "access/auth_pace.h"
#include "base/client_key.h"
#include "base/fair_line.h"
#include "observe/counters.h"
#include "system/clock.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* One more than there are helpers: a client that is alone can use both of them, and a new client is
 * next even if a thousand passwords of another client wait. */
static const struct fair_limits auth_line_limits = {
    .total = AUTH_HELPERS + 1, .per_client = AUTH_HELPERS, .waiting_per_client = 256};

/* Bounds the answers that are held back although their clients know what they will be. A check that
 * finds no place does not wait for one. */
static const struct fair_limits held_limits = {.total = UINT32_MAX, .per_client = 16};

const struct counters *auth_counters(const struct auth *auth)
{
    return &auth->counters;
}

/* ---- the helpers ---- */

/* Measures how long the costliest hash takes with the longest password. */
static uint64_t measure_us(const struct auth_job *job, struct auth_hasher *hasher)
{
    char password[BASIC_PASSWORD_MAX + 1];
    uint64_t began_us = clock_monotonic_us();

    memset(password, 'x', BASIC_PASSWORD_MAX);
    password[BASIC_PASSWORD_MAX] = '\0';
    bool is_ignored = auth_hash_is_of(hasher, auth_users_costliest(job->users), password);
    (void)is_ignored;
    return clock_monotonic_us() - began_us;
}

static bool asker_is_throttled(struct auth *auth, const struct auth_asker *asker, uint64_t at_ms)
{
    return auth_failures_are_many(&auth->failures, &asker->client, at_ms);
}

/* Tells those clients that failed too often since they asked. Returns false when all of them did;
 * then none is told yet.
 */
static bool job_turn_away(struct auth *auth, struct auth_job *job, uint64_t at_ms)
{
    bool is_wanted = false;
    struct list *link;

    for (link = job->askers.next; link != &job->askers && !is_wanted; link = link->next)
        is_wanted = !asker_is_throttled(auth, container_of(link, struct auth_asker, link), at_ms);
    for (link = job->askers.next; link != &job->askers && is_wanted;) {
        struct auth_asker *asker = container_of(link, struct auth_asker, link);

        link = link->next;
        if (asker_is_throttled(auth, asker, at_ms))
            auth_asker_finish(auth, asker, AUTH_THROTTLED);
    }
    return is_wanted;
}

/* Hashes the job's password. Contract: the lock is held; it is given up while hashing. Whether to
 * measure does not depend on what the job asks, otherwise the time would tell something about it.
 */
static enum auth_result job_run(struct auth *auth, struct auth_job *job, struct auth_hasher *hasher)
{
    struct auth_pace *pace = auth_users_pace(job->users);
    uint64_t at_ms = clock_monotonic_ms();
    bool is_measured = pace != NULL && auth_pace_is_stale(pace, at_ms);

    if (!job_turn_away(auth, job, at_ms))
        return AUTH_THROTTLED;
    counter_add(&auth->counters, COUNTER_AUTH_HASHES, 1);
    pthread_mutex_unlock(&auth->lock);
    uint64_t measured_us = is_measured ? measure_us(job, hasher) : 0;
    uint64_t began_us = clock_monotonic_us();
    bool is_right = auth_hash_is_of(hasher, job->hash, job->password);
    uint64_t took_us = clock_monotonic_us() - began_us;
    pthread_mutex_lock(&auth->lock);
    job->began_ms = began_us / 1000;
    if (is_measured)
        auth_pace_measured(pace, measured_us, job->began_ms);
    if (pace != NULL)
        auth_pace_note(pace, took_us);
    return is_right && job->is_user_known ? AUTH_GRANTED : AUTH_WRONG;
}

static void *help(void *self)
{
    struct auth *auth = self;

    pthread_setname_np(pthread_self(), "adit-auth");
    pthread_mutex_lock(&auth->lock);
    struct auth_hasher *hasher = auth->hashers[auth->hasher_count++];
    while (!auth->is_ending) {
        if (list_is_empty(&auth->ready)) {
            pthread_cond_wait(&auth->has_work, &auth->lock);
            continue;
        }
        struct auth_job *job = container_of(auth->ready.next, struct auth_job, ready_link);

        list_remove(&job->ready_link);
        auth->waiting_count--;
        job->is_taken = true;
        auth_job_finish(auth, job, job_run(auth, job, hasher));
    }
    pthread_mutex_unlock(&auth->lock);
    return NULL;
}

/* Blocks signals in the helpers, because the main thread handles them. */
static int start_helpers(struct auth *auth)
{
    sigset_t all;
    sigset_t before;
    int error = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (error == 0 && auth->helper_count < AUTH_HELPERS) {
        error = pthread_create(&auth->helpers[auth->helper_count], NULL, help, auth);
        if (error == 0)
            auth->helper_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static int create_parts(struct auth *auth)
{
    for (unsigned i = 0; i < AUTH_HELPERS; i++) {
        auth->hashers[i] = auth_hasher_create();
        if (auth->hashers[i] == NULL)
            return -ENOMEM;
    }
    return start_helpers(auth);
}

int auth_create(struct auth **ret_auth)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    if (auth == NULL)
        return -ENOMEM;
    if (getrandom(auth->key, sizeof(auth->key), 0) != (ssize_t)sizeof(auth->key) ||
        getrandom(&auth->seed, sizeof(auth->seed), 0) != (ssize_t)sizeof(auth->seed)) {
        free(auth);
        return -EIO;
    }
    pthread_mutex_init(&auth->lock, NULL);
    pthread_cond_init(&auth->has_work, NULL);
    list_init(&auth->ready);
    fair_line_init(&auth->line, &auth_line_limits, &auth->seed);
    fair_line_init(&auth->held, &held_limits, &auth->seed);
    hash_table_init(&auth->jobs, auth->buckets, AUTH_JOB_BUCKETS);
    auth_memory_init(&auth->successes, &auth->seed);
    auth_memory_init(&auth->failures, &auth->seed);
    int error = create_parts(auth);
    if (error < 0) {
        auth_destroy(auth);
        return error;
    }
    *ret_auth = auth;
    return 0;
}

void auth_destroy(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    auth->is_ending = true;
    pthread_cond_broadcast(&auth->has_work);
    pthread_mutex_unlock(&auth->lock);
    for (unsigned i = 0; i < auth->helper_count; i++)
        pthread_join(auth->helpers[i], NULL);
    REQUIRE(list_is_empty(&auth->ready));
    fair_line_finish(&auth->line);
    fair_line_finish(&auth->held);
    for (unsigned i = 0; i < AUTH_HELPERS; i++)
        auth_hasher_destroy(auth->hashers[i]);
    auth_memory_finish(&auth->successes);
    auth_memory_finish(&auth->failures);
    pthread_cond_destroy(&auth->has_work);
    pthread_mutex_destroy(&auth->lock);
    explicit_bzero(auth, sizeof(*auth));
    free(auth);
}

/* ---- the loops' side ---- */

enum { HASH_TEXT_MAX = 256 };

/* Makes the digest of whether the user is known, then user NUL password NUL hash. None of these has
 * a NUL inside, so different credentials never make the same text. */
static bool make_digest(const struct auth *auth, const struct basic_credentials *credentials,
                        const char *hash, bool is_user_known, uint8_t ret_digest[AUTH_DIGEST_SIZE])
{
    uint8_t message[1 + sizeof(credentials->user) + sizeof(credentials->password) + HASH_TEXT_MAX];
    uint8_t *end = message;
    size_t hash_length = strlen(hash);

    if (hash_length > HASH_TEXT_MAX)
        return false;
    *end++ = is_user_known;
    end = (uint8_t *)mempcpy(end, credentials->user, credentials->user_length + 1);
    end = (uint8_t *)mempcpy(end, credentials->password, credentials->password_length + 1);
    end = (uint8_t *)mempcpy(end, hash, hash_length);
    bool is_made = HMAC(EVP_sha256(), auth->key, sizeof(auth->key), message,
                        (size_t)(end - message), ret_digest, NULL) != NULL;
    explicit_bzero(message, sizeof(message));
    return is_made;
}

static void auth_check_tell(struct auth_check *check)
{
    check->auth = NULL;
    check->on_checked(check);
}

static void was_held_back(struct deadline *deadline)
{
    struct auth_check *check = container_of(deadline, struct auth_check, deadline);
    struct auth *auth = check->auth;

    pthread_mutex_lock(&auth->lock);
    fair_line_leave(&auth->held, &check->held);
    pthread_mutex_unlock(&auth->lock);
    auth_check_tell(check);
}

static void auth_hash_checked(struct letter *letter)
{
    struct auth_check *check = container_of(letter, struct auth_check, letter);

    if (check->due_ms > loop_now_ms(check->loop))
        deadline_set(check->loop, &check->deadline, check->due_ms);
    else
        auth_check_tell(check);
}

/* Answers a guess that the client made before, as late as if it were hashed. Each answer that is
 * held back costs a connection, so their number per client is bounded (held_limits), and a further
 * one is refused at once. But until the client was told all its wrong answers, even that one is
 * held back, because a quick answer would tell that the hash is done. */
static enum auth_result answer_wrong_again(struct auth *auth, struct auth_check *check,
                                           struct auth_users *users)
{
    struct client_key key = client_key_of(&check->client);
    uint64_t hold = auth_hold_ms(users);

    if (hold == 0)
        return AUTH_WRONG_AGAIN;
    if (fair_line_enter(&auth->held, &check->held, &key) < 0 &&
        auth_failures_are_told(&auth->failures, &check->client, check->asked_ms))
        return AUTH_THROTTLED;
    check->auth = auth;
    check->result = AUTH_WRONG_AGAIN;
    deadline_set(check->loop, &check->deadline, check->asked_ms + hold);
    return AUTH_PENDING;
}

/* Contract: the lock is held. */
static enum auth_result answer_or_wait(struct auth *auth, struct auth_check *check,
                                       struct auth_users *users,
                                       const uint8_t digest[AUTH_DIGEST_SIZE],
                                       struct auth_job **ret_new_job)
{
    uint64_t at_ms = check->asked_ms;

    if (auth_success_use(&auth->successes, digest, at_ms))
        return AUTH_GRANTED;
    if (auth_failures_are_many(&auth->failures, &check->client, at_ms))
        return AUTH_THROTTLED;
    if (auth_failure_is_known(&auth->failures, &check->client, digest, at_ms))
        return answer_wrong_again(auth, check, users);
    struct auth_job *job = auth_job_find(auth, digest);
    bool is_new = job == NULL;
    if (is_new)
        job = auth_job_add(auth, digest);
    if (job == NULL)
        return AUTH_BUSY;
    struct auth_asker *asker = auth_asker_find(auth, job, &check->client);
    if (asker == NULL) {
        if (is_new)
            auth_job_drop(auth, job);
        return AUTH_BUSY;
    }
    *ret_new_job = is_new ? job : NULL;
    list_append(&asker->checks, &check->link);
    check->asker = asker;
    check->auth = auth;
    return AUTH_PENDING;
}

static bool has_nul(const struct basic_credentials *credentials)
{
    return memchr(credentials->user, '\0', credentials->user_length) != NULL ||
           memchr(credentials->password, '\0', credentials->password_length) != NULL;
}

enum auth_result auth_check_start(struct auth_check *check, struct auth *auth,
                                  struct auth_users *users, struct loop *loop,
                                  const struct ip_address *client,
                                  const struct basic_credentials *credentials,
                                  void (*on_checked)(struct auth_check *))
{
    const char *known = auth_users_find(users, credentials->user, credentials->user_length);
    const char *hash = known != NULL ? known : auth_users_costliest(users);
    uint8_t digest[AUTH_DIGEST_SIZE];
    struct auth_job *job = NULL;

    *check = (struct auth_check){.loop = loop,
                                 .client = *client,
                                 .asked_ms = clock_monotonic_ms(),
                                 .on_checked = on_checked};
    letter_init(&check->letter, auth_hash_checked);
    deadline_init(&check->deadline, was_held_back);
    list_init(&check->link);
    if (hash == NULL || has_nul(credentials))
        return AUTH_WRONG;
    if (!make_digest(auth, credentials, hash, known != NULL, digest))
        return AUTH_BUSY;

    pthread_mutex_lock(&auth->lock);
    enum auth_result result = answer_or_wait(auth, check, users, digest, &job);
    if (job != NULL) {
        job->users = auth_users_hold(users);
        job->hash = hash;
        job->is_user_known = known != NULL;
        memcpy(job->password, credentials->password, credentials->password_length + 1);
    }
    pthread_mutex_unlock(&auth->lock);
    return result;
}

/* Called when all checks of the asker are gone. When a helper has taken the job already, the guess
 * still counts. */
static void asker_was_left(struct auth *auth, struct auth_asker *asker)
{
    struct auth_job *job = asker->job;

    if (job->is_taken)
        return;
    auth_asker_drop(auth, asker);
    if (list_is_empty(&job->askers))
        auth_job_drop(auth, job);
}

void auth_check_cancel(struct auth_check *check)
{
    struct auth *auth = check->auth;

    if (auth == NULL)
        return;
    pthread_mutex_lock(&auth->lock);
    struct auth_asker *asker = check->asker;

    if (asker == NULL) {
        letter_take_back(check->loop, &check->letter);
        deadline_cancel(check->loop, &check->deadline);
        fair_line_leave(&auth->held, &check->held);
    } else {
        list_remove(&check->link);
        if (list_is_empty(&asker->checks))
            asker_was_left(auth, asker);
    }
    pthread_mutex_unlock(&auth->lock);
    check->auth = NULL;
}
