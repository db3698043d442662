/* A holder is a user or a client (base/client_key.h) that limits apply to. It is found by its kind
 * and its bytes. A holder that has no tunnels any more stands in `idle`, with the longest idle
 * first, and is forgotten after a second: by then its bucket, which takes one second's burst, is
 * full again, so forgetting it changes nothing.
 *
 * All threads share the limits. One lock protects them; it is held for a few list operations.
 * Bandwidth is drawn without it (limits_bandwidth.c).
 */
#include "access/limits.h"

#include "base/client_key.h"
#include "base/hash.h"
#include "base/list.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    LIMITS_BUCKETS = 4096,
    IDLE_MS = 1000,
    IDLE_MAX = 16384, /* under 3 MiB; beyond, the longest idle holders are forgotten early */
    RATE_UNIT = 1000, /* what a new tunnel costs; a bucket gains `rate_per_s` per millisecond */
};

static const char *const limit_names[] = {
    [LIMIT_NONE] = "none",
    [LIMIT_TUNNELS] = "limit tunnels",
    [LIMIT_TUNNELS_PER_USER] = "limit tunnels per user",
    [LIMIT_TUNNELS_PER_CLIENT] = "limit tunnels per client",
    [LIMIT_RATE_PER_USER] = "limit rate per user",
    [LIMIT_RATE_PER_CLIENT] = "limit rate per client",
    [LIMIT_MEMORY] = "memory",
};
static_assert(ARRAY_LENGTH(limit_names) == LIMIT_COUNT, "a name a limit");

enum holder_kind { HOLDER_USER = 'u', HOLDER_CLIENT = 'c' };

struct limit_holder {
    struct hash_link link;
    struct list idle_link; /* linked while `tunnels` is 0 */
    uint64_t tunnels;
    uint64_t idle_since_ms; /* valid while `tunnels` is 0 */
    uint64_t rate_spent;    /* what is missing from a full bucket; RATE_UNIT per tunnel */
    uint64_t rate_at_ms;    /* the time for which rate_spent is right */
    struct bandwidth_bucket bandwidth[BANDWIDTH_WAYS];
    uint8_t kind; /* enum holder_kind */
    size_t key_length;
    char key[];
};

struct limits {
    pthread_mutex_t lock; /* protects all that follows */
    uint64_t tunnels;
    size_t holder_count;
    size_t idle_count;
    struct list idle;
    struct hash_seed seed;
    struct hash_table holders;
    struct hash_link *buckets[LIMITS_BUCKETS];
};

const char *limit_name(enum limit limit)
{
    REQUIRE((unsigned)limit < LIMIT_COUNT);
    return limit_names[limit];
}

int limits_create(struct limits **ret_limits)
{
    struct limits *limits = calloc(1, sizeof(*limits));

    if (limits == NULL)
        return -ENOMEM;
    if (getrandom(&limits->seed, sizeof(limits->seed), 0) != (ssize_t)sizeof(limits->seed)) {
        free(limits);
        return -EIO;
    }
    pthread_mutex_init(&limits->lock, NULL);
    list_init(&limits->idle);
    hash_table_init(&limits->holders, limits->buckets, LIMITS_BUCKETS);
    *ret_limits = limits;
    return 0;
}

/* ---- holders ---- */

static void limits_forget(struct limits *limits, struct limit_holder *holder)
{
    list_remove(&holder->idle_link);
    limits->idle_count--;
    limits->holder_count--;
    hash_table_remove(&limits->holders, &holder->link);
    free(holder);
}

static struct limit_holder *longest_idle(struct limits *limits)
{
    return container_of(limits->idle.next, struct limit_holder, idle_link);
}

static void forget_idle(struct limits *limits, uint64_t now_ms)
{
    while (
        !list_is_empty(&limits->idle) &&
        (limits->idle_count > IDLE_MAX || now_ms >= longest_idle(limits)->idle_since_ms + IDLE_MS))
        limits_forget(limits, longest_idle(limits));
}

