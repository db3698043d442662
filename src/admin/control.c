/* The server end of the control socket. A client sends one request line, gets one answer, and the
 * connection is closed. Everything runs on the worker's main thread and nothing blocks: what other
 * threads must be asked for comes back later through a callback, and until then the client waits.
 *
 * `trace` is the exception to the one answer: see control_trace.c.
 *
 * Reloads are numbered in the order in which they are asked for, and the supervisor answers in that
 * order. A client keeps its number, so when one client leaves early, its answer does not go to the
 * next client by mistake.
 */
#include "admin/control.h"

#include "admin/control_private.h"
#include "admin/control_request.h"
#include "admin/explain_answer.h"
#include "admin/json.h"
#include "admin/panel.h"
#include "base/state.h"
#include "config/command_line.h"
#include "loop/loop.h"
#include "net/acceptor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 16,
    PATIENCE_MS = 10000,        /* for the request line, for an answer, and for taking it */
    RELOAD_PATIENCE_MS = 60000, /* a list of a million names takes seconds */
    EXPLAIN_PATIENCE_MS = PANEL_EXPLAIN_MS + 5000, /* the panel ends it before that */
    RELOAD_ANSWER_SIZE = 64 * 1024,
};

static const struct state_row client_rows[] = {
    [CLIENT_READING] = {"reading", STATE_BIT(CLIENT_WAITING) | STATE_BIT(CLIENT_WRITING) |
                                       STATE_BIT(CLIENT_CLOSED)},
    [CLIENT_WAITING] = {"waiting", STATE_BIT(CLIENT_STREAMING) | STATE_BIT(CLIENT_WRITING) |
                                       STATE_BIT(CLIENT_CLOSED)},
    [CLIENT_STREAMING] = {"streaming", STATE_BIT(CLIENT_WRITING) | STATE_BIT(CLIENT_CLOSED)},
    [CLIENT_WRITING] = {"writing", STATE_BIT(CLIENT_CLOSED)},
    [CLIENT_CLOSED] = {"closed", 0},
};
static const struct state_table client_states = {"client of the control socket", client_rows,
                                                 ARRAY_LENGTH(client_rows)};

void control_client_move_to(struct control_client *client, enum client_state state)
{
    state_move(&client_states, &client->state, state, 0);
}

static void free_client(struct garbage *garbage)
{
    struct control_client *client = container_of(garbage, struct control_client, garbage);

    free(client->answer);
    free(client);
}

void control_client_close(struct control_client *client)
{
    struct control *control = client->control;

    control_client_move_to(client, CLIENT_CLOSED);
    control_trace_leave(client);
    control->panel->ops->cancel_tunnels(control->panel->self, &client->query);
    control->panel->ops->cancel_explain(control->panel->self, &client->explain);
    deadline_cancel(control->loop, &client->patience);
    watch_close(&client->watch);
    list_remove(&client->link);
    control->client_count--;
    loop_free_later(control->loop, &client->garbage, free_client);
}

int control_client_flush(struct control_client *client)
{
    while (client->answer_sent < client->answer_length) {
        ssize_t count =
            send(client->watch.fd, client->answer + client->answer_sent,
                 client->answer_length - client->answer_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0)
            client->answer_sent += (size_t)count;
    }
    return 0;
}

/* Closes the client when everything was sent, or when the other end is gone. */
static void control_client_write(struct control_client *client)
{
    if (control_client_flush(client) != -EAGAIN)
        control_client_close(client);
}

void control_client_send(struct control_client *client)
{
    struct loop *loop = client->control->loop;

    control_client_move_to(client, CLIENT_WRITING);
    deadline_set(loop, &client->patience, loop_now_ms(loop) + PATIENCE_MS);
    control_client_write(client);
}

/* Joins copies of the parts to the client's answer, and begins to send it. Without memory the
 * client is closed, since there is no way to tell it. */
