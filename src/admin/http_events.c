/* Event streams (text/event-stream). Each has one buffer of fixed size. A line that does not fit is
 * dropped and counted, so that a slow reader delays nobody and costs no more memory. Once per
 * second each stream gets the figures; by that, a reader that has gone is noticed even when no
 * events happen.
 */
#include "admin/http_private.h"

#include "admin/json.h"
#include "admin/reload_report.h"
#include "admin/stats.h"
#include "base/escape.h"
#include "observe/logfmt.h"
#include "system/clock.h"

#include <string.h>

enum { STATUS_SIZE = 2048 + ESCAPE_MAX * RELOAD_ERROR_SIZE, SECOND_MS = 1000 };

/* Only a stream that has something to send has a deadline: a reader is stuck when it does not take
 * what is there, and not when nothing happens. */
static void set_patience(struct http_conn *conn)
{
    struct loop *loop = conn->server->loop;

    if (conn->output_start == conn->output_end)
        deadline_cancel(loop, &conn->deadline);
    else if (!deadline_is_set(&conn->deadline))
        deadline_set(loop, &conn->deadline, loop_now_ms(loop) + HTTP_STREAM_STUCK_MS);
}

/* Sends what the stream takes. Whenever some of it was taken, the reader gets another 15 s. Returns
 * false when the connection broke; it is then closed. */
static bool http_events_flush(struct http_conn *conn)
{
    size_t start = conn->output_start;

    if (!http_conn_send(conn)) {
        http_conn_close(conn);
        return false;
    }
    if (conn->output_start != start)
        deadline_cancel(conn->server->loop, &conn->deadline);
    if (conn->output_start == conn->output_end)
        conn->output_start = conn->output_end = 0;
    set_patience(conn);
    return true;
}

/* Adds an event to the buffer, or drops and counts it when there is no room for all of it. */
static void http_events_append(struct http_conn *conn, const char *event, const char *line,
                               size_t length)
{
    static const char shape[] = "event: \ndata: \n\n";
    size_t needed = sizeof(shape) + strlen(event) + length;
    struct text text;

    if (conn->output_start > 0) {
        memmove(conn->output, conn->output + conn->output_start,
                conn->output_end - conn->output_start);
        conn->output_end -= conn->output_start;
        conn->output_start = 0;
    }
    if (needed > conn->output_size - conn->output_end) {
        conn->server->events_dropped++;
        return;
    }
    text_init(&text, conn->output + conn->output_end, conn->output_size - conn->output_end);
    text_add(&text, "event: ");
    text_add(&text, event);
    text_add(&text, "\ndata: ");
    text_add_bytes(&text, line, length);
    text_add(&text, "\n\n");
    conn->output_end += text.length;
}

/* Adds the limits of tunnels and descriptors, and how many descriptors are open. */
static void add_room(struct text *text, const struct stats *stats)
{
    struct process_figures process = {0};

    if (stats->meter != NULL)
        process_meter_read(stats->meter, &process);
    json_add_number(text, "tunnels_max", stats->tunnels_max);
    json_add_number(text, "fds_open", process.open_fds);
    json_add_number(text, "fds_max", process.max_fds);
}

/* Adds the count of each bucket, in the form that the samples of the history have. */
static void add_wait(struct text *text, const char *name, const struct histogram_sum *sum)
{
    json_add_name(text, name);
    text_add_char(text, '[');
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        text_add(text, i > 0 ? "," : "");
        text_add_decimal(text, sum->buckets[i]);
    }
    text_add_char(text, ']');
}

static void print_status(struct http_server *server, struct text *out)
{
    static const struct {
        const char *name;
        enum counter counter;
    } rows[] = {
        {"tunnels_open", COUNTER_TUNNELS_OPEN},
        {"connections_open", COUNTER_CONNECTIONS_OPEN},
        {"established", COUNTER_TUNNELS_ESTABLISHED},
        {"denied", COUNTER_TUNNELS_DENIED},
        {"failed", COUNTER_TUNNELS_FAILED},
        {"asked", COUNTER_TUNNELS_ASKED},
        {"auth_failures", COUNTER_AUTH_FAILURES},
        {"bytes_up", COUNTER_BYTES_UP},
        {"bytes_down", COUNTER_BYTES_DOWN},
    };
    struct stats stats;

    server->panel->ops->read_stats(server->panel->self, &stats);
    text_add(out, "{");
    json_add_member(out, "version", ADIT_VERSION);
    json_add_member(out, "state", stats.state);
    stats_print_reload(out, stats.reload);
    json_add_number(out, "time_ms", clock_wall_ms());
    json_add_number(out, "uptime_s", stats.uptime_s);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        json_add_number(out, rows[i].name, stats.counters[rows[i].counter]);
    add_room(out, &stats);
    add_wait(out, "dial", &stats.histograms[HISTOGRAM_DIAL]);
    add_wait(out, "dns", &stats.histograms[HISTOGRAM_DNS]);
    json_add_number(out, "log_dropped", stats.log_dropped);
    json_add_number(out, "events_dropped", server->events_dropped);
    text_add(out, "}");
}

/* Returns the next event stream from `*link` on, or NULL, and moves `*link` behind it. So the
 * stream may be closed before the next call. */
static struct http_conn *next_stream(struct http_server *server, struct list **link)
{
    while (*link != &server->connections) {
        struct http_conn *conn = container_of(*link, struct http_conn, link);

        *link = (*link)->next;
        if (conn->state == HTTP_STREAMING)
            return conn;
    }
    return NULL;
}

void http_events_second(struct deadline *deadline)
{
    struct http_server *server = container_of(deadline, struct http_server, second);
    struct list *link = server->connections.next;
    char status[STATUS_SIZE];
    struct http_conn *conn;
    struct text text;

    text_init(&text, status, sizeof(status));
    print_status(server, &text);
    while ((conn = next_stream(server, &link)) != NULL) {
        http_events_append(conn, "status", status, text.length);
        http_events_flush(conn);
    }
    if (server->stream_count > 0)
        deadline_set(server->loop, &server->second, loop_now_ms(server->loop) + SECOND_MS);
}

static void http_events_happened(struct event_subscriber *subscriber, enum access_event event,
                                 const char *line, size_t length)
{
    struct http_conn *conn = container_of(subscriber, struct http_conn, subscriber);

    http_events_append(conn, access_event_name(event), line, length);
    http_events_flush(conn);
}

void http_events_start(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    char status[STATUS_SIZE];
    struct text text;

    if (server->stream_count == server->streams_max) {
        http_conn_refuse(conn, 503, "Retry-After: 5\r\n",
                         "no more may watch the events; close one of those pages");
        return;
    }
    if (!http_conn_begin_stream(conn, "text/event-stream", HTTP_STREAM_BYTES))
        return;
    stream_bound_queue(conn->stream, HTTP_STREAM_BYTES); /* more would be minutes of stale events */
    text_init(&text, status, sizeof(status));
    print_status(server, &text);
    http_events_append(conn, "status", status, text.length);
    server->stream_count++;
    conn->subscriber.happened = http_events_happened;
    server->panel->ops->subscribe(server->panel->self, &conn->subscriber);
    if (!deadline_is_set(&server->second))
        deadline_set(server->loop, &server->second, loop_now_ms(server->loop) + SECOND_MS);
    http_events_flush(conn);
}

void http_events_ready(struct http_conn *conn)
{
    http_events_flush(conn);
}

void http_events_stop(struct http_conn *conn)
{
    conn->server->stream_count--;
    conn->server->panel->ops->unsubscribe(conn->server->panel->self, &conn->subscriber);
}
