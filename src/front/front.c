/* Accepted descriptors become connections. A connection takes a unit of the process's room, which
 * its tunnel inherits; without one, or when it loses it to a newcomer, it still gets its answer and
 * lingers among a bounded number of surplus connections, of which the oldest gives way.
 *
 * When as many connections as may be are about to make room, on other threads, a newcomer waits
 * unread and asks again every 2 ms. Meanwhile this thread accepts no other (front_is_ready), so few
 * ever wait.
 */
#include "front/front.h"

#include "front/front_private.h"
#include "front/h1_conn.h"
#include "loop/loop.h"
#include "net/room.h"
#include "net/stream.h"
#include "net/tcp_stream.h"
#include "tunnel/tunnel_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Their descriptors come out of the reserve, which is small when the descriptor limit is. */
enum { SURPLUS_MOST = 16, SURPLUS_FEW = 2, FEW_BELOW_ROOM = 512 };

static const uint64_t ask_again_ms = 2;
static const uint64_t newcomer_ms = 2000; /* a thread that does not turn for so long is stuck */

static void ask_again(struct deadline *deadline);

int front_create(struct tunnel_env *env, const struct front_timeouts *timeouts,
                 struct front **ret_front)
{
    struct front *front = calloc(1, sizeof(*front));

    if (front == NULL)
        return -ENOMEM;
    front->env = env;
    front->timeouts = *timeouts;
    list_init(&front->connections);
    list_init(&front->surplus);
    deadline_init(&front->ask_again, ask_again);
    *ret_front = front;
    return 0;
}

static void close_all(struct list *connections)
{
    while (!list_is_empty(connections))
        h1_conn_close(h1_conn_of(connections->next));
}

void front_set_timeouts(struct front *front, const struct front_timeouts *timeouts)
{
    front->timeouts = *timeouts;
}

void front_destroy(struct front *front)
{
    close_all(&front->connections);
    close_all(&front->surplus);
    deadline_cancel(front->env->loop, &front->ask_again);
    for (size_t i = 0; i < front->newcomer_count; i++)
        close(front->newcomers[i].fd);
    free(front);
}

size_t front_connection_count(const struct front *front)
{
    return front->connection_count + front->newcomer_count;
}

bool front_is_ready(const struct front *front)
{
    return front->newcomer_count == 0;
}

void front_make_room_for_surplus(struct front *front)
{
    size_t most = room_limit(front->env->room) < FEW_BELOW_ROOM ? SURPLUS_FEW : SURPLUS_MOST;

    if (front->surplus_count >= most)
        h1_conn_close(h1_conn_of(front->surplus.next));
}

static int open_connection(struct front *front, const struct newcomer *newcomer,
                           enum tunnel_error refuse_with)
{
    struct stream *stream;
    int error = tcp_stream_create(front->env->loop, newcomer->fd, STREAM_READABLE | STREAM_WRITABLE,
                                  &stream);

    if (error < 0) {
        close(newcomer->fd);
        return error;
    }
    error = h1_conn_open(front, stream, &newcomer->client, newcomer->listener, refuse_with);
    if (error < 0)
        stream_close(stream, true);
    return error;
}

/* `refuse_with` NONE: it has its unit of room. */
static void admit(struct front *front, const struct newcomer *newcomer,
                  enum tunnel_error refuse_with)
{
    if (refuse_with != TUNNEL_ERROR_NONE)
        front_make_room_for_surplus(front);
    if (open_connection(front, newcomer, refuse_with) < 0 && refuse_with == TUNNEL_ERROR_NONE)
        room_give_back(front->env->room);
}

/* False: it has to wait. */
static bool find_room(struct front *front, const struct newcomer *newcomer,
                      enum tunnel_error *ret_refuse_with)
{
    struct tunnel_env *env = front->env;
    int error = env->is_draining ? -ESHUTDOWN : room_take(env->room, env->loop);

    if (error == -EAGAIN && loop_now_ms(env->loop) < newcomer->until_ms)
        return false;
    *ret_refuse_with = TUNNEL_ERROR_NONE;
    if (error < 0)
        *ret_refuse_with = env->is_draining ? TUNNEL_ERROR_DRAINING : TUNNEL_ERROR_FULL;
    return true;
}

static void wait_for_room(struct front *front, const struct newcomer *newcomer)
{
    struct loop *loop = front->env->loop;

    if (front->newcomer_count == NEWCOMERS_MAX) {
        admit(front, newcomer, TUNNEL_ERROR_FULL);
        return;
    }
    front->newcomers[front->newcomer_count++] = *newcomer;
    if (!deadline_is_set(&front->ask_again))
        deadline_set(loop, &front->ask_again, loop_now_ms(loop) + ask_again_ms);
}

static void ask_again(struct deadline *deadline)
{
    struct front *front = container_of(deadline, struct front, ask_again);
    struct loop *loop = front->env->loop;
    enum tunnel_error refuse_with;
    size_t done = 0;

    while (done < front->newcomer_count && find_room(front, &front->newcomers[done], &refuse_with))
        admit(front, &front->newcomers[done++], refuse_with);
    front->newcomer_count -= done;
    memmove(front->newcomers, front->newcomers + done,
            front->newcomer_count * sizeof(front->newcomers[0]));
    if (front->newcomer_count > 0)
        deadline_set(loop, deadline, loop_now_ms(loop) + ask_again_ms);
}

void front_accept(struct front *front, int fd, const struct ip_endpoint *client, unsigned listener)
{
    const struct newcomer newcomer = {.fd = fd,
                                      .listener = listener,
                                      .client = *client,
                                      .until_ms = loop_now_ms(front->env->loop) + newcomer_ms};
    enum tunnel_error refuse_with;

    if (front_is_ready(front) && find_room(front, &newcomer, &refuse_with))
        admit(front, &newcomer, refuse_with);
    else
        wait_for_room(front, &newcomer);
}
