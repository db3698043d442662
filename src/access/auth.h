/* Checks a user name and a password without delaying a loop. There is one per process.
 *
 * Hashing runs in two helper threads, behind a bounded line for each client, and the clients take
 * turns; the answer comes as a letter to the loop that asked. A success is remembered for a minute
 * from its last use (keyed by an HMAC of name, password and the hash in the file: a changed file
 * forgets it). Checks that ask the same while it waits or is being hashed share one hash: each
 * waits in the line of its own client until it is the turn of one of them. An unknown user costs
 * one hash as well, so that the time does not tell who exists. After ten different wrong guesses
 * within a minute a client is throttled, but successes that are remembered still pass. A guess that
 * the client made already in that minute is answered as wrong without a hash, and does not count as
 * a new one. Where hashes of different cost stand in one file, a wrong answer is held back
 * (auth_pace.h). Of guesses that a client knows to be wrong already, at most 16 are held back at
 * once.
 */
#ifndef ACCESS_AUTH_H
#define ACCESS_AUTH_H

#include "access/auth_users.h"
#include "base/contract.h"
#include "base/fair_line.h"
#include "base/ip_address.h"
#include "loop/loop.h"
#include "wire/basic_auth.h"

#include <stdint.h>

struct auth;
struct auth_asker;
struct counters;

enum auth_result {
    AUTH_GRANTED,
    AUTH_WRONG,
    AUTH_WRONG_AGAIN, /* the client made this guess before: it is no new one */
    AUTH_THROTTLED,
    AUTH_BUSY,    /* the line is full, or there is no memory */
    AUTH_PENDING, /* on_checked will be called */
    AUTH_RESULT_COUNT,
};

/* One question. Embedded in its owner; only `result` is for the owner to read. When all is zero, it
 * is not under way. */
struct auth_check {
    struct letter letter;
    struct list link;
    struct loop *loop;
    struct auth *auth;        /* NULL: not under way */
    struct auth_asker *asker; /* while a job is under way */
    struct ip_address client;
    struct deadline deadline; /* until when a wrong answer is held back */
    struct fair_place held;   /* while the client knows what the answer will be */
    uint64_t asked_ms, due_ms;
    uint8_t result; /* enum auth_result; valid in on_checked */
    void (*on_checked)(struct auth_check *check);
};

/* Starts the helper threads, so it is called before any confinement. Returns 0 or a negative errno.
 */
int auth_create(struct auth **ret_auth) MUST_CHECK;
/* Contract: no check is under way. Waits until the helpers have finished the hashes that they are
 * computing, although their results are not needed any more. */
void auth_destroy(struct auth *auth);

/* Returns the answer, or AUTH_PENDING. The credentials are copied when they must wait, and the copy
 * is wiped afterwards. `users` is held as long as needed. */
enum auth_result auth_check_start(struct auth_check *check, struct auth *auth,
                                  struct auth_users *users, struct loop *loop,
                                  const struct ip_address *client,
                                  const struct basic_credentials *credentials,
                                  void (*on_checked)(struct auth_check *)) MUST_CHECK;
/* Cancels the check: on_checked is not called any more. Harmless when not under way. */
void auth_check_cancel(struct auth_check *check);

/* Returns counters of which only COUNTER_AUTH_HASHES is used: every hash that was computed for a
 * check. */
const struct counters *auth_counters(const struct auth *auth);

#endif
