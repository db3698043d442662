/* One connection of the admin page. Its head is read, the client is let in or not (http_login), and
 * the request goes to its handler (http_route). After the answer the connection is half-closed, and
 * what the client still sends is dropped for a moment. Or the connection becomes an event stream,
 * which lasts until one side closes it. There is one request per connection: nothing behind the
 * first head is ever looked at.
 */
#include "admin/http_private.h"

#include "admin/json.h"
#include "admin/page.h"
#include "base/state.h"
#include "wire/http1_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* HEAD_SIZE is room for the fields that adit adds to an answer, and CONN_WHY_SIZE for one line of
 * text. DISCARD_READS bounds what one connection may read per turn of the loop. */
enum { HEAD_SIZE = 2048, CONN_WHY_SIZE = 1024, DISCARD_READS = 16 };

static const struct state_row http_rows[] = {
    [HTTP_READING] = {"reading", STATE_BIT(HTTP_CHECKING) | STATE_BIT(HTTP_WAITING) |
                                     STATE_BIT(HTTP_WRITING) | STATE_BIT(HTTP_STREAMING) |
                                     STATE_BIT(HTTP_CLOSED)},
    [HTTP_CHECKING] = {"checking", STATE_BIT(HTTP_READING) | STATE_BIT(HTTP_CLOSED)},
    [HTTP_WAITING] = {"waiting",
                      STATE_BIT(HTTP_READING) | STATE_BIT(HTTP_WRITING) | STATE_BIT(HTTP_CLOSED)},
    [HTTP_WRITING] = {"writing", STATE_BIT(HTTP_LINGERING) | STATE_BIT(HTTP_CLOSED)},
    [HTTP_STREAMING] = {"streaming", STATE_BIT(HTTP_CLOSED)},
    [HTTP_LINGERING] = {"lingering", STATE_BIT(HTTP_CLOSED)},
    [HTTP_CLOSED] = {"closed", 0},
};
static_assert(ARRAY_LENGTH(http_rows) == HTTP_STATE_COUNT, "a row for every state");

static const struct state_table http_states = {"connection of the admin page", http_rows,
                                               HTTP_STATE_COUNT};

void http_conn_move_to(struct http_conn *conn, enum http_state state)
{
    state_move(&http_states, &conn->state, state, 0);
}

void http_conn_set_patience(struct http_conn *conn, uint64_t ms)
{
    struct loop *loop = conn->server->loop;

    deadline_set(loop, &conn->deadline, loop_now_ms(loop) + ms);
}

/* Overwrites the head when it is not needed any more, since it may hold a password. */
static void http_conn_wipe_head(struct http_conn *conn)
{
    explicit_bzero(conn->head, conn->length);
    conn->length = 0;
}

static void http_conn_free(struct garbage *garbage)
{
    struct http_conn *conn = container_of(garbage, struct http_conn, garbage);

    free(conn->output);
    free(conn);
}

/* Closes in any state, from anywhere. The memory is freed only after this turn of the loop, since a
 * caller further up may still use it. */
void http_conn_close(struct http_conn *conn)
{
    struct http_server *server = conn->server;

    if (conn->state == HTTP_CLOSED)
        return;
    if (conn->state == HTTP_CHECKING)
        auth_check_cancel(&conn->check);
    if (conn->state == HTTP_WAITING)
        http_route_cancel(conn);
    if (conn->state == HTTP_STREAMING)
        http_events_stop(conn);
    http_conn_move_to(conn, HTTP_CLOSED);
    http_conn_wipe_head(conn);
    server->held -= conn->output_size;
    server->connection_count--;
    list_remove(&conn->link);
    deadline_cancel(server->loop, &conn->deadline);
    linger_cancel(&conn->lingering);
    stream_close(conn->stream, false);
    loop_free_later(server->loop, &conn->garbage, http_conn_free);
}

/* ---- answering ---- */

bool http_conn_send(struct http_conn *conn)
{
    while (conn->output_start < conn->output_end && (conn->stream->ready & STREAM_WRITABLE)) {
        ssize_t count = stream_write(conn->stream, conn->output + conn->output_start,
                                     conn->output_end - conn->output_start);

        if (count < 0)
            return count == -EAGAIN;
        conn->output_start += (size_t)count;
    }
    return true;
}

static void http_conn_lingered(struct lingering *lingering)
{
    http_conn_close(container_of(lingering, struct http_conn, lingering));
}

