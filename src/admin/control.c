/* A client is reading (its request line is not complete), waiting (for what it asked), writing (its
 * answer does not fit into the socket's buffer) or closed.
 *
 * Reloads are numbered in the order in which they are asked for, and answered in that order;
 * whoever leaves does not take the answer of the next.
 */
#include "admin/control.h"

#include "admin/json.h"
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
    RELOAD_PATIENCE_MS = 60000, /* a list of a million names takes seconds */
    RELOAD_ANSWER_SIZE = 64 * 1024,
    ACCEPTS_PER_TURN = 32,
    RETRY_MS = 100,
};

enum client_state { CLIENT_READING, CLIENT_WAITING, CLIENT_WRITING, CLIENT_CLOSED };

static const char *const request_names[] = {"stats", "ps", "reload", "drain"};
static_assert(ARRAY_LENGTH(request_names) == CONTROL_REQUEST_COUNT, "a name for every request");

struct control {
    struct loop *loop;
    struct watch listener; /* edge-triggered; the descriptor is the owner's */
    struct deadline retry; /* out of descriptors, or more waited than a turn takes */
    struct list clients;
    size_t client_count;
    void (*asked)(void *self, enum control_request request);
    void *self;
    size_t reloads_asked;
    size_t reloads_answered;
};

struct control_client {
    struct watch watch;
    struct deadline patience;
    struct garbage garbage;
    struct list link;
    struct control *control;
    enum client_state state;
    enum control_request request_kind; /* what it waits for */
    size_t reload_number;
    char *answer; /* while writing */
    size_t answer_length;
    size_t answer_sent;
    size_t length;
    char request[REQUEST_MAX];
};

