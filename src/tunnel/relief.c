/* What a tunnel holds is taken from the send queues of its two sockets; the receive queues need not
 * be asked, because bytes wait to be read only when the send queue on the other side is full. The
 * kernel accounts more memory than bytes, so each look ends too few tunnels rather than too many,
 * and the next look, 20 ms later, goes on.
 */
#include "tunnel/relief.h"

#include "net/stream.h"
#include "net/tcp_memory.h"
#include "observe/counters.h"
#include "observe/log.h"
#include "tunnel/tunnel_env.h"
#include "tunnel/tunnel_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 200,
    STILL_LOOKS = 15,   /* with nothing moving for these 3 s, what uses more memory is not us */
    LOOK_AGAIN_MS = 20, /* while memory is short and there are tunnels to end */
    ENDED_AT_ONCE = 64, /* tunnels per look; it takes about a millisecond */
    SPARED_SHARE = 16,  /* a client with less than this part of the thread's share is spared, */
    ALL_SHARE = 4,      /* unless all still tunnels together hold more than this part of it */
    ENDED_SHARE = 8,    /* one look ends tunnels with this part of what the client holds */
    STILL_MS = 1000,    /* a peer that reads, however slowly, makes room sooner than that */
};

struct relief {
    struct tunnel_env *env;
    int memory_fd;
    unsigned thread_count;
    struct deadline look;
    uint64_t bytes_seen;  /* that the thread had moved at the last look */
    unsigned still_looks; /* in a row without bytes or shortage */
};

/* Orders by client, and within a client puts first the tunnel that has been still for longest. */
static int relief_compare(const void *a, const void *b)
{
    const struct relief_holder *one = a;
    const struct relief_holder *other = b;
    int order = memcmp(&one->client, &other->client, sizeof(one->client));

    if (order != 0)
        return order;
    return (one->active_ms > other->active_ms) - (one->active_ms < other->active_ms);
}

/* Sorting makes the tunnels of one client neighbours. Those of them that are still come first, so
 * the first `count` of the chosen client are the ones to end. */
struct relief_choice relief_choose(struct relief_holder *holders, size_t count, uint64_t now_ms)
{
    struct relief_choice most = {.first = holders};

    if (count > 0)
        qsort(holders, count, sizeof(*holders), relief_compare);
    for (size_t first = 0, next; first < count; first = next) {
        struct relief_choice client = {.first = &holders[first]};

        for (next = first;
             next < count && client_key_equals(&holders[next].client, &holders[first].client);
             next++) {
            if (holders[next].active_ms + STILL_MS > now_ms)
                continue;
            client.bytes += holders[next].bytes;
            client.count++;
        }
        client.all_bytes = most.all_bytes + client.bytes;
        if (client.bytes > most.bytes)
            most = client;
        most.all_bytes = client.all_bytes;
    }
    return most;
}

uint64_t relief_spared(uint64_t used_bytes, uint64_t all_bytes, unsigned thread_count)
{
    uint64_t share = used_bytes / thread_count;

    return all_bytes > share / ALL_SHARE ? 0 : share / SPARED_SHARE;
}

/* Lists the thread's tunnels that hold bytes. Returns NULL when there are none or when there is no
 * memory for the list; then this look ends nothing. */
static struct relief_holder *list_holders(struct tunnel_env *env, size_t *ret_count)
{
    size_t count = 0;

    for (struct list *link = env->tunnels.next; link != &env->tunnels; link = link->next)
        count++;
    struct relief_holder *holders = count > 0 ? malloc(count * sizeof(*holders)) : NULL;
    *ret_count = 0;
    if (holders == NULL)
        return NULL;
    for (struct list *link = env->tunnels.next; link != &env->tunnels; link = link->next) {
        struct tunnel *tunnel = container_of(link, struct tunnel, link);
        uint64_t bytes = relay_unacknowledged(&tunnel->relay);

        if (bytes > 0)
            holders[(*ret_count)++] =
                (struct relief_holder){.client = client_key_of(&tunnel->client.address),
                                       .active_ms = tunnel->relay.active_ms,
                                       .bytes = bytes,
                                       .tunnel = tunnel};
    }
    return holders;
}

