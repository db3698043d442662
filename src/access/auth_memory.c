/* One kind of table serves both, successes and failures: keys of a fixed size, and the time from
 * which an entry lives for a minute. A success is keyed by the digest of its credentials, a failure
 * by its client.
 *
 * All entries of a table live equally long, so the list in the order of these times is also the
 * list in the order of expiry: each look-up first removes what has expired at the head of the list.
 */
#include "access/auth_memory.h"

#include "base/client_key.h"

#include <stdlib.h>
#include <string.h>

/* 190 bytes each, so under 2 MiB. An attacker with more addresses than this gains little when adit
 * forgets one of them. */
enum { ENTRIES_MAX = 8192 };

struct memory_entry {
    struct hash_link link;
    struct list age_link;
    uint64_t since_ms; /* lives for a minute from here */
    uint8_t key[AUTH_DIGEST_SIZE];
    /* Only in the table of failures. */
    uint64_t told_ms; /* when the client will have heard of all its failures */
    unsigned guess_count;
    uint64_t guesses[AUTH_FAILURES_MAX]; /* the beginnings of digests: 64 bits under a secret key */
};

void auth_memory_init(struct auth_memory *memory, const struct hash_seed *seed)
{
    hash_table_init(&memory->table, memory->buckets, AUTH_MEMORY_BUCKETS);
    list_init(&memory->oldest_first);
    memory->count = 0;
    memory->seed = *seed;
}

static void memory_forget(struct auth_memory *memory, struct memory_entry *entry)
{
    hash_table_remove(&memory->table, &entry->link);
    list_remove(&entry->age_link);
    memory->count--;
    free(entry);
}

static struct memory_entry *oldest(struct auth_memory *memory)
{
    return container_of(memory->oldest_first.next, struct memory_entry, age_link);
}

void auth_memory_finish(struct auth_memory *memory)
{
    while (!list_is_empty(&memory->oldest_first))
        memory_forget(memory, oldest(memory));
}

static void forget_expired(struct auth_memory *memory, uint64_t now_ms, uint64_t life_ms)
{
    while (!list_is_empty(&memory->oldest_first) && now_ms >= oldest(memory)->since_ms + life_ms)
        memory_forget(memory, oldest(memory));
}

static struct memory_entry *memory_find(struct auth_memory *memory,
                                        const uint8_t key[AUTH_DIGEST_SIZE])
{
    uint64_t hash = hash_bytes(&memory->seed, key, AUTH_DIGEST_SIZE);
    struct hash_link *link = hash_table_first(&memory->table, hash);

    for (; link != NULL; link = hash_table_next(link)) {
        struct memory_entry *entry = container_of(link, struct memory_entry, link);

        if (memcmp(entry->key, key, AUTH_DIGEST_SIZE) == 0)
            return entry;
    }
    return NULL;
}

/* Returns NULL when there is no memory. A full table forgets its oldest entry. */
static struct memory_entry *find_or_add(struct auth_memory *memory,
                                        const uint8_t key[AUTH_DIGEST_SIZE], uint64_t now_ms)
{
    struct memory_entry *entry = memory_find(memory, key);

    if (entry != NULL)
        return entry;
    if (memory->count == ENTRIES_MAX)
        memory_forget(memory, oldest(memory));
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    entry->since_ms = now_ms;
    memcpy(entry->key, key, AUTH_DIGEST_SIZE);
    hash_table_insert(&memory->table, &entry->link,
                      hash_bytes(&memory->seed, key, AUTH_DIGEST_SIZE));
    list_append(&memory->oldest_first, &entry->age_link);
    memory->count++;
    return entry;
}

/* Only successes are renewed: a failure is forgotten a minute after the first one. */
static void memory_renew(struct auth_memory *memory, struct memory_entry *entry, uint64_t now_ms)
{
    entry->since_ms = now_ms;
    list_remove(&entry->age_link);
    list_append(&memory->oldest_first, &entry->age_link);
}

void auth_success_add(struct auth_memory *memory, const uint8_t digest[AUTH_DIGEST_SIZE],
                      uint64_t now_ms)
{
    forget_expired(memory, now_ms, AUTH_SUCCESS_MS);
    struct memory_entry *entry = find_or_add(memory, digest, now_ms);
    if (entry != NULL)
        memory_renew(memory, entry, now_ms);
}

bool auth_success_use(struct auth_memory *memory, const uint8_t digest[AUTH_DIGEST_SIZE],
                      uint64_t now_ms)
{
    forget_expired(memory, now_ms, AUTH_SUCCESS_MS);
    struct memory_entry *entry = memory_find(memory, digest);
    if (entry != NULL)
        memory_renew(memory, entry, now_ms);
    return entry != NULL;
}

/* The key of a client is shorter than a digest; the rest is zero. */
static void make_client_key(const struct ip_address *client, uint8_t ret_key[AUTH_DIGEST_SIZE])
{
    struct client_key key = client_key_of(client);

    memset(ret_key, 0, AUTH_DIGEST_SIZE);
    memcpy(ret_key, &key, sizeof(key));
}

static struct memory_entry *find_client(struct auth_memory *memory, const struct ip_address *client,
                                        uint64_t now_ms)
{
    uint8_t key[AUTH_DIGEST_SIZE];

    forget_expired(memory, now_ms, AUTH_FAILURES_MS);
    make_client_key(client, key);
    return memory_find(memory, key);
}

static uint64_t guess_of(const uint8_t digest[AUTH_DIGEST_SIZE])
{
    uint64_t guess;

    memcpy(&guess, digest, sizeof(guess));
    return guess;
}

/* Returns whether the client made this guess before. `entry` is NULL when it has made none. */
static bool has_guess(const struct memory_entry *entry, uint64_t guess)
{
    for (unsigned i = 0; entry != NULL && i < entry->guess_count; i++) {
        if (entry->guesses[i] == guess)
            return true;
    }
    return false;
}

void auth_failure_add(struct auth_memory *memory, const struct ip_address *client,
                      const uint8_t digest[AUTH_DIGEST_SIZE], uint64_t now_ms, uint64_t told_ms)
{
    uint8_t key[AUTH_DIGEST_SIZE];

    forget_expired(memory, now_ms, AUTH_FAILURES_MS);
    make_client_key(client, key);
    struct memory_entry *entry = find_or_add(memory, key, now_ms);
    if (entry == NULL)
        return;
    if (told_ms > entry->told_ms)
        entry->told_ms = told_ms;
    if (entry->guess_count == AUTH_FAILURES_MAX || has_guess(entry, guess_of(digest)))
        return;
    entry->guesses[entry->guess_count++] = guess_of(digest);
}

bool auth_failure_is_known(struct auth_memory *memory, const struct ip_address *client,
                           const uint8_t digest[AUTH_DIGEST_SIZE], uint64_t now_ms)
{
    return has_guess(find_client(memory, client, now_ms), guess_of(digest));
}

bool auth_failures_are_told(struct auth_memory *memory, const struct ip_address *client,
                            uint64_t now_ms)
{
    const struct memory_entry *entry = find_client(memory, client, now_ms);

    return entry == NULL || now_ms >= entry->told_ms;
}

bool auth_failures_are_many(struct auth_memory *memory, const struct ip_address *client,
                            uint64_t now_ms)
{
    const struct memory_entry *entry = find_client(memory, client, now_ms);

    return entry != NULL && entry->guess_count == AUTH_FAILURES_MAX;
}
