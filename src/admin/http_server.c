/* Accepts connections, and makes room for them. When there are as many as may be, one of them is
 * closed for the newcomer: the oldest one of the client that has the most, whatever it waits for.
 * So clients that never speak, never read, or send one wrong password after another keep nobody
 * away but themselves. Event streams are not closed for this; they are at most a quarter of the
 * connections.
 */
#include "admin/http_private.h"

#include "access/auth_users.h"
#include "base/client_key.h"
#include "net/acceptor.h"
#include "net/tcp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Counts the connections of the client of `of` that are no event streams. A client is an IPv4
 * address or an IPv6 network (base/client_key.h). */
static size_t count_of_client(const struct http_server *server, const struct http_conn *of)
{
    struct client_key key = client_key_of(&of->client.address);
    size_t count = 0;

    for (struct list *link = server->connections.next; link != &server->connections;
         link = link->next) {
        const struct http_conn *conn = container_of(link, struct http_conn, link);
        struct client_key other = client_key_of(&conn->client.address);

        count += conn->state != HTTP_STREAMING && client_key_equals(&key, &other);
    }
    return count;
}

/* Returns the connection that is closed for a newcomer, or NULL when all are event streams. The
 * list is in the order of their arrival, so the first of a client is its oldest. Each is compared
 * with each, which is cheap enough for at most HTTP_SERVER_CONNECTIONS_MAX. */
static struct http_conn *who_gives_way(struct http_server *server)
{
    struct http_conn *chosen = NULL;
    size_t most = 0;

    for (struct list *link = server->connections.next; link != &server->connections;
         link = link->next) {
        struct http_conn *conn = container_of(link, struct http_conn, link);
        size_t count = conn->state != HTTP_STREAMING ? count_of_client(server, conn) : 0;

        if (count > most) {
            most = count;
            chosen = conn;
        }
    }
    return chosen;
}

/* Returns false when the server is full and no connection may be closed for a newcomer. */
static bool http_server_make_room(struct http_server *server)
{
    if (server->connection_count < server->connections_max)
        return true;
    struct http_conn *conn = who_gives_way(server);
    if (conn == NULL)
        return false;
    http_conn_close(conn);
    return true;
}

static void http_server_accepted(void *self, int fd, const struct ip_endpoint *client,
                                 unsigned slot, bool is_last_descriptor)
{
    struct http_server *server = self;
    struct stream *stream;

    (void)slot;
    (void)is_last_descriptor;
    if (!http_server_make_room(server) || tcp_stream_create(server->loop, fd, 0, &stream) < 0)
        close(fd);
    else if (http_conn_open(server, stream, client) < 0)
        stream_close(stream, false);
}

int http_server_create(const struct http_server_plan *plan, struct http_server **ret_server)
{
    struct http_server *server = calloc(1, sizeof(*server));
    const struct acceptor_owner owner = {.accepted = http_server_accepted, .self = server};

    if (server == NULL)
        return -ENOMEM;
    server->loop = plan->loop;
    server->panel = plan->panel;
    server->auth = plan->auth;
    server->log = plan->log;
    server->events = plan->events;
    server->connections_max = plan->connections_max;
    server->streams_max = (plan->connections_max + 3) / 4;
    server->door.listener.fd = -1;
    access_ids_init(&server->ids, plan->process_seed, plan->thread);
    list_init(&server->connections);
    deadline_init(&server->second, http_events_second);
    int error = acceptor_create(plan->loop, &owner, NULL, NULL, &server->acceptor);
    if (error < 0) {
        free(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

/* Stops watching the listener before, and watches that of the door. Returns 0, or -errno and then
 * the server listens nowhere. */
static int http_server_move(struct http_server *server, const struct listener *before)
{
    struct listener *listener = &server->door.listener;

    if (listener->fd == before->fd)
        return 0;
    acceptor_remove(server->acceptor, before->slot, 0);
    int error = listener->fd >= 0 ? acceptor_add(server->acceptor, listener) : 0;
    if (error < 0)
        listener->fd = -1;
    return error;
}

/* Whether a client that the door before has let in may stay: the new door lets its address and its
 * user in, too, and the user's password is still the same. */
static bool may_stay(const struct http_conn *conn, const struct http_door *before)
{
    const struct http_door *door = &conn->server->door;
    const char *user = conn->user;

    if (door->listener.fd < 0 || !door->may_come(door->self, &conn->client.address))
        return false;
    if (!door->has_password)
        return true;
    if (door->users == NULL || before->users == NULL || !door->may_enter(door->self, user))
        return false;
    const char *hash = auth_users_find(door->users, user, strlen(user));
    const char *hash_before = auth_users_find(before->users, user, strlen(user));
    return hash != NULL && hash_before != NULL && strcmp(hash, hash_before) == 0;
}

/* Ends what a client may not have any more. An event stream could otherwise go on for weeks, and a
 * password that is being checked is compared with the users file before. Other answers are already
 * under way and short, so they stay. */
static void send_away(struct http_server *server, const struct http_door *before)
{
    for (struct list *link = server->connections.next; link != &server->connections;) {
        struct http_conn *conn = container_of(link, struct http_conn, link);

        link = link->next;
        if (may_stay(conn, before))
            continue;
        if (conn->state == HTTP_STREAMING)
            http_conn_close(conn);
        else if (conn->state == HTTP_CHECKING)
            http_login_cancel(conn);
    }
}

int http_server_use(struct http_server *server, const struct http_door *door)
{
    const struct http_door before = server->door;

    server->door = *door;
    int error = http_server_move(server, &before.listener);
    send_away(server, &before);
    return error;
}

const struct counters *http_server_counters(const struct http_server *server)
{
    return &server->counters;
}

void http_server_destroy(struct http_server *server)
{
    while (!list_is_empty(&server->connections))
        http_conn_close(container_of(server->connections.next, struct http_conn, link));
    acceptor_destroy(server->acceptor);
    deadline_cancel(server->loop, &server->second);
    free(server);
}
