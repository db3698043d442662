/* Units of room are one atomic number, so taking a free unit needs no lock. Guests, the connections
 * that may be displaced, stand in their client's line with the oldest first. Clients stand in lists
 * by their number of guests: one list per number, and the last list for all numbers above. So the
 * client with most guests is found without a walk over all clients.
 *
 * When a guest is displaced, its unit is not counted anew. The newcomer has it at once, while the
 * guest may live on for as long as its letter takes. In that time the two need one descriptor more
 * than there are units. These descriptors come out of the process's reserve, so only a few letters
 * may be on their way at once; a newcomer that would need one more has to ask again.
 */
#include "net/room.h"

#include "base/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    ROOM_BUCKETS = 1024,
    ROOM_LEVELS = 64, /* clients with 64 guests or more are few: at most a 64th of all guests */
    ON_THE_WAY = 8, /* letters to displaced guests; out of the reserve (worker/process_limits.c) */
};

struct room_client {
    struct hash_link hash_link;
    struct list level_link; /* in room.levels */
    struct list line;       /* of its guests, the oldest first */
    struct client_key key;
    uint32_t count; /* of guests; a client without guests is freed */
};

struct room {
    _Atomic uint32_t taken;
    uint32_t limit;
    pthread_mutex_t lock; /* of all that follows */
    unsigned letters;     /* on their way */
    struct list levels[ROOM_LEVELS];
    struct hash_seed seed;
    struct hash_table clients;
    struct hash_link *buckets[ROOM_BUCKETS];
};

int room_create(uint32_t limit, struct room **ret_room)
{
    struct room *room = calloc(1, sizeof(*room));

    if (room == NULL)
        return -ENOMEM;
    /* The seed must be random, since clients choose their addresses. */
    if (getrandom(&room->seed, sizeof(room->seed), 0) != (ssize_t)sizeof(room->seed)) {
        free(room);
        return -EIO;
    }
    room->limit = limit;
    pthread_mutex_init(&room->lock, NULL);
    for (unsigned i = 0; i < ROOM_LEVELS; i++)
        list_init(&room->levels[i]);
    hash_table_init(&room->clients, room->buckets, ROOM_BUCKETS);
    *ret_room = room;
    return 0;
}

void room_destroy(struct room *room)
{
    REQUIRE(room->taken == 0);
    pthread_mutex_destroy(&room->lock);
    free(room);
}

uint32_t room_limit(const struct room *room)
{
    return room->limit;
}

uint32_t room_taken(const struct room *room)
{
    return room->taken;
}

/* ---- clients ---- */

/* Finds or adds the client. Returns NULL when there is no memory. */
static struct room_client *room_client_find(struct room *room, const struct client_key *key)
{
    uint64_t hash = hash_bytes(&room->seed, key, sizeof(*key));
    struct hash_link *link = hash_table_first(&room->clients, hash);
    struct room_client *client;

    for (; link != NULL; link = hash_table_next(link)) {
        client = container_of(link, struct room_client, hash_link);
        if (client_key_equals(&client->key, key))
            return client;
    }
    client = malloc(sizeof(*client));
    if (client == NULL)
        return NULL;
    *client = (struct room_client){.key = *key};
    list_init(&client->level_link);
    list_init(&client->line);
    hash_table_insert(&room->clients, &client->hash_link, hash);
    return client;
}

/* The client's count has changed: moves it to its list, or frees it. */
static void client_place(struct room *room, struct room_client *client)
{
    list_remove(&client->level_link);
    if (client->count == 0) {
        hash_table_remove(&room->clients, &client->hash_link);
        free(client);
        return;
    }
    unsigned level = client->count < ROOM_LEVELS ? client->count - 1 : ROOM_LEVELS - 1;
    list_append(&room->levels[level], &client->level_link);
}

/* Returns the client with most guests, or NULL when there are no guests. */
static struct room_client *client_with_most(struct room *room)
{
    struct room_client *most = NULL;
    unsigned level = ROOM_LEVELS;

    while (level > 0 && list_is_empty(&room->levels[level - 1]))
        level--;
    if (level == 0)
        return NULL;
    struct list *head = &room->levels[level - 1];
    for (struct list *link = head->next; link != head; link = link->next) {
        struct room_client *client = container_of(link, struct room_client, level_link);

        if (most == NULL || client->count > most->count)
            most = client;
        if (level < ROOM_LEVELS)
            break; /* all clients in this list have as many guests */
    }
    return most;
}

