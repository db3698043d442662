/* The inside of struct auth, and the passwords that it has to hash: who asks for them and whose
 * turn it is. Only auth.c calls this, and always with the lock held. */
#ifndef ACCESS_AUTH_JOBS_H
#define ACCESS_AUTH_JOBS_H

#include "access/auth.h"
#include "access/auth_hash.h"
#include "access/auth_memory.h"
#include "access/auth_pace.h"
#include "base/fair_line.h"
#include "observe/counters.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { AUTH_HELPERS = 2, AUTH_JOB_BUCKETS = 1024 };

/* A client that waits for a job, with all its checks that ask for the same credentials. */
struct auth_asker {
    struct list link; /* job->askers */
    struct auth_job *job;
    struct fair_place place; /* waiting; out when it is some asker's turn */
    struct list checks;
    struct ip_address client;
};

struct auth_job {
    struct hash_link link;
    struct fair_place place; /* at work */
    struct list ready_link;
    struct list askers; /* none is there twice */
    uint8_t digest[AUTH_DIGEST_SIZE];
    struct auth_users *users;
    const char *hash; /* in `users` */
    bool is_user_known;
    bool is_taken; /* by a helper */
    uint64_t began_ms;
    char password[BASIC_PASSWORD_MAX + 1];
};

struct auth {
    uint8_t key[AUTH_DIGEST_SIZE];
    struct hash_seed seed;
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    bool is_ending;
    struct fair_line line;
    struct list ready;
    unsigned waiting_count; /* jobs that no helper has taken yet */
    struct hash_table jobs;
    struct hash_link *buckets[AUTH_JOB_BUCKETS];
    struct auth_memory successes;
    struct auth_memory failures;
    struct fair_line held;
    struct counters counters;
    struct auth_hasher *hashers[AUTH_HELPERS];
    pthread_t helpers[AUTH_HELPERS];
    unsigned hasher_count; /* taken by helpers */
    unsigned helper_count; /* running */
};

/* Returns the job for these credentials, or NULL. */
struct auth_job *auth_job_find(struct auth *auth, const uint8_t digest[AUTH_DIGEST_SIZE]);
/* Returns a new job, of which the caller sets users, hash, is_user_known and password before it
 * lets go of the lock; or NULL when there are too many or there is no memory. */
struct auth_job *auth_job_add(struct auth *auth, const uint8_t digest[AUTH_DIGEST_SIZE]);
/* Frees a job that no helper has taken and no client asks for any more. */
void auth_job_drop(struct auth *auth, struct auth_job *job);
/* Tells every check that waits for the job, and frees it. By the time they are told, the password
 * is wiped. */
void auth_job_finish(struct auth *auth, struct auth_job *job, enum auth_result result);

/* Returns the client's asker for this job, and makes it when it does not exist yet. Returns NULL
 * when the client's line is full or there is no memory. */
struct auth_asker *auth_asker_find(struct auth *auth, struct auth_job *job,
                                   const struct ip_address *client);
/* Frees an asker that has no waiting check any more. */
void auth_asker_drop(struct auth *auth, struct auth_asker *asker);
/* Tells all checks of the asker, and frees it. A wrong password counts as one guess of the client;
 * the further checks count as the same guess made again. The guess counts also when no check waits
 * for its answer any more. */
void auth_asker_finish(struct auth *auth, struct auth_asker *asker, enum auth_result result);

/* Returns for how long a wrong answer is held back. */
uint64_t auth_hold_ms(struct auth_users *users);

#endif
