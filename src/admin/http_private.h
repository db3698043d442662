/* The admin server's connections. Private to admin/http_*.c. */
#ifndef ADMIN_HTTP_PRIVATE_H
#define ADMIN_HTTP_PRIVATE_H

#include "access/auth.h"
#include "admin/http_server.h"
#include "admin/panel.h"
#include "loop/loop.h"
#include "net/linger.h"
#include "net/stream.h"
#include "observe/access_log.h"
#include "observe/counters.h"
#include "wire/basic_auth.h"
#include "wire/http1_head.h"

enum {
    HTTP_STREAM_BYTES = 64 * 1024,
    HTTP_HEAD_MS = 10000,
    HTTP_ANSWER_MS = 10000,
    HTTP_WAIT_MS = 15000, /* for an answer of the threads, or for a password hash */
    HTTP_EXPLAIN_MS = PANEL_EXPLAIN_MS + 5000, /* the panel ends it before that */
    HTTP_STREAM_STUCK_MS = 15000,
    HTTP_HELD_MAX = 64 * 1024 * 1024, /* bytes of answers in all */
};

enum http_state {
    HTTP_READING,   /* the request's head is not complete, or not routed yet */
    HTTP_CHECKING,  /* `check` is under way: another thread hashes the password */
    HTTP_WAITING,   /* the panel was asked: `query` or `explain` is under way */
    HTTP_WRITING,   /* `output` holds the rest of the answer */
    HTTP_STREAMING, /* `output` is the buffer of an event stream, `subscriber` is subscribed */
    HTTP_LINGERING, /* answered; what still comes is dropped, since a reset would lose the answer */
    HTTP_CLOSED,    /* the loop frees the memory after this turn */
    HTTP_STATE_COUNT,
};

struct http_server {
    struct loop *loop;
    const struct panel *panel;
    struct auth *auth;
    struct log_ring *log;
    struct event_feed *events;
    struct access_ids ids;
    struct counters counters;
    struct http_door door;
    struct acceptor *acceptor;
    struct deadline second;  /* set while there are streams: when they get the next figures */
    struct list connections; /* the oldest first */
    size_t connection_count, connections_max;
    size_t stream_count, streams_max;
    size_t held; /* bytes of all `output` of all connections; at most HTTP_HELD_MAX */
    uint64_t events_dropped;
};

struct http_conn {
    struct list link;
    struct http_server *server;
    struct stream *stream;
    struct deadline deadline; /* of the present state; lingering has its own */
    struct lingering lingering;
    struct garbage garbage;
    struct ip_endpoint client;
    uint8_t state; /* enum http_state */
    struct http1_scan scan;
    struct http1_request request; /* valid once the head was parsed; has views of `head` */
    struct auth_check check;
    struct tunnels_query query;
    struct explain_request explain;
    struct event_subscriber subscriber; /* while streaming */
    char *output;                       /* an answer, or a stream's buffer; NULL: none */
    size_t output_size, output_start, output_end;
    char user[BASIC_USER_MAX + 1];
    size_t length;
    char head[HTTP1_HEAD_MAX];
};

/* ---- http_conn.c ---- */

/* Makes a connection of `stream`, which it owns on success, and reads what has come already.
 * Returns 0 or -ENOMEM. */
int http_conn_open(struct http_server *server, struct stream *stream,
                   const struct ip_endpoint *client) MUST_CHECK;
void http_conn_close(struct http_conn *conn);
/* Changes the state. Contract: the table of states in http_conn.c allows the change. */
void http_conn_move_to(struct http_conn *conn, enum http_state state);
/* Sets how long, from now on, the present state may last. */
void http_conn_set_patience(struct http_conn *conn, uint64_t ms);
/* Sends the answer; its body is made of copies of `parts`, and left out when the method is HEAD.
 * `fields` are more lines of the head, each with its CRLF. The connection is closed when there is
 * no memory. */
void http_conn_answer(struct http_conn *conn, unsigned status, const char *content_type,
                      const char *fields, const char *const parts[], const size_t lengths[],
                      size_t count);
void http_conn_answer_text(struct http_conn *conn, unsigned status, const char *text);
void http_conn_answer_json(struct http_conn *conn, unsigned status, const char *json,
                           size_t length);
/* Answers with one line that tells a person why: below /api as JSON, elsewhere as text. */
void http_conn_refuse(struct http_conn *conn, unsigned status, const char *fields, const char *why);
/* Begins an answer without an end: adds its head to `output`, and makes room there for `size` bytes
 * more. Returns false when there is no room for that; the connection is then closed. */
bool http_conn_begin_stream(struct http_conn *conn, const char *content_type,
                            size_t size) MUST_CHECK;
/* Sends as much of `output` as the stream takes. Returns false when the connection broke. */
bool http_conn_send(struct http_conn *conn) MUST_CHECK;

/* ---- http_routes.c ---- */

/* Serves a request that is complete and was let in: answers it now, or asks the panel and answers
 * later. */
void http_route(struct http_conn *conn);
/* Takes back what the panel was asked for this connection, if anything. */
void http_route_cancel(struct http_conn *conn);

/* ---- http_login.c ---- */

/* Decides whether the request is let in, and calls http_route if it is: at once, or later when its
 * password was found right. Otherwise it answers why not. */
void http_login(struct http_conn *conn);
/* For a connection in HTTP_CHECKING: gives the check up, because the users have changed, and
 * answers that the request should be sent again. */
void http_login_cancel(struct http_conn *conn);

/* ---- http_events.c ---- */

void http_events_start(struct http_conn *conn);
void http_events_ready(struct http_conn *conn);
void http_events_stop(struct http_conn *conn);
void http_events_second(struct deadline *deadline);

#endif