static void answer_parts(struct control_client *client, const char *const parts[],
                         const size_t lengths[], size_t count)
{
    size_t length = 0;

    for (size_t i = 0; i < count; i++)
        length += lengths[i];
    client->answer = malloc(length);
    if (client->answer == NULL) {
        control_client_close(client);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(client->answer + client->answer_length, parts[i], lengths[i]);
        client->answer_length += lengths[i];
    }
    control_client_send(client);
}

static void answer(struct control_client *client, const char *line)
{
    size_t length = strlen(line);

    answer_parts(client, &line, &length, 1);
}

void control_client_refuse(struct control_client *client, const char *problem)
{
    char line[256];
    struct text text;

    text_init(&text, line, sizeof(line));
    text_add(&text, CONTROL_ANSWER_FAILED);
    json_add_member(&text, "error", problem);
    text_add(&text, "}\n");
    answer(client, line);
}

static void answer_stats(struct control_client *client)
{
    const struct panel *panel = client->control->panel;
    char line[STATS_SIZE];
    struct stats stats;
    struct text text;

    panel->ops->read_stats(panel->self, &stats);
    text_init(&text, line, sizeof(line));
    stats_print_json(&text, &stats);
    answer(client, line);
}

/* Answers with the line `{"ok":true,"NAME":COUNT}`, followed by the parts: one line per tunnel. */
static void answer_tunnels(struct control_client *client, const char *name, size_t count,
                           const struct tunnels_answer *tunnels)
{
    const char *parts[COMMAND_LINE_WORKERS_MAX + 1];
    size_t lengths[COMMAND_LINE_WORKERS_MAX + 1];
    char head[64];
    struct text text;

    REQUIRE(tunnels->part_count <= COMMAND_LINE_WORKERS_MAX);
    text_init(&text, head, sizeof(head));
    text_add(&text, CONTROL_ANSWER_OK);
    json_add_number(&text, name, count);
    text_add(&text, "}\n");
    parts[0] = head;
    lengths[0] = text.length;
    for (size_t i = 0; i < tunnels->part_count; i++) {
        parts[i + 1] = tunnels->parts[i];
        lengths[i + 1] = tunnels->lengths[i];
    }
    answer_parts(client, parts, lengths, tunnels->part_count + 1);
}

static void tunnels_answered(struct tunnels_query *query, const struct tunnels_answer *tunnels)
{
    struct control_client *client = container_of(query, struct control_client, query);

    if (tunnels->is_complete)
        answer_tunnels(client, query->is_kill ? "killed" : "tunnels", tunnels->tunnel_count,
                       tunnels);
    else
        control_client_refuse(client, "no memory for the list");
}

static void answer_drain(struct control_client *client, uint64_t drain_ms)
{
    char line[64];
    struct text text;

    text_init(&text, line, sizeof(line));
    text_add(&text, CONTROL_ANSWER_OK);
    json_add_number(&text, "drain_ms", drain_ms);
    text_add(&text, "}\n");
    answer(client, line);
}

/* The number is taken before the owner is asked, since it may answer within the call. */
static void wait_for_reload(struct control_client *client)
{
    struct control *control = client->control;

    client->reload_number = control->reloads_asked++;
    deadline_set(control->loop, &client->patience, loop_now_ms(control->loop) + RELOAD_PATIENCE_MS);
    control->owner.reload(control->owner.self);
}

/* Writes to the log who asked for what. The process that asked may be gone by the time that
 * somebody wants to know. */
static void note(const struct control_client *client, const char *what, const char *which)
{
    const struct control_owner *owner = &client->control->owner;
    char words[TUNNEL_FILTER_TEXT_SIZE + 128];

    snprintf(words, sizeof(words), "%s asked by uid %u, pid %d%s%s", what, client->peer.uid,
             (int)client->peer.pid, which[0] != '\0' ? ": " : "", which);
    owner->note(owner->self, words);
}

static void control_note_kill(const struct control_client *client,
                              const struct tunnel_filter *filter)
{
    char which[TUNNEL_FILTER_TEXT_SIZE];
    struct text text;

    text_init(&text, which, sizeof(which));
    tunnel_filter_print(&text, filter);
    note(client, "kill", which);
}

