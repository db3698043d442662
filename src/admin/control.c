/* A client is reading (its request line is not complete), waiting (for figures) or closed. An
 * answer is one send: it is smaller than a unix socket's buffer, so a client that takes less is not
 * worth more.
 */
#include "admin/control.h"

#include "loop/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 16,
    REQUEST_MAX = 256,
    PATIENCE_MS = 10000,
    ACCEPTS_PER_TURN = 32,
    RETRY_MS = 100,
};

enum client_state { CLIENT_READING, CLIENT_WAITING, CLIENT_CLOSED };

struct control {
    struct loop *loop;
    struct watch listener; /* edge-triggered; the descriptor is the owner's */
    struct deadline retry; /* out of descriptors, or more waited than a turn takes */
    struct list clients;
    size_t client_count;
    struct control_ops ops;
    void *self;
};

struct control_client {
    struct watch watch;
    struct deadline patience;
    struct garbage garbage;
    struct list link;
    struct control *control;
    enum client_state state;
    size_t length;
    char request[REQUEST_MAX];
};

static void free_client(struct garbage *garbage)
{
    free(container_of(garbage, struct control_client, garbage));
}

static void close_client(struct control_client *client)
{
    struct control *control = client->control;

    client->state = CLIENT_CLOSED;
    deadline_cancel(control->loop, &client->patience);
    watch_close(&client->watch);
    list_remove(&client->link);
    control->client_count--;
    loop_free_later(control->loop, &client->garbage, free_client);
}

static void send_line(int fd, const char *line, size_t length)
{
    /* A client that is gone or does not read misses its answer. */
    ssize_t ignored = send(fd, line, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored;
}

static void answer(struct control_client *client, const char *line)
{
    send_line(client->watch.fd, line, strlen(line));
    close_client(client);
}

static void serve(struct control_client *client)
{
    struct control *control = client->control;

    if (strcmp(client->request, "stats") == 0) {
        client->state = CLIENT_WAITING;
        control->ops.stats_asked(control->self);
    } else if (strcmp(client->request, "drain") == 0) {
        answer(client, "{\"ok\":true}\n");
        control->ops.drain_asked(control->self);
    } else {
        answer(client, "{\"ok\":false,\"error\":\"unknown request; there are stats and drain\"}\n");
    }
}

/* True when the request line is complete; it is then terminated in place. */
static bool read_request(struct control_client *client)
{
    for (;;) {
        size_t room = sizeof(client->request) - client->length;
        ssize_t count = recv(client->watch.fd, client->request + client->length, room, 0);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return false;
        if (count <= 0) {
            close_client(client);
            return false;
        }
        char *newline = memchr(client->request + client->length, '\n', (size_t)count);
        client->length += (size_t)count;
        if (newline != NULL) {
            *newline = '\0';
            return true;
        }
        if (client->length == sizeof(client->request)) {
            answer(client, "{\"ok\":false,\"error\":\"the request is over 256 bytes\"}\n");
            return false;
        }
    }
}

static void client_ready(struct watch *watch, uint32_t events)
{
    struct control_client *client = container_of(watch, struct control_client, watch);

    if (client->state == CLIENT_READING && read_request(client))
        serve(client);
    else if (client->state == CLIENT_WAITING && events & (EPOLLERR | EPOLLHUP))
        close_client(client);
}

static void patience_passed(struct deadline *deadline)
{
    close_client(container_of(deadline, struct control_client, patience));
}

/* Takes `fd`. */
static int open_client(struct control *control, int fd)
{
    struct control_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return -ENOMEM;
    client->control = control;
    deadline_init(&client->patience, patience_passed);
    int error = watch_open(control->loop, &client->watch, fd, client_ready);
    if (error < 0) {
        free(client);
        return error;
    }
    list_append(&control->clients, &client->link);
    control->client_count++;
    deadline_set(control->loop, &client->patience, loop_now_ms(control->loop) + PATIENCE_MS);
    return 0;
}

/* Whoever connects and says nothing must not keep others away. */
static void make_room(struct control *control)
{
    if (control->client_count < CLIENTS_MAX)
        return;
    answer(container_of(control->clients.next, struct control_client, link),
           "{\"ok\":false,\"error\":\"too many control clients; try again\"}\n");
}

static void accept_clients(struct control *control)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(control->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            break;
        make_room(control);
        if (open_client(control, fd) < 0)
            close(fd);
    }
    deadline_set(control->loop, &control->retry, loop_now_ms(control->loop) + RETRY_MS);
}

static void clients_wait(struct watch *watch, uint32_t events)
{
    (void)events;
    accept_clients(container_of(watch, struct control, listener));
}

static void retry_passed(struct deadline *deadline)
{
    accept_clients(container_of(deadline, struct control, retry));
}

int control_create(struct loop *loop, int fd, const struct control_ops *ops, void *self,
                   struct control **ret_control)
{
    struct control *control = calloc(1, sizeof(*control));

    if (control == NULL)
        return -ENOMEM;
    control->loop = loop;
    control->ops = *ops;
    control->self = self;
    list_init(&control->clients);
    deadline_init(&control->retry, retry_passed);
    int error = watch_open(loop, &control->listener, fd, clients_wait);
    if (error < 0) {
        free(control);
        return error;
    }
    *ret_control = control;
    return 0;
}

void control_answer_stats(struct control *control, const char *line, size_t length)
{
    struct list *link = control->clients.next;

    while (link != &control->clients) {
        struct control_client *client = container_of(link, struct control_client, link);

        link = link->next;
        if (client->state != CLIENT_WAITING)
            continue;
        send_line(client->watch.fd, line, length);
        close_client(client);
    }
}

void control_destroy(struct control *control)
{
    while (!list_is_empty(&control->clients))
        close_client(container_of(control->clients.next, struct control_client, link));
    deadline_cancel(control->loop, &control->retry);
    watch_take_fd(control->loop, &control->listener);
    free(control);
}
