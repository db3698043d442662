/* A trace on the control socket is a stream, where any other request has one answer. Its lines go
 * into a buffer of bounded size. A step that finds no room there is dropped and counted, and the
 * client is told the number once the buffer has room again. So a slow reader never delays a tunnel.
 */
#include "admin/control_private.h"

#include "admin/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRACERS_MAX = 4, /* each step of a tunnel is compared with each tracer's filter */
    TRACE_BUFFER_SIZE = 128 * 1024, /* per tracer; how far a slow reader may fall behind */
};

void control_trace_leave(struct control_client *client)
{
    if (!client->is_tracing)
        return;
    client->is_tracing = false;
    client->control->tracer_count--;
    client->control->panel->ops->end_trace(client->control->panel->self, &client->tracer);
}

/* Adds a line to the buffer. Returns false when there is no room for all of it. */
static bool control_trace_put(struct control_client *client, const char *line, size_t length)
{
    if (client->answer_sent > 0) {
        client->answer_length -= client->answer_sent;
        memmove(client->answer, client->answer + client->answer_sent, client->answer_length);
        client->answer_sent = 0;
    }
    if (length > TRACE_BUFFER_SIZE - client->answer_length)
        return false;
    memcpy(client->answer + client->answer_length, line, length);
    client->answer_length += length;
    return true;
}

static void control_trace_tell_lost(struct control_client *client)
{
    char line[64];
    struct text text;

    if (client->lost_count == 0)
        return;
    text_init(&text, line, sizeof(line));
    text_add(&text, "{\"lost\":");
    text_add_decimal(&text, client->lost_count);
    text_add(&text, "}\n");
    if (control_trace_put(client, line, text.length))
        client->lost_count = 0;
}

/* Sends what the socket takes. When all of it is sent, there is room to tell the client of a loss,
 * and that line is sent, too. Closes the client when the other end is gone. */
static void control_trace_flush(struct control_client *client)
{
    int error;

    do {
        error = control_client_flush(client);
        control_trace_tell_lost(client);
    } while (error == 0 && client->answer_sent < client->answer_length);
    if (error < 0 && error != -EAGAIN)
        control_client_close(client);
}

void control_trace_go_on(struct control_client *client)
{
    if (client->state != CLIENT_STREAMING)
        return;
    control_trace_tell_lost(client);
    if (!client->is_trace_over) {
        control_trace_flush(client);
        return;
    }
    control_trace_leave(client);
    control_client_send(client);
}

static void control_trace_stepped(struct trace_subscriber *tracer, const char *line, size_t length,
                                  bool is_last)
{
    struct control_client *client = container_of(tracer, struct control_client, tracer);

    /* After a loss, further steps count as lost, too, until the client was told of it: the line
     * that tells of a gap stands where the gap is. */
    if (client->lost_count > 0 || !control_trace_put(client, line, length))
        client->lost_count++;
    /* Only a trace of one tunnel ends by itself; one with another filter waits for new tunnels. */
    client->is_trace_over |= is_last && tracer->filter.id != 0;
    control_trace_go_on(client);
}

static void control_trace_lost(struct trace_subscriber *tracer, uint64_t count)
{
    struct control_client *client = container_of(tracer, struct control_client, tracer);

    client->lost_count += count;
    control_trace_go_on(client);
}

static void control_trace_stream(struct control_client *client)
{
    deadline_cancel(client->control->loop, &client->patience);
    control_client_move_to(client, CLIENT_STREAMING);
    control_trace_go_on(client);
}

/* Threads have said whether the tunnel exists. The trace has begun before they were asked, so that
 * the end of a tunnel that closes in between is not missed. */
static void control_trace_found(struct tunnels_query *query, const struct tunnels_answer *tunnels)
{
    struct control_client *client = container_of(query, struct control_client, query);

    if (tunnels->tunnel_count > 0 || client->is_trace_over) {
        control_trace_stream(client);
        return;
    }
    control_trace_leave(client);
    free(client->answer);
    client->answer = NULL;
    client->answer_length = 0;
    control_client_refuse(client, "there is no such tunnel; see 'adit ps'");
}

void control_trace(struct control_client *client, const struct control_request *request)
{
    static const char granted[] = CONTROL_ANSWER_OK "}\n";
    struct control *control = client->control;

    if (control->tracer_count == TRACERS_MAX) {
        control_client_refuse(client, "four trace already; end one of them");
        return;
    }
    client->answer = malloc(TRACE_BUFFER_SIZE);
    if (client->answer == NULL) {
        control_client_close(client);
        return;
    }
    control_trace_put(client, granted, sizeof(granted) - 1);
    client->tracer = (struct trace_subscriber){
        .filter = request->filter, .stepped = control_trace_stepped, .lost = control_trace_lost};
    client->is_tracing = true;
    control->tracer_count++;
    control->panel->ops->begin_trace(control->panel->self, &client->tracer);
    if (request->filter.id == 0) {
        control_trace_stream(client);
        return;
    }
    client->query =
        (struct tunnels_query){.filter = request->filter, .answered = control_trace_found};
    control->panel->ops->ask_tunnels(control->panel->self, &client->query);
}