static void ask_tunnels(struct control_client *client, const struct control_request *request)
{
    const struct panel *panel = client->control->panel;

    if (request->kind == CONTROL_KILL)
        control_note_kill(client, &request->filter);
    client->query = (struct tunnels_query){.filter = request->filter,
                                           .is_kill = request->kind == CONTROL_KILL,
                                           .answered = tunnels_answered};
    panel->ops->ask_tunnels(panel->self, &client->query);
}

static void control_explained(struct explain_request *request,
                              const struct explain_answer *explanation)
{
    struct control_client *client = container_of(request, struct control_client, explain);
    size_t length = 0;
    char *line = explain_answer_print(explanation, CONTROL_ANSWER_OK, &length);
    const char *part = line;

    if (line != NULL)
        answer_parts(client, &part, &length, 1);
    else
        control_client_refuse(client, "no memory for the answer");
    free(line);
}

static void ask_policy(struct control_client *client, const struct control_request *request)
{
    struct control *control = client->control;
    const char *problem = "too many ask at once; try again";

    client->explain = (struct explain_request){.answered = control_explained};
    for (size_t i = 0; i < QUESTION_FIELD_COUNT; i++)
        client->explain.words[i] = request->words[i][0] != '\0' ? request->words[i] : NULL;
    deadline_set(control->loop, &client->patience,
                 loop_now_ms(control->loop) + EXPLAIN_PATIENCE_MS);
    if (control->panel->ops->explain(control->panel->self, &client->explain, &problem) < 0)
        control_client_refuse(client, problem);
}

static void control_serve(struct control_client *client, const char *line, size_t length)
{
    struct control *control = client->control;
    struct control_request request;
    const char *problem;

    if (control_request_parse(line, length, &request, &problem) < 0) {
        control_client_refuse(client, problem);
        return;
    }
    /* The state is changed first, since some requests are answered within the calls below. */
    control_client_move_to(client, CLIENT_WAITING);
    client->kind = request.kind;
    switch (request.kind) {
    case CONTROL_STATS:
        answer_stats(client);
        break;
    case CONTROL_PS:
    case CONTROL_KILL:
        ask_tunnels(client, &request);
        break;
    case CONTROL_RELOAD:
        note(client, "reload", "");
        wait_for_reload(client);
        break;
    case CONTROL_DRAIN:
        note(client, "drain", "");
        answer_drain(client, control->owner.drain(control->owner.self));
        break;
    case CONTROL_EXPLAIN:
        ask_policy(client, &request);
        break;
    case CONTROL_TRACE:
        control_trace(client, &request);
        break;
    case CONTROL_KIND_COUNT:
        break;
    }
}

/* Reads until there is a whole line, and serves that. What follows it is ignored. */
static void read_request(struct control_client *client)
{
    for (;;) {
        size_t room = sizeof(client->request) - client->length;
        ssize_t count = recv(client->watch.fd, client->request + client->length, room, 0);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0) {
            control_client_close(client);
            return;
        }
        const char *newline = memchr(client->request + client->length, '\n', (size_t)count);
        client->length += (size_t)count;
        if (newline != NULL) {
            control_serve(client, client->request, (size_t)(newline - client->request));
            return;
        }
        if (client->length == sizeof(client->request)) {
            control_client_refuse(client, "the request is over 4096 bytes");
            return;
        }
    }
}

static void client_ready(struct watch *watch, uint32_t events)
{
    struct control_client *client = container_of(watch, struct control_client, watch);
    struct state_concern concern;

    state_concern_enter(&concern, &client_states, &client->state, 0);
    if (client->state == CLIENT_READING)
        read_request(client);
    else if (client->state <= CLIENT_STREAMING && events & (EPOLLERR | EPOLLHUP))
        control_client_close(client);
    else if (client->state == CLIENT_STREAMING)
        control_trace_go_on(client);
    else if (client->state == CLIENT_WRITING)
        control_client_write(client);
    state_concern_leave(&concern);
}

