/* The table is one array of entries and one block with all their texts, chained by a keyed hash of
 * the name. When two users have one name the first one counts, as in htpasswd files.
 */
#include "access/auth_users.h"

#include "access/auth_pace.h"
#include "base/hash.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct users_entry {
    struct hash_link link; /* not linked when an earlier entry has the same name */
    const char *name;      /* both are in `texts` */
    const char *hash;
};

struct auth_users {
    _Atomic unsigned references;
    struct hash_seed seed;
    struct hash_table table;
    struct hash_link **buckets;
    struct users_entry *entries;
    char *texts;           /* names and hashes, each with its NUL */
    const char *costliest; /* in `texts`; NULL: there are no users */
    bool is_mixed;         /* the hashes do not all cost the same */
    struct auth_pace pace; /* used when is_mixed; changes under the lock of auth */
};

static void users_destroy(struct auth_users *users)
{
    free(users->buckets);
    free(users->entries);
    free(users->texts);
    free(users);
}

/* Allocates what the table needs, for at least one entry, because calloc may return NULL when it is
 * asked for none. What was allocated before a failure is freed by destroy. */
static int users_allocate(struct auth_users *users, const struct auth_user *from, size_t count)
{
    size_t bucket_count = 16;
    size_t bytes = 1;

    while (bucket_count < count)
        bucket_count *= 2;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(from[i].name) + strlen(from[i].hash) + 2;
    users->buckets = calloc(bucket_count, sizeof(struct hash_link *));
    users->entries = calloc(count + 1, sizeof(*users->entries));
    users->texts = malloc(bytes);
    if (users->buckets == NULL || users->entries == NULL || users->texts == NULL)
        return -ENOMEM;
    hash_table_init(&users->table, users->buckets, bucket_count);
    return 0;
}

static const char *users_copy_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *start = *at;

    memcpy(start, text, size);
    *at += size;
    return start;
}

static void users_fill(struct auth_users *users, const struct auth_user *from, size_t count)
{
    char *at = users->texts;

    for (size_t i = 0; i < count; i++) {
        struct users_entry *entry = &users->entries[i];
        size_t length = strlen(from[i].name);

        entry->name = users_copy_text(&at, from[i].name);
        entry->hash = users_copy_text(&at, from[i].hash);
        if (auth_users_find(users, entry->name, length) == NULL)
            hash_table_insert(&users->table, &entry->link,
                              hash_bytes(&users->seed, entry->name, length));
    }
}

int auth_users_create(const struct auth_user *users, size_t count, size_t costliest, bool is_mixed,
                      struct auth_users **ret_users)
{
    struct auth_users *made = calloc(1, sizeof(*made));

    REQUIRE(count == 0 || costliest < count);
    if (made == NULL)
        return -ENOMEM;
    int error = users_allocate(made, users, count);
    if (error == 0 && getrandom(&made->seed, sizeof(made->seed), 0) != (ssize_t)sizeof(made->seed))
        error = -EIO;
    if (error < 0) {
        users_destroy(made);
        return error;
    }
    users_fill(made, users, count);
    made->costliest = count > 0 ? made->entries[costliest].hash : NULL;
    made->is_mixed = is_mixed;
    atomic_init(&made->references, 1);
    *ret_users = made;
    return 0;
}

struct auth_users *auth_users_hold(struct auth_users *users)
{
    atomic_fetch_add_explicit(&users->references, 1, memory_order_relaxed);
    return users;
}

void auth_users_release(struct auth_users *users)
{
    if (users != NULL &&
        atomic_fetch_sub_explicit(&users->references, 1, memory_order_acq_rel) == 1)
        users_destroy(users);
}

const char *auth_users_find(const struct auth_users *users, const char *name, size_t length)
{
    struct hash_link *link =
        hash_table_first(&users->table, hash_bytes(&users->seed, name, length));

    for (; link != NULL; link = hash_table_next(link)) {
        const struct users_entry *entry = container_of(link, struct users_entry, link);

        if (strlen(entry->name) == length && memcmp(entry->name, name, length) == 0)
            return entry->hash;
    }
    return NULL;
}

const char *auth_users_costliest(const struct auth_users *users)
{
    return users->costliest;
}

struct auth_pace *auth_users_pace(struct auth_users *users)
{
    return users->is_mixed ? &users->pace : NULL;
}