static void http_conn_write(struct http_conn *conn)
{
    if (!http_conn_send(conn)) {
        http_conn_close(conn);
        return;
    }
    if (conn->output_start < conn->output_end)
        return;
    http_conn_move_to(conn, HTTP_LINGERING);
    deadline_cancel(conn->server->loop, &conn->deadline);
    linger_begin(&conn->lingering, conn->server->loop, conn->stream, http_conn_lingered);
}

/* Makes room for an answer, within the bound for all connections together. Returns false when there
 * is no room; the connection is then closed. */
static bool take_output(struct http_conn *conn, size_t size)
{
    struct http_server *server = conn->server;

    REQUIRE(conn->output == NULL);
    if (size <= HTTP_HELD_MAX - server->held)
        conn->output = malloc(size);
    if (conn->output == NULL) {
        http_conn_close(conn);
        return false;
    }
    conn->output_size = size;
    server->held += size;
    return true;
}

/* Every answer has the fields that keep browsers from caching it, guessing its type, showing it on
 * another site's page, or running scripts in it that are not the page's own. */
static void add_head(struct http_conn *conn, const struct http1_answer *answer)
{
    char fields[HEAD_SIZE];
    struct http1_answer complete = *answer;
    struct text text;

    text_init(&text, fields, sizeof(fields));
    text_add(&text, answer->fields);
    text_add(&text, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                    "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n"
                    "Content-Security-Policy: ");
    text_add(&text, page_get()->security_policy);
    text_add(&text, "\r\n");
    complete.fields = fields;
    text_init(&text, conn->output, conn->output_size);
    http1_reply_head(&text, &complete);
    REQUIRE(!text.is_truncated);
    conn->output_end = text.length;
}

static void http_conn_answer_parts(struct http_conn *conn, const struct http1_answer *answer,
                                   const char *const parts[], const size_t lengths[], size_t count)
{
    struct http1_answer whole = *answer;

    whole.has_length = true;
    for (size_t i = 0; i < count; i++)
        whole.length += lengths[i];
    if (!take_output(conn, 2 * HEAD_SIZE + whole.length))
        return;
    add_head(conn, &whole);
    for (size_t i = 0; i < count && !conn->request.is_head_method; i++) {
        memcpy(conn->output + conn->output_end, parts[i], lengths[i]);
        conn->output_end += lengths[i];
    }
    http_conn_move_to(conn, HTTP_WRITING);
    http_conn_wipe_head(conn);
    stream_want(conn->stream, STREAM_WRITABLE);
    http_conn_set_patience(conn, HTTP_ANSWER_MS);
    http_conn_write(conn);
}

void http_conn_answer(struct http_conn *conn, unsigned status, const char *content_type,
                      const char *fields, const char *const parts[], const size_t lengths[],
                      size_t count)
{
    const struct http1_answer answer = {
        .status = status, .content_type = content_type, .fields = fields};

    http_conn_answer_parts(conn, &answer, parts, lengths, count);
}

bool http_conn_begin_stream(struct http_conn *conn, const char *content_type, size_t size)
{
    const struct http1_answer answer = {.status = 200, .content_type = content_type, .fields = ""};

    if (!take_output(conn, 2 * HEAD_SIZE + size))
        return false;
    add_head(conn, &answer);
    http_conn_move_to(conn, HTTP_STREAMING);
    http_conn_wipe_head(conn);
    stream_want(conn->stream, STREAM_READABLE | STREAM_WRITABLE);
    deadline_cancel(conn->server->loop, &conn->deadline);
    return true;
}

void http_conn_answer_text(struct http_conn *conn, unsigned status, const char *text)
{
    size_t length = strlen(text);

    http_conn_answer(conn, status, "text/plain; charset=utf-8", "", &text, &length, 1);
}

void http_conn_answer_json(struct http_conn *conn, unsigned status, const char *json, size_t length)
{
    http_conn_answer(conn, status, "application/json; charset=utf-8", "", &json, &length, 1);
}

static bool is_api(const struct http_conn *conn)
{
    static const char prefix[] = "/api/";
    struct view path = conn->request.path;

    return path.length >= sizeof(prefix) - 1 && memcmp(path.start, prefix, sizeof(prefix) - 1) == 0;
}

void http_conn_refuse(struct http_conn *conn, unsigned status, const char *fields, const char *why)
{
    bool is_json = is_api(conn);
    const struct http1_answer answer = {
        .status = status,
        .phrase = why,
        .content_type = is_json ? "application/json; charset=utf-8" : "text/plain; charset=utf-8",
        .fields = fields,
    };
    char line[CONN_WHY_SIZE];
    const char *start = line;
    struct text text;

    text_init(&text, line, sizeof(line));
    if (is_json) {
        text_add(&text, "{");
        json_add_member(&text, "error", why);
        text_add(&text, "}\n");
    } else {
        text_add(&text, "adit: ");
        text_add(&text, why);
        text_add(&text, "\n");
    }
    http_conn_answer_parts(conn, &answer, &start, &text.length, 1);
}

