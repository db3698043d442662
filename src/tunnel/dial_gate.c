/* A line a client, and a round of the lines that may move: those with somebody waiting whose client
 * is below its own limit. Room that is freed goes to the first line of the round, which then goes
 * to its end.
 *
 * One lock for the process; it is held for a few list operations. A pass that is let in may belong
 * to another thread's loop, so it gets a letter. The surprise: between the letter's posting and its
 * delivery the pass counts as in, and its owner may leave; then the letter is taken back.
 */
#include "tunnel/dial_gate.h"

#include "base/client_key.h"
#include "base/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    BUCKETS = 1024,
    SPARES_MAX = 64, /* under 8 KiB; clients mostly come and go with each of their dials */
};

enum pass_state { PASS_OUT, PASS_WAITING, PASS_ADMITTED, PASS_IN };

struct dial_client {
    struct hash_link hash_link;
    struct list round_link; /* linked: has waiting passes and may begin one */
    struct list line;
    struct client_key key;
    unsigned at_work;
    unsigned waiting;
};

struct dial_gate {
    pthread_mutex_t lock;
    struct dial_limits limits;
    unsigned at_work;
    struct list round;
    struct hash_seed seed;
    struct hash_table clients;
    struct dial_client *spares[SPARES_MAX]; /* of clients who left; the latest last */
    unsigned spare_count;
    struct hash_link *buckets[BUCKETS];
};

int dial_gate_create(const struct dial_limits *limits, struct dial_gate **ret_gate)
{
    struct dial_gate *gate = calloc(1, sizeof(*gate));

    if (gate == NULL)
        return -ENOMEM;
    /* Clients choose their (IPv6) addresses: the seed keeps them from choosing their bucket. */
    if (getrandom(&gate->seed, sizeof(gate->seed), 0) != (ssize_t)sizeof(gate->seed)) {
        free(gate);
        return -EIO;
    }
    pthread_mutex_init(&gate->lock, NULL);
    gate->limits = *limits;
    list_init(&gate->round);
    hash_table_init(&gate->clients, gate->buckets, BUCKETS);
    *ret_gate = gate;
    return 0;
}

/* The one that left last: it may still be in the cache. NULL: there is none. */
static struct dial_client *spare_take(struct dial_gate *gate)
{
    return gate->spare_count > 0 ? gate->spares[--gate->spare_count] : NULL;
}

static void spare_give(struct dial_gate *gate, struct dial_client *client)
{
    if (gate->spare_count < SPARES_MAX)
        gate->spares[gate->spare_count++] = client;
    else
        free(client);
}

void dial_gate_destroy(struct dial_gate *gate)
{
    REQUIRE(gate->at_work == 0);
    while (gate->spare_count > 0)
        free(spare_take(gate));
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

static struct dial_client *client_find(struct dial_gate *gate, const struct ip_address *address)
{
    struct client_key key = client_key_of(address);
    uint64_t hash = hash_bytes(&gate->seed, &key, sizeof(key));
    struct hash_link *link = hash_table_first(&gate->clients, hash);
    struct dial_client *client;

    for (; link != NULL; link = hash_table_next(link)) {
        client = container_of(link, struct dial_client, hash_link);
        if (client_key_equals(&client->key, &key))
            return client;
    }
    client = spare_take(gate);
    if (client == NULL)
        client = malloc(sizeof(*client));
    if (client == NULL)
        return NULL;
    *client = (struct dial_client){.key = key};
    list_init(&client->round_link);
    list_init(&client->line);
    hash_table_insert(&gate->clients, &client->hash_link, hash);
    return client;
}

static void client_release(struct dial_gate *gate, struct dial_client *client)
{
    if (client->at_work > 0 || client->waiting > 0)
        return;
    hash_table_remove(&gate->clients, &client->hash_link);
    spare_give(gate, client);
}

/* Puts the client where it belongs: into the round when one of its passes could be let in. */
static void client_place(struct dial_gate *gate, struct dial_client *client)
{
    bool may_move = client->waiting > 0 && client->at_work < gate->limits.per_client;

    if (may_move && !list_is_linked(&client->round_link))
        list_append(&gate->round, &client->round_link);
    else if (!may_move)
        list_remove(&client->round_link);
}

static void begin(struct dial_gate *gate, struct dial_client *client)
{
    gate->at_work++;
    client->at_work++;
}

static void admit(struct dial_gate *gate)
{
    while (gate->at_work < gate->limits.total && !list_is_empty(&gate->round)) {
        struct dial_client *client = container_of(gate->round.next, struct dial_client, round_link);
        struct dial_pass *pass = container_of(client->line.next, struct dial_pass, link);

        list_remove(&pass->link);
        list_remove(&client->round_link);
        client->waiting--;
        begin(gate, client);
        client_place(gate, client);
        pass->state = PASS_ADMITTED;
        letter_post(pass->loop, &pass->letter);
    }
}

static void admitted(struct letter *letter)
{
    struct dial_pass *pass = container_of(letter, struct dial_pass, letter);

    pass->state = PASS_IN;
    pass->on_entered(pass);
}

static int enter(struct dial_gate *gate, struct dial_pass *pass, const struct ip_address *address)
{
    struct dial_client *client = client_find(gate, address);

    if (client == NULL)
        return -ENOMEM;
    pass->client = client;
    if (client->waiting == 0 && client->at_work < gate->limits.per_client &&
        gate->at_work < gate->limits.total) {
        begin(gate, client);
        pass->state = PASS_IN;
        return 0;
    }
    if (client->waiting >= gate->limits.waiting_per_client) {
        client_release(gate, client);
        return -EAGAIN;
    }
    list_append(&client->line, &pass->link);
    client->waiting++;
    pass->state = PASS_WAITING;
    client_place(gate, client);
    return -EINPROGRESS;
}

int dial_gate_enter(struct dial_gate *gate, struct dial_pass *pass, struct loop *loop,
                    const struct ip_address *client, void (*on_entered)(struct dial_pass *))
{
    *pass = (struct dial_pass){.loop = loop, .on_entered = on_entered, .state = PASS_OUT};
    letter_init(&pass->letter, admitted);
    list_init(&pass->link);

    pthread_mutex_lock(&gate->lock);
    int result = enter(gate, pass, client);
    pthread_mutex_unlock(&gate->lock);
    if (result != 0 && result != -EINPROGRESS)
        pass->client = NULL;
    return result;
}

void dial_gate_leave(struct dial_gate *gate, struct dial_pass *pass)
{
    struct dial_client *client = pass->client;

    /* Only its own thread sets it: most leave twice, and the second time takes no lock. */
    if (client == NULL)
        return;
    pthread_mutex_lock(&gate->lock);
    if (pass->state == PASS_WAITING) {
        list_remove(&pass->link);
        client->waiting--;
    } else {
        if (pass->state == PASS_ADMITTED)
            letter_take_back(pass->loop, &pass->letter);
        gate->at_work--;
        client->at_work--;
    }
    client_place(gate, client);
    client_release(gate, client);
    admit(gate);
    pass->state = PASS_OUT;
    pass->client = NULL;
    pthread_mutex_unlock(&gate->lock);
}
