/* The control socket's clients, for the files that serve them. Private to admin/control*.c. */
#ifndef ADMIN_CONTROL_PRIVATE_H
#define ADMIN_CONTROL_PRIVATE_H

#include "admin/control.h"
#include "admin/control_request.h"
#include "admin/panel.h"
#include "base/list.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct acceptor;

enum client_state {
    CLIENT_READING,   /* the request line is not complete; only `request` and `length` are valid */
    CLIENT_WAITING,   /* `kind` is valid, and the request of that kind has not been answered */
    CLIENT_STREAMING, /* a trace: `answer` is its buffer; no deadline is set */
    CLIENT_WRITING,   /* `answer` holds all that is still to be sent; nothing is added any more */
    CLIENT_CLOSED,    /* the descriptor is closed; the loop frees the memory after this turn */
};

struct control {
    struct loop *loop;
    struct acceptor *acceptor;
    struct list clients;
    size_t client_count;
    size_t tracer_count;
    const struct panel *panel;
    struct control_owner owner;
    size_t reloads_asked;
    size_t reloads_answered;
};

struct control_client {
    struct watch watch;
    struct deadline patience;
    struct garbage garbage;
    struct list link;
    struct control *control;
    uint8_t state; /* enum client_state */
    struct ucred peer;
    enum control_kind kind; /* since CLIENT_WAITING */
    struct tunnels_query query;
    struct explain_request explain;
    size_t reload_number;
    struct trace_subscriber tracer; /* while is_tracing */
    uint64_t lost_count; /* steps that found no room, and that the client was not told of */
    bool is_tracing;
    bool is_trace_over; /* the tunnel that it traces has closed */
    char *answer;       /* TRACE_BUFFER_SIZE bytes for a trace; NULL: none yet */
    size_t answer_length;
    size_t answer_sent;
    size_t length;
    char request[CONTROL_REQUEST_MAX];
};

/* Changes the state. Contract: the table of states in control.c allows the change. */
void control_client_move_to(struct control_client *client, enum client_state state);
/* Ends the connection and whatever is asked for it. The memory lives until the end of the turn. */
void control_client_close(struct control_client *client);
/* Sends as much of `answer` as the socket takes. Returns 0 when nothing is left, -EAGAIN when
 * something is left, or another -errno when the other end is gone. */
int control_client_flush(struct control_client *client) MUST_CHECK;
/* Sends the whole `answer`, with a deadline, and closes the client afterwards. Contract: nothing is
 * added to the answer any more. */
void control_client_send(struct control_client *client);
/* Answers with an error. Contract: the client has no answer yet. */
void control_client_refuse(struct control_client *client, const char *problem);

/* Begins what `request` asks to trace, or refuses. */
void control_trace(struct control_client *client, const struct control_request *request);
/* Sends what the socket takes now. When the traced tunnel is over, what remains is sent like any
 * other answer: with a deadline, and the client is closed behind it. */
void control_trace_go_on(struct control_client *client);
/* Ends the client's trace. Harmless for a client that has none. */
void control_trace_leave(struct control_client *client);

#endif