void limits_destroy(struct limits *limits)
{
    while (!list_is_empty(&limits->idle))
        limits_forget(limits, longest_idle(limits));
    REQUIRE(limits->holder_count == 0 && limits->tunnels == 0);
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

static bool holder_is(const struct limit_holder *holder, enum holder_kind kind, const void *key,
                      size_t length)
{
    return holder->kind == kind && holder->key_length == length &&
           memcmp(holder->key, key, length) == 0;
}

/* A new holder is idle until holder_enter. If the tunnel is refused by another limit, it stays idle
 * and is forgotten like any other. Returns NULL when there is no memory. */
static struct limit_holder *holder_add(struct limits *limits, enum holder_kind kind,
                                       const void *key, size_t length, uint64_t now_ms)
{
    struct limit_holder *holder = calloc(1, sizeof(*holder) + length);

    if (holder == NULL)
        return NULL;
    holder->kind = (uint8_t)kind;
    holder->key_length = length;
    memcpy(holder->key, key, length);
    hash_table_insert(&limits->holders, &holder->link, hash_bytes(&limits->seed, key, length));
    limits->holder_count++;
    holder->idle_since_ms = now_ms;
    list_init(&holder->idle_link);
    list_append(&limits->idle, &holder->idle_link);
    limits->idle_count++;
    return holder;
}

static struct limit_holder *holder_get(struct limits *limits, enum holder_kind kind,
                                       const void *key, size_t length, uint64_t now_ms)
{
    uint64_t hash = hash_bytes(&limits->seed, key, length);
    struct hash_link *link = hash_table_first(&limits->holders, hash);

    for (; link != NULL; link = hash_table_next(link)) {
        struct limit_holder *holder = container_of(link, struct limit_holder, link);

        if (holder_is(holder, kind, key, length))
            return holder;
    }
    return holder_add(limits, kind, key, length, now_ms);
}

/* ---- questions ---- */

/* Lets the bucket refill and looks whether a tunnel's cost is in it. Each thread has its own clock;
 * one that lags behind rate_at_ms refills nothing. */
static bool rate_allows(struct limit_holder *holder, uint64_t rate_per_s, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > holder->rate_at_ms ? now_ms - holder->rate_at_ms : 0;
    uint64_t gained = elapsed_ms >= IDLE_MS ? UINT64_MAX : elapsed_ms * rate_per_s;

    holder->rate_spent = holder->rate_spent > gained ? holder->rate_spent - gained : 0;
    holder->rate_at_ms += elapsed_ms;
    return holder->rate_spent + RATE_UNIT <= rate_per_s * RATE_UNIT;
}

/* A limit of 0 is none. */
static bool is_over(uint64_t count, uint64_t max)
{
    return max != 0 && count >= max;
}

/* Looks at the counts before the rates. Nothing is taken from a bucket here: holder_enter does
 * that, once all limits allow the tunnel. */
static enum limit look_for_limit(struct limits *limits, const struct limit_values *values,
                                 struct limit_holder *user, struct limit_holder *client,
                                 uint64_t now_ms)
{
    if (client != NULL && is_over(client->tunnels, values->client_tunnels_max))
        return LIMIT_TUNNELS_PER_CLIENT;
    if (user != NULL && is_over(user->tunnels, values->user_tunnels_max))
        return LIMIT_TUNNELS_PER_USER;
    if (is_over(limits->tunnels, values->tunnels_max))
        return LIMIT_TUNNELS;
    if (client != NULL && values->client_rate_per_s != 0 &&
        !rate_allows(client, values->client_rate_per_s, now_ms))
        return LIMIT_RATE_PER_CLIENT;
    if (user != NULL && values->user_rate_per_s != 0 &&
        !rate_allows(user, values->user_rate_per_s, now_ms))
        return LIMIT_RATE_PER_USER;
    return LIMIT_NONE;
}

static void holder_enter(struct limits *limits, struct limit_holder *holder, uint64_t rate_per_s)
{
    if (holder == NULL)
        return;
    if (holder->tunnels++ == 0) {
        list_remove(&holder->idle_link);
        limits->idle_count--;
    }
    if (rate_per_s != 0)
        holder->rate_spent += RATE_UNIT;
}

static void holder_leave(struct limits *limits, struct limit_holder *holder, uint64_t now_ms)
{
    if (holder == NULL || --holder->tunnels > 0)
        return;
    holder->idle_since_ms = now_ms;
    list_append(&limits->idle, &holder->idle_link);
    limits->idle_count++;
}

static void throttle_fill(struct limit_pass *pass, const struct limit_values *values)
{
    throttle_init(pass->throttle);
    if (values->tunnel_bytes_per_s != 0)
        throttle_add(pass->throttle, NULL, values->tunnel_bytes_per_s);
    if (pass->user != NULL && values->user_bytes_per_s != 0)
        throttle_add(pass->throttle, pass->user->bandwidth, values->user_bytes_per_s);
    if (pass->client != NULL && values->client_bytes_per_s != 0)
        throttle_add(pass->throttle, pass->client->bandwidth, values->client_bytes_per_s);
}

/* Finds the holders and counts the tunnel; when it is refused, the holders that were added for it
 * stay idle. Contract: the lock is held. */
static enum limit limits_count_in(struct limits *limits, const struct limit_values *values,
                                  const struct ip_address *client, const char *user,
                                  uint64_t now_ms, struct limit_pass *pass)
{
    bool has_client_limit =
        values->client_tunnels_max || values->client_rate_per_s || values->client_bytes_per_s;
    bool has_user_limit =
        values->user_tunnels_max || values->user_rate_per_s || values->user_bytes_per_s;

    forget_idle(limits, now_ms);
    if (has_client_limit) {
        struct client_key key = client_key_of(client);

        pass->client = holder_get(limits, HOLDER_CLIENT, &key, sizeof(key), now_ms);
        if (pass->client == NULL)
            return LIMIT_MEMORY;
    }
    if (has_user_limit && user != NULL) {
        pass->user = holder_get(limits, HOLDER_USER, user, strlen(user), now_ms);
        if (pass->user == NULL)
            return LIMIT_MEMORY;
    }
    enum limit limit = look_for_limit(limits, values, pass->user, pass->client, now_ms);
    if (limit != LIMIT_NONE)
        return limit;
    limits->tunnels++;
    holder_enter(limits, pass->client, values->client_rate_per_s);
    holder_enter(limits, pass->user, values->user_rate_per_s);
    return LIMIT_NONE;
}

enum limit limits_enter(struct limits *limits, const struct limit_values *values,
                        const struct ip_address *client, const char *user, uint64_t now_ms,
                        struct limit_pass *pass)
{
    bool is_throttled = values->tunnel_bytes_per_s || values->client_bytes_per_s ||
                        (values->user_bytes_per_s && user != NULL);
    struct throttle *throttle = is_throttled ? malloc(sizeof(*throttle)) : NULL;

    *pass = (struct limit_pass){.throttle = throttle};
    if (is_throttled && throttle == NULL)
        return LIMIT_MEMORY;
    pthread_mutex_lock(&limits->lock);
    enum limit limit = limits_count_in(limits, values, client, user, now_ms, pass);
    pthread_mutex_unlock(&limits->lock);
    if (limit != LIMIT_NONE) {
        free(throttle);
        *pass = (struct limit_pass){.limits = NULL};
        return limit;
    }
    pass->limits = limits;
    if (throttle != NULL)
        throttle_fill(pass, values);
    return LIMIT_NONE;
}

void limits_leave(struct limit_pass *pass, uint64_t now_ms)
{
    struct limits *limits = pass->limits;

    if (limits == NULL)
        return;
    pthread_mutex_lock(&limits->lock);
    limits->tunnels--;
    holder_leave(limits, pass->client, now_ms);
    holder_leave(limits, pass->user, now_ms);
    forget_idle(limits, now_ms);
    pthread_mutex_unlock(&limits->lock);
    free(pass->throttle);
    *pass = (struct limit_pass){.limits = NULL};
}

size_t limits_holder_count(struct limits *limits)
{
    pthread_mutex_lock(&limits->lock);
    size_t count = limits->holder_count;
    pthread_mutex_unlock(&limits->lock);
    return count;
}