/* ---- reading ---- */

static void refuse_head(struct http_conn *conn, enum http1_result result, const char *problem)
{
    switch (result) {
    case HTTP1_TARGET_TOO_LONG:
        http_conn_refuse(conn, 414, "", "the request line is too long");
        break;
    case HTTP1_HEAD_TOO_LARGE:
        http_conn_refuse(conn, 431, "", "the request head is over 16 KiB or 100 fields");
        break;
    case HTTP1_VERSION:
        http_conn_refuse(conn, 505, "", problem);
        break;
    default:
        http_conn_refuse(conn, 400, "", problem);
        break;
    }
}

static void head_ended(struct http_conn *conn, size_t length)
{
    enum http1_result result = http1_request_parse(conn->head, length, &conn->request);

    if (result != HTTP1_OK)
        refuse_head(conn, result, conn->request.problem);
    else
        http_login(conn);
}

static void http_conn_read_head(struct http_conn *conn)
{
    enum http1_result result = HTTP1_MORE;
    size_t head_length;

    while (result == HTTP1_MORE) {
        if (!(conn->stream->ready & STREAM_READABLE))
            return;
        ssize_t count =
            stream_read(conn->stream, conn->head + conn->length, sizeof(conn->head) - conn->length);

        if (count == -EAGAIN)
            return;
        if (count <= 0) {
            http_conn_close(conn);
            return;
        }
        conn->length += (size_t)count;
        result = http1_scan(&conn->scan, conn->head, conn->length, &head_length);
    }
    stream_want(conn->stream, 0);
    if (result == HTTP1_OK)
        head_ended(conn, head_length);
    else
        refuse_head(conn, result, conn->scan.problem);
}

/* Drops what the client of an event stream sends. When it ends or fails, the connection is closed.
 * Only so many reads are done per turn; the rest waits for the next event of the loop. */
static void http_conn_discard(struct http_conn *conn)
{
    char scratch[4096];

    for (int i = 0; i < DISCARD_READS && (conn->stream->ready & STREAM_READABLE); i++) {
        ssize_t count = stream_read(conn->stream, scratch, sizeof(scratch));

        if (count == -EAGAIN)
            return;
        if (count <= 0) {
            http_conn_close(conn);
            return;
        }
        explicit_bzero(scratch, (size_t)count);
    }
}

static void http_conn_happened(struct http_conn *conn)
{
    if (conn->state == HTTP_READING) {
        http_conn_read_head(conn);
    } else if (conn->stream->ready & STREAM_BROKEN) {
        http_conn_close(conn);
    } else if (conn->state == HTTP_WRITING) {
        http_conn_write(conn);
    } else if (conn->state == HTTP_STREAMING) {
        http_events_ready(conn);
        if (conn->state == HTTP_STREAMING)
            http_conn_discard(conn);
    }
}

static void http_conn_ready(struct stream *stream, void *self)
{
    struct http_conn *conn = self;
    struct state_concern concern;

    (void)stream;
    state_concern_enter(&concern, &http_states, &conn->state, 0);
    http_conn_happened(conn);
    state_concern_leave(&concern);
}

static void http_conn_patience_passed(struct deadline *deadline)
{
    struct http_conn *conn = container_of(deadline, struct http_conn, deadline);

    if (conn->state == HTTP_READING && conn->length > 0) {
        http_conn_refuse(conn, 408, "", "the request head did not come within 10 s");
    } else if (conn->state == HTTP_WAITING) {
        http_route_cancel(conn);
        http_conn_refuse(conn, 503, "Retry-After: 5\r\n", "no answer came in time; try again");
    } else {
        http_conn_close(conn);
    }
}

int http_conn_open(struct http_server *server, struct stream *stream,
                   const struct ip_endpoint *client)
{
    struct http_conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL)
        return -ENOMEM;
    conn->server = server;
    conn->stream = stream;
    conn->client = *client;
    conn->scan.is_of_page = true;
    deadline_init(&conn->deadline, http_conn_patience_passed);
    list_init(&conn->query.link);
    stream_observe(stream, http_conn_ready, conn);
    stream_want(stream, STREAM_READABLE);
    list_append(&server->connections, &conn->link);
    server->connection_count++;
    http_conn_set_patience(conn, HTTP_HEAD_MS);
    http_conn_read_head(conn); /* for bytes that came before, the loop reports no event */
    return 0;
}
