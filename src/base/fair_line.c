/* There is one line per client, and a round of the clients that have somebody in line. A client
 * whose turn comes goes to the end of the round.
 *
 * The surprise: a client that already has its share at work stays in the round and is passed over,
 * because its share grows whenever somebody leaves. Only clients that have places at work can be
 * passed over, so one look passes over no more clients than there are places.
 */
#include "base/fair_line.h"

#include <errno.h>
#include <stdlib.h>

struct fair_client {
    struct hash_link hash_link;
    struct list round_link; /* linked while `waiting` is not 0 */
    struct list line;       /* of fair_place.link; who has waited longest stands first */
    struct client_key key;
    unsigned at_work;
    unsigned waiting;
};

void fair_line_init(struct fair_line *line, const struct fair_limits *limits,
                    const struct hash_seed *seed)
{
    line->limits = *limits;
    line->at_work = 0;
    line->spare_count = 0;
    line->seed = *seed;
    list_init(&line->round);
    hash_table_init(&line->clients, line->buckets, FAIR_LINE_BUCKETS);
}

/* Returns the memory of the client that left last, which may still be in the cache, or NULL. */
static struct fair_client *spare_take(struct fair_line *line)
{
    return line->spare_count > 0 ? line->spares[--line->spare_count] : NULL;
}

/* Most clients come and go with each of their places, so the memory of some is kept. */
static void spare_give(struct fair_line *line, struct fair_client *client)
{
    if (line->spare_count < FAIR_LINE_SPARES_MAX)
        line->spares[line->spare_count++] = client;
    else
        free(client);
}

void fair_line_finish(struct fair_line *line)
{
    REQUIRE(line->at_work == 0 && list_is_empty(&line->round));
    while (line->spare_count > 0)
        free(spare_take(line));
}

/* Finds or adds the client. Returns NULL when there is no memory. */
static struct fair_client *fair_client_find(struct fair_line *line, const struct client_key *key)
{
    uint64_t hash = hash_bytes(&line->seed, key, sizeof(*key));
    struct hash_link *link = hash_table_first(&line->clients, hash);
    struct fair_client *client;

    for (; link != NULL; link = hash_table_next(link)) {
        client = container_of(link, struct fair_client, hash_link);
        if (client_key_equals(&client->key, key))
            return client;
    }
    client = spare_take(line);
    if (client == NULL)
        client = malloc(sizeof(*client));
    if (client == NULL)
        return NULL;
    *client = (struct fair_client){.key = *key};
    list_init(&client->round_link);
    list_init(&client->line);
    hash_table_insert(&line->clients, &client->hash_link, hash);
    return client;
}

/* Forgets a client that has no place at work and none in line. */
static void client_release(struct fair_line *line, struct fair_client *client)
{
    if (client->at_work > 0 || client->waiting > 0)
        return;
    hash_table_remove(&line->clients, &client->hash_link);
    spare_give(line, client);
}

/* A client may have as many at work as places are still free. So its share shrinks while the
 * clients become more. */
static bool may_begin(const struct fair_line *line, const struct fair_client *client)
{
    unsigned free_count = line->limits.total - line->at_work;

    return client->at_work < free_count && client->at_work < line->limits.per_client;
}

static void fair_client_begin(struct fair_line *line, struct fair_client *client)
{
    line->at_work++;
    client->at_work++;
}

int fair_line_enter(struct fair_line *line, struct fair_place *place, const struct client_key *key)
{
    struct fair_client *client = fair_client_find(line, key);

    *place = (struct fair_place){.client = NULL};
    if (client == NULL)
        return -ENOMEM;
    if (client->waiting == 0 && may_begin(line, client)) {
        place->client = client;
        fair_client_begin(line, client);
        return 0;
    }
    if (client->waiting >= line->limits.waiting_per_client) {
        client_release(line, client);
        return -EAGAIN;
    }
    place->client = client;
    place->is_waiting = true;
    list_append(&client->line, &place->link);
    if (client->waiting++ == 0)
        list_append(&line->round, &client->round_link);
    return -EINPROGRESS;
}

static void fair_place_stop_waiting(struct fair_place *place)
{
    struct fair_client *client = place->client;

    list_remove(&place->link);
    place->is_waiting = false;
    if (--client->waiting == 0)
        list_remove(&client->round_link);
}

/* Lets in who has waited longest in the client's line. A client with more in line goes to the end
 * of the round. */
static struct fair_place *fair_line_let_in(struct fair_line *line, struct fair_client *client)
{
    struct fair_place *place = container_of(client->line.next, struct fair_place, link);

    fair_place_stop_waiting(place);
    fair_client_begin(line, client);
    if (client->waiting > 0) {
        list_remove(&client->round_link);
        list_append(&line->round, &client->round_link);
    }
    return place;
}

struct fair_place *fair_line_next(struct fair_line *line)
{
    struct list *link = line->round.next;

    if (line->at_work >= line->limits.total)
        return NULL;
    for (; link != &line->round; link = link->next) {
        struct fair_client *client = container_of(link, struct fair_client, round_link);

        if (may_begin(line, client))
            return fair_line_let_in(line, client);
    }
    return NULL;
}

void fair_line_leave(struct fair_line *line, struct fair_place *place)
{
    struct fair_client *client = place->client;

    if (client == NULL)
        return;
    if (place->is_waiting) {
        fair_place_stop_waiting(place);
    } else {
        line->at_work--;
        client->at_work--;
    }
    client_release(line, client);
    place->client = NULL;
}

void fair_place_move(struct fair_place *to, struct fair_place *from)
{
    REQUIRE(!from->is_waiting);
    *to = *from;
    from->client = NULL;
}