static void patience_passed(struct deadline *deadline)
{
    control_client_close(container_of(deadline, struct control_client, patience));
}

/* Makes a client of `fd`, which the client owns on success. Returns 0 or -errno. */
static int open_client(struct control *control, int fd)
{
    struct control_client *client = calloc(1, sizeof(*client));
    socklen_t length = sizeof(client->peer);

    if (client == NULL)
        return -ENOMEM;
    client->control = control;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &length) < 0)
        client->peer = (struct ucred){.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
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

/* A client that says nothing, or does not read its answer, must not keep others away: when all
 * places are taken, the oldest client loses its place. One that has an answer under way, or a
 * trace, is closed without a word, since its buffer has no place for a second answer. */
static void control_make_room(struct control *control)
{
    if (control->client_count < CLIENTS_MAX)
        return;
    struct control_client *oldest =
        container_of(control->clients.next, struct control_client, link);
    if (oldest->state >= CLIENT_STREAMING || oldest->is_tracing)
        control_client_close(oldest);
    else
        control_client_refuse(oldest, "too many control clients; try again");
}

static void control_accepted(void *self, int fd, const struct ip_endpoint *client, unsigned slot,
                             bool is_last_descriptor)
{
    struct control *control = self;

    (void)client;
    (void)slot;
    (void)is_last_descriptor;
    control_make_room(control);
    if (open_client(control, fd) < 0)
        close(fd);
}

int control_create(struct loop *loop, int fd, const struct panel *panel,
                   const struct control_owner *owner, struct control **ret_control)
{
    struct control *control = calloc(1, sizeof(*control));
    const struct acceptor_owner acceptor = {.accepted = control_accepted, .self = control};
    const struct listener listener = {.fd = fd}; /* the only one */

    if (control == NULL)
        return -ENOMEM;
    control->loop = loop;
    control->panel = panel;
    control->owner = *owner;
    list_init(&control->clients);
    int error = acceptor_create(loop, &acceptor, NULL, NULL, &control->acceptor);
    if (error == 0) {
        error = acceptor_add(control->acceptor, &listener);
        if (error < 0)
            acceptor_destroy(control->acceptor);
    }
    if (error < 0) {
        free(control);
        return error;
    }
    *ret_control = control;
    return 0;
}

/* Returns the answer line, which the caller frees, or NULL when there is no memory. */
static char *reload_line(bool is_good, const char *text)
{
    static const char end[] = "\"}\n";
    char *buffer = malloc(RELOAD_ANSWER_SIZE);
    struct text line;

    if (buffer == NULL)
        return NULL;
    text_init(&line, buffer, RELOAD_ANSWER_SIZE - sizeof(end));
    text_add(&line, is_good ? CONTROL_ANSWER_OK : CONTROL_ANSWER_FAILED);
    json_add_member(&line, is_good ? "text" : "error", text);
    /* A text that was cut lacks its closing quote; `end` supplies it. */
    line.size = RELOAD_ANSWER_SIZE;
    text_add(&line, line.is_truncated ? end : end + 1);
    return buffer;
}

void control_answer_reload(struct control *control, size_t count, bool is_good, const char *text)
{
    char *line = reload_line(is_good, text);

    control->reloads_answered += count;
    for (struct list *link = control->clients.next; link != &control->clients;) {
        struct control_client *client = container_of(link, struct control_client, link);

        link = link->next; /* answering may unlink */
        if (client->state == CLIENT_WAITING && client->kind == CONTROL_RELOAD &&
            client->reload_number < control->reloads_answered)
            answer(client,
                   line != NULL ? line : CONTROL_ANSWER_FAILED ",\"error\":\"no memory\"}\n");
    }
    free(line);
}

void control_destroy(struct control *control)
{
    while (!list_is_empty(&control->clients))
        control_client_close(container_of(control->clients.next, struct control_client, link));
    acceptor_destroy(control->acceptor);
    free(control);
}