/* ---- guests ---- */

static void guest_leave(struct room *room, struct room_guest *guest)
{
    struct room_client *client = guest->client;

    guest->client = NULL;
    list_remove(&guest->link);
    client->count--;
    client_place(room, client);
}

/* Returns the client's oldest guest, or its oldest guest on this loop when no more letters may be
 * sent. Returns NULL when there is none. */
static struct room_guest *room_choose(const struct room *room, const struct room_client *client,
                                      const struct loop *loop)
{
    bool may_write = room->letters < ON_THE_WAY;

    for (struct list *link = client->line.next; link != &client->line; link = link->next) {
        struct room_guest *guest = container_of(link, struct room_guest, link);

        if (may_write || guest->loop == loop)
            return guest;
    }
    return NULL;
}

/* Takes the unit of a guest. Contract: the lock is held. Returns 0, or what room_take returns. */
static int displace(struct room *room, struct loop *loop, struct room_guest **ret_guest)
{
    struct room_client *client = client_with_most(room);
    struct room_guest *guest = client != NULL ? room_choose(room, client, loop) : NULL;

    *ret_guest = guest;
    if (guest == NULL)
        return client != NULL ? -EAGAIN : -ENOSPC;
    guest_leave(room, guest);
    guest->is_displaced = true;
    if (guest->loop != loop) {
        room->letters++;
        letter_post(guest->loop, &guest->letter);
    }
    return 0;
}

static void letter_came(struct letter *letter)
{
    struct room_guest *guest = container_of(letter, struct room_guest, letter);

    pthread_mutex_lock(&guest->room->lock);
    guest->room->letters--;
    pthread_mutex_unlock(&guest->room->lock);
    guest->on_displaced(guest);
}

int room_take(struct room *room, struct loop *loop)
{
    struct room_guest *guest;

    if (atomic_fetch_add(&room->taken, 1) < room->limit)
        return 0;
    atomic_fetch_sub(&room->taken, 1);
    pthread_mutex_lock(&room->lock);
    int error = displace(room, loop, &guest);
    bool is_here = error == 0 && guest->loop == loop;
    pthread_mutex_unlock(&room->lock);
    /* A guest of another thread must not be touched now: it may have got its letter and be gone. */
    if (is_here)
        guest->on_displaced(guest);
    return error;
}

bool room_take_spare(struct room *room)
{
    uint32_t half = room->limit / 2;

    /* Looks first: a failed attempt to take must not make the room look full for a moment. */
    if (room->taken >= half)
        return false;
    if (atomic_fetch_add(&room->taken, 1) < half)
        return true;
    atomic_fetch_sub(&room->taken, 1);
    return false;
}

void room_give_back(struct room *room)
{
    atomic_fetch_sub(&room->taken, 1);
}

void room_register(struct room *room, struct room_guest *guest, struct loop *loop,
                   const struct ip_address *address, void (*on_displaced)(struct room_guest *))
{
    struct client_key key = client_key_of(address);

    *guest = (struct room_guest){.room = room, .loop = loop, .on_displaced = on_displaced};
    letter_init(&guest->letter, letter_came);
    list_init(&guest->link);
    pthread_mutex_lock(&room->lock);
    struct room_client *client = room_client_find(room, &key);
    if (client != NULL) {
        guest->client = client;
        list_append(&client->line, &guest->link);
        client->count++;
        client_place(room, client);
    }
    pthread_mutex_unlock(&room->lock);
}

/* A guest whose letter is still on its way takes it back, and has lost its unit all the same. */
bool room_unregister(struct room_guest *guest)
{
    struct room *room = guest->room;

    if (room == NULL)
        return true;
    pthread_mutex_lock(&room->lock);
    if (guest->client != NULL)
        guest_leave(room, guest);
    else if (guest->is_displaced && letter_take_back(guest->loop, &guest->letter))
        room->letters--;
    bool is_displaced = guest->is_displaced;
    pthread_mutex_unlock(&room->lock);
    if (!is_displaced)
        guest->room = NULL;
    return !is_displaced;
}
