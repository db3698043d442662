/* What authentication remembers: successes for a minute, and failures of a client for a minute. The
 * memory is bounded, and the oldest entries make room for new ones. It has no lock of its own; the
 * owner's lock protects it. Private to access/auth.
 */
#ifndef ACCESS_AUTH_MEMORY_H
#define ACCESS_AUTH_MEMORY_H

#include "base/contract.h"
#include "base/hash.h"
#include "base/ip_address.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define AUTH_DIGEST_SIZE 32
#define AUTH_SUCCESS_MS 60000
#define AUTH_FAILURES_MS 60000
#define AUTH_FAILURES_MAX 10

enum { AUTH_MEMORY_BUCKETS = 1024 };

struct auth_memory {
    struct hash_table table;
    struct hash_link *buckets[AUTH_MEMORY_BUCKETS];
    struct list oldest_first;
    unsigned count;
    struct hash_seed seed;
};

void auth_memory_init(struct auth_memory *memory, const struct hash_seed *seed);
void auth_memory_finish(struct auth_memory *memory);

/* A digest under a secret key stands for the credentials. Each use keeps a success for another
 * minute. When there is no memory, the success is not remembered. */
void auth_success_add(struct auth_memory *memory, const uint8_t digest[AUTH_DIGEST_SIZE],
                      uint64_t now_ms);
bool auth_success_use(struct auth_memory *memory, const uint8_t digest[AUTH_DIGEST_SIZE],
                      uint64_t now_ms);

/* Records that a guess of a client (base/client_key.h) failed, which the client is told at
 * `told_ms`. The same guess made again does not count again. The minute begins with the first
 * failure, and nothing extends it. */
void auth_failure_add(struct auth_memory *memory, const struct ip_address *client,
                      const uint8_t digest[AUTH_DIGEST_SIZE], uint64_t now_ms, uint64_t told_ms);
bool auth_failure_is_known(struct auth_memory *memory, const struct ip_address *client,
                           const uint8_t digest[AUTH_DIGEST_SIZE], uint64_t now_ms);
/* Returns whether the client was told of all its failures. Then a guess that it made before may be
 * answered at once. */
bool auth_failures_are_told(struct auth_memory *memory, const struct ip_address *client,
                            uint64_t now_ms);
/* Returns whether AUTH_FAILURES_MAX different guesses failed within the minute. */
bool auth_failures_are_many(struct auth_memory *memory, const struct ip_address *client,
                            uint64_t now_ms);

#endif
