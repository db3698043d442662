/* Accepted descriptors become connections. A connection takes a unit of the process's room, which
 * its tunnel inherits; without one, or when it loses it to a newcomer, it still gets its answer and
 * lingers among a bounded number of surplus connections, of which the oldest gives way.
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
#include <unistd.h>

/* Their descriptors come out of the reserve, which is small when the descriptor limit is. */
enum { SURPLUS_MOST = 16, SURPLUS_FEW = 2, FEW_BELOW_ROOM = 512 };

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
    free(front);
}

size_t front_connection_count(const struct front *front)
{
    return front->connection_count;
}

void front_make_room_for_surplus(struct front *front)
{
    size_t most = room_limit(front->env->room) < FEW_BELOW_ROOM ? SURPLUS_FEW : SURPLUS_MOST;

    if (front->surplus_count >= most)
        h1_conn_close(h1_conn_of(front->surplus.next));
}

static int open_connection(struct front *front, int fd, const struct ip_endpoint *client,
                           unsigned listener, enum tunnel_error refuse_with)
{
    struct stream *stream;
    int error = tcp_stream_create(front->env->loop, fd, STREAM_READABLE | STREAM_WRITABLE, &stream);

    if (error < 0) {
        close(fd);
        return error;
    }
    error = h1_conn_open(front, stream, client, listener, refuse_with);
    if (error < 0)
        stream_close(stream, true);
    return error;
}

void front_accept(struct front *front, int fd, const struct ip_endpoint *client, unsigned listener)
{
    struct tunnel_env *env = front->env;
    enum tunnel_error refuse_with = TUNNEL_ERROR_NONE;

    if (env->is_draining)
        refuse_with = TUNNEL_ERROR_DRAINING;
    else if (!room_take(env->room, env->loop))
        refuse_with = TUNNEL_ERROR_FULL;
    if (refuse_with != TUNNEL_ERROR_NONE)
        front_make_room_for_surplus(front);
    if (open_connection(front, fd, client, listener, refuse_with) < 0 &&
        refuse_with == TUNNEL_ERROR_NONE)
        room_give_back(env->room);
}