static void free_client(struct garbage *garbage)
{
    struct control_client *client = container_of(garbage, struct control_client, garbage);

    free(client->answer);
    free(client);
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

/* Sends what the socket takes; closes when that is all, or nobody is there. */
static void write_answer(struct control_client *client)
{
    while (client->answer_sent < client->answer_length) {
        ssize_t count =
            send(client->watch.fd, client->answer + client->answer_sent,
                 client->answer_length - client->answer_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno == EAGAIN)
            return;
        if (count < 0 && errno != EINTR)
            break;
        if (count > 0)
            client->answer_sent += (size_t)count;
    }
    close_client(client);
}

/* Copies the answer's parts. */
static void answer_parts(struct control_client *client, const char *const parts[],
                         const size_t lengths[], size_t count)
{
    struct control *control = client->control;
    size_t length = 0;

    for (size_t i = 0; i < count; i++)
        length += lengths[i];
    client->answer = malloc(length);
    if (client->answer == NULL) {
        close_client(client);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(client->answer + client->answer_length, parts[i], lengths[i]);
        client->answer_length += lengths[i];
    }
    client->state = CLIENT_WRITING;
    deadline_set(control->loop, &client->patience, loop_now_ms(control->loop) + PATIENCE_MS);
    write_answer(client);
}

static void answer(struct control_client *client, const char *line)
{
    size_t length = strlen(line);

    answer_parts(client, &line, &length, 1);
}

static void serve(struct control_client *client)
{
    struct control *control = client->control;
    enum control_request request = 0;

    while (request < CONTROL_REQUEST_COUNT && strcmp(client->request, request_names[request]) != 0)
        request++;
    if (request == CONTROL_REQUEST_COUNT) {
        answer(client, "{\"ok\":false,\"error\":\"unknown request; there are stats, ps, reload and "
                       "drain\"}\n");
        return;
    }
    client->state = CLIENT_WAITING;
    client->request_kind = request;
    if (request == CONTROL_RELOAD) {
        client->reload_number = control->reloads_asked++;
        deadline_set(control->loop, &client->patience,
                     loop_now_ms(control->loop) + RELOAD_PATIENCE_MS);
    } else if (request == CONTROL_DRAIN) {
        answer(client, "{\"ok\":true}\n");
    }
    control->asked(control->self, request);
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
    else if (client->state == CLIENT_WRITING)
        write_answer(client);
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

int control_create(struct loop *loop, int fd,
                   void (*asked)(void *self, enum control_request request), void *self,
                   struct control **ret_control)
{
    struct control *control = calloc(1, sizeof(*control));

    if (control == NULL)
        return -ENOMEM;
    control->loop = loop;
    control->asked = asked;
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

/* The next client behind `link` that waits for that, or NULL. Answering closes a client and unlinks
 * it, so the link behind it is taken first. */
static struct control_client *next_waiting(struct control *control, struct list **link,
                                           enum control_request request)
{
    while (*link != &control->clients) {
        struct control_client *client = container_of(*link, struct control_client, link);

        *link = (*link)->next;
        if (client->state == CLIENT_WAITING && client->request_kind == request)
            return client;
    }
    return NULL;
}

void control_answer_stats(struct control *control, const char *line, size_t length)
{
    struct list *link = control->clients.next;
    struct control_client *client;

    while ((client = next_waiting(control, &link, CONTROL_STATS)) != NULL)
        answer_parts(client, &line, &length, 1);
}

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = 0;

    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

void control_answer_ps(struct control *control, char *const texts[], const size_t lengths[],
                       size_t count)
{
    enum { PARTS_MAX = 257 };
    const char *parts[PARTS_MAX];
    size_t part_lengths[PARTS_MAX];
    struct list *link = control->clients.next;
    struct control_client *client;
    size_t tunnels = 0;
    char head[64];
    struct text text;
    bool is_complete = true;

    REQUIRE(count < PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        is_complete &= texts[i] != NULL;
        parts[i + 1] = texts[i] != NULL ? texts[i] : "";
        part_lengths[i + 1] = texts[i] != NULL ? lengths[i] : 0;
        tunnels += count_lines(parts[i + 1], part_lengths[i + 1]);
    }
    text_init(&text, head, sizeof(head));
    text_add(&text, "{\"ok\":true,\"tunnels\":");
    text_add_decimal(&text, tunnels);
    text_add(&text, "}\n");
    parts[0] = head;
    part_lengths[0] = text.length;
    while ((client = next_waiting(control, &link, CONTROL_PS)) != NULL) {
        if (is_complete)
            answer_parts(client, parts, part_lengths, count + 1);
        else
            answer(client, "{\"ok\":false,\"error\":\"no memory for the list\"}\n");
    }
}

/* The answer line; NULL: no memory. The caller frees. */
static char *reload_line(bool is_good, const char *text)
{
    static const char end[] = "\"}\n";
    char *buffer = malloc(RELOAD_ANSWER_SIZE);
    struct text line;

    if (buffer == NULL)
        return NULL;
    text_init(&line, buffer, RELOAD_ANSWER_SIZE - sizeof(end));
    text_add(&line, is_good ? "{\"ok\":true,\"text\":" : "{\"ok\":false,\"error\":");
    json_add_string(&line, text);
    /* What was cut lacks its quote. */
    line.size = RELOAD_ANSWER_SIZE;
    text_add(&line, line.is_truncated ? end : end + 1);
    return buffer;
}

void control_answer_reload(struct control *control, size_t count, bool is_good, const char *text)
{
    struct list *link = control->clients.next;
    struct control_client *client;
    char *line = reload_line(is_good, text);

    control->reloads_answered += count;
    while ((client = next_waiting(control, &link, CONTROL_RELOAD)) != NULL) {
        if (client->reload_number < control->reloads_answered)
            answer(client, line != NULL ? line : "{\"ok\":false,\"error\":\"no memory\"}\n");
    }
    free(line);
}

void control_destroy(struct control *control)
{
    while (!list_is_empty(&control->clients))
        close_client(container_of(control->clients.next, struct control_client, link));
    deadline_cancel(control->loop, &control->retry);
    watch_take_fd(control->loop, &control->listener);
    free(control);
}