static void relief_tell(const struct relief *relief, const struct tcp_memory *memory,
                        uint64_t bytes, size_t count, const struct ip_address *client)
{
    char name[IP_ENDPOINT_TEXT_SIZE];

    log_notice(relief->env->log, LOG_TOPIC_TCP_MEMORY,
               "the kernel's memory for TCP is short (%llu MiB are used; net.ipv4.tcp_mem bounds "
               "it): ended %zu tunnels of %s, the client with most bytes that nobody reads (%llu "
               "MiB in a thread)",
               (unsigned long long)memory->used >> 20, count, ip_address_text(name, client),
               (unsigned long long)bytes >> 20);
}

/* Ends tunnels of the client that holds most. Returns true when it ended some, so there may be more
 * to end. */
static bool relieve(const struct relief *relief, const struct tcp_memory *memory)
{
    size_t count;
    struct relief_holder *holders = list_holders(relief->env, &count);
    const struct relief_choice choice =
        relief_choose(holders, count, loop_now_ms(relief->env->loop));
    uint64_t spared = relief_spared(memory->used, choice.all_bytes, relief->thread_count);
    uint64_t ended_bytes = 0;
    size_t ended = 0;

    if (choice.bytes > spared) {
        const struct ip_address client = choice.first->tunnel->client.address;

        while (ended < choice.count && ended < ENDED_AT_ONCE &&
               ended_bytes <= choice.bytes / ENDED_SHARE && choice.bytes - ended_bytes > spared) {
            ended_bytes += choice.first[ended].bytes;
            tunnel_end(choice.first[ended++].tunnel, CLOSED_BY_TCP_MEMORY);
        }
        counter_add(relief->env->counters, COUNTER_TUNNELS_RELIEVED, ended);
        relief_tell(relief, memory, choice.bytes, ended, &client);
    }
    free(holders);
    return ended > 0;
}

static uint64_t bytes_moved(const struct relief *relief)
{
    return counter_read(relief->env->counters, COUNTER_BYTES_UP) +
           counter_read(relief->env->counters, COUNTER_BYTES_DOWN);
}

/* The deadline is set again only while there may be something to see. relief_watch sets it when a
 * tunnel is opened or is stuck. */
static void relief_look(struct deadline *deadline)
{
    struct relief *relief = container_of(deadline, struct relief, look);
    struct loop *loop = relief->env->loop;
    uint64_t moved = bytes_moved(relief);
    struct tcp_memory memory;
    bool is_more = false;

    if (!tcp_memory_read(relief->memory_fd, &memory))
        return;
    if (memory.is_short)
        is_more = relieve(relief, &memory);
    bool is_needed = memory.is_short && !list_is_empty(&relief->env->tunnels);
    bool is_still = moved == relief->bytes_seen && !is_needed;
    relief->still_looks = is_still ? relief->still_looks + 1 : 0;
    relief->bytes_seen = moved;
    if (relief->still_looks < STILL_LOOKS)
        deadline_set(loop, deadline, loop_now_ms(loop) + (is_more ? LOOK_AGAIN_MS : LOOK_MS));
}

void relief_watch(struct relief *relief)
{
    if (relief == NULL)
        return;
    relief->still_looks = 0;
    if (!deadline_is_set(&relief->look))
        deadline_set(relief->env->loop, &relief->look, loop_now_ms(relief->env->loop) + LOOK_MS);
}

int relief_create(struct tunnel_env *env, int memory_fd, unsigned thread_count,
                  struct relief **ret_relief)
{
    struct relief *relief = calloc(1, sizeof(*relief));

    if (relief == NULL)
        return -ENOMEM;
    relief->env = env;
    relief->memory_fd = memory_fd;
    relief->thread_count = thread_count;
    deadline_init(&relief->look, relief_look);
    *ret_relief = relief;
    return 0;
}

void relief_destroy(struct relief *relief)
{
    deadline_cancel(relief->env->loop, &relief->look);
    free(relief);
}
