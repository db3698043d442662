/* A table of paths and their handlers. A handler answers at once, or asks the panel and answers
 * when the panel does; meanwhile the connection is in HTTP_WAITING.
 *
 * A request that changes something, or that costs lookups, must have the field `X-Adit: 1` and no
 * Origin but the page's own. The browser lets a page of another site send such a field only after a
 * preflight request (CORS), which adit refuses.
 */
#include "admin/http_private.h"

#include "admin/explain_answer.h"
#include "admin/http_guard.h"
#include "admin/metrics.h"
#include "admin/page.h"
#include "observe/log.h"
#include "wire/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for an id, of which a longer one is refused, and for the field `Allow`. */
enum { ID_SIZE = 64, ALLOW_SIZE = 64 };

static const char api_tunnels[] = "/api/tunnels/";

/* ---- at once ---- */

static void serve_page(struct http_conn *conn)
{
    const struct page *page = page_get();

    http_conn_answer(conn, 200, "text/html; charset=utf-8", "", &page->bytes, &page->length, 1);
}

static void serve_health(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;
    struct stats stats;

    panel->ops->read_stats(panel->self, &stats);
    if (strcmp(stats.state, "draining") == 0)
        http_conn_answer_text(conn, 503, "draining\n");
    else
        http_conn_answer_text(conn, 200, "ok\n");
}

/* Answers 200 with `body`, which it frees; or 503 when `body` is NULL, as there was no memory for
 * it. */
static void answer_with(struct http_conn *conn, const char *content_type, char *body, size_t length)
{
    const char *start = body;

    if (body == NULL)
        http_conn_refuse(conn, 503, "Retry-After: 5\r\n", "no memory");
    else
        http_conn_answer(conn, 200, content_type, "", &start, &length, 1);
    free(body);
}

static void serve_metrics(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;
    struct stats stats;
    size_t length;

    panel->ops->read_stats(panel->self, &stats);
    char *body = metrics_print(&stats, &length);
    answer_with(conn, METRICS_TYPE, body, length);
}

static void serve_history(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;
    size_t length;
    char *body = panel->ops->print_history(panel->self, &length);

    answer_with(conn, "application/json; charset=utf-8", body, length);
}

static void serve_toplists(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;
    size_t length;
    char *body = panel->ops->print_toplists(panel->self, &length);

    answer_with(conn, "application/json; charset=utf-8", body, length);
}

static void serve_events(struct http_conn *conn)
{
    if (conn->request.is_head_method)
        http_conn_answer(conn, 200, "text/event-stream", "", NULL, NULL, 0);
    else
        http_events_start(conn);
}

/* ---- the tunnels ---- */

static void wait_for_panel(struct http_conn *conn, uint64_t patience_ms)
{
    http_conn_move_to(conn, HTTP_WAITING);
    http_conn_set_patience(conn, patience_ms);
}

/* Turns lines of objects into the inside of an array: each newline but the last becomes a comma. */
static void make_array(char *lines, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++)
        if (lines[i] == '\n')
            lines[i] = ',';
}

static void tunnels_listed(struct tunnels_query *query, const struct tunnels_answer *answer)
{
    struct http_conn *conn = container_of(query, struct http_conn, query);
    size_t length = 2;

    http_conn_move_to(conn, HTTP_READING);
    for (size_t i = 0; i < answer->part_count; i++)
        length += answer->lengths[i];
    char *body = answer->is_complete && length < HTTP_HELD_MAX ? malloc(length + 1) : NULL;
    if (body != NULL) {
        size_t end = 1;

        body[0] = '[';
        for (size_t i = 0; i < answer->part_count; i++) {
            memcpy(body + end, answer->parts[i], answer->lengths[i]);
            end += answer->lengths[i];
        }
        make_array(body + 1, end - 1);
        body[end] = ']';
    }
    answer_with(conn, "application/json; charset=utf-8", body, length);
}

static void serve_tunnels(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;

    conn->query.answered = tunnels_listed;
    wait_for_panel(conn, HTTP_WAIT_MS);
    panel->ops->ask_tunnels(panel->self, &conn->query);
}

static void tunnel_killed(struct tunnels_query *query, const struct tunnels_answer *answer)
{
    static const char killed[] = "{\"killed\":1}\n";
    struct http_conn *conn = container_of(query, struct http_conn, query);

    http_conn_move_to(conn, HTTP_READING);
    if (answer->tunnel_count > 0)
        http_conn_answer_json(conn, 200, killed, sizeof(killed) - 1);
    else
        http_conn_refuse(conn, 404, "", "no open tunnel has that id; it may have ended by itself");
}

/* Writes into the log who has asked for a kill. Without passwords only the address is known. */
static void http_routes_note_kill(const struct http_conn *conn, const char *id)
{
    char client[IP_ENDPOINT_TEXT_SIZE];

    log_notice(conn->server->log, LOG_TOPIC_GENERAL,
               "kill asked by %s%s%s at the admin page: id %s", conn->user,
               conn->user[0] != '\0' ? " from " : "", ip_endpoint_text(client, &conn->client), id);
}

static void serve_kill(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;
    struct view path = conn->request.path;
    size_t skip = sizeof(api_tunnels) - 1;
    char id[ID_SIZE];
    struct text text;

    text_init(&text, id, sizeof(id));
    text_add_bytes(&text, path.start + skip, path.length - skip);
    if (text.is_truncated || tunnel_filter_set_id(&conn->query.filter, id) < 0) {
        http_conn_refuse(conn, 404, "", "that is no id of a tunnel; ids stand in /api/tunnels");
        return;
    }
    http_routes_note_kill(conn, id);
    conn->query.is_kill = true;
    conn->query.answered = tunnel_killed;
    wait_for_panel(conn, HTTP_WAIT_MS);
    panel->ops->ask_tunnels(panel->self, &conn->query);
}

/* ---- explain ---- */

static void http_routes_explained(struct explain_request *request,
                                  const struct explain_answer *answer)
{
    struct http_conn *conn = container_of(request, struct http_conn, explain);
    size_t length = 0;
    char *body = explain_answer_print(answer, "{", &length);

    http_conn_move_to(conn, HTTP_READING);
    answer_with(conn, "application/json; charset=utf-8", body, length);
}

/* Reads the question from the query of the URL into `words`, to which `request` then points. A
 * value that is absent or empty counts as not said. Returns NULL, or what is wrong. */
static const char *read_question(struct view query, char words[][QUESTION_WORD_MAX + 1],
                                 struct explain_request *request)
{
    for (size_t i = 0; i < QUESTION_FIELD_COUNT; i++) {
        const char *name = question_field_name((enum question_field)i);
        int length = query_value(query, name, words[i], QUESTION_WORD_MAX + 1);

        if (length < 0 && length != -ENOENT)
            return "malformed; write ?target=HOST:PORT, and what else matters";
        request->words[i] = length > 0 ? words[i] : NULL;
    }
    return request->words[QUESTION_TARGET] != NULL
               ? NULL
               : "write ?target=HOST:PORT, and user= and client= if they matter";
}

static void serve_explain(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;
    struct explain_request *request = &conn->explain;
    char words[QUESTION_FIELD_COUNT][QUESTION_WORD_MAX + 1];
    const char *problem = read_question(conn->request.query, words, request);

    if (problem != NULL) {
        http_conn_refuse(conn, 400, "", problem);
        return;
    }
    request->answered = http_routes_explained;
    int error = panel->ops->explain(panel->self, request, &problem);
    if (error == -EINVAL)
        http_conn_refuse(conn, 400, "", problem);
    else if (error < 0)
        http_conn_refuse(conn, 503, "Retry-After: 5\r\n", "too many ask at once; try again");
    else
        wait_for_panel(conn, HTTP_EXPLAIN_MS);
}

/* ---- the table ---- */

#define READABLE "GET, HEAD"

static const struct route {
    const char *path;    /* except "/", one that ends in a slash matches all paths below it */
    const char *methods; /* as in the field `Allow`; each of them does the same */
    bool is_guarded;     /* needs X-Adit and no foreign Origin (is_guard_passed) */
    void (*serve)(struct http_conn *conn);
} routes[] = {
    {"/", READABLE, false, serve_page},
    {"/metrics", READABLE, false, serve_metrics},
    /* HAProxy's `option httpchk /healthz` sends OPTIONS. */
    {"/healthz", READABLE ", OPTIONS", false, serve_health},
    {"/api/tunnels", READABLE, false, serve_tunnels},
    {api_tunnels, "DELETE", true, serve_kill},
    {"/api/history", READABLE, false, serve_history},
    {"/api/top", READABLE, false, serve_toplists},
    {"/api/events", READABLE, false, serve_events},
    {"/api/explain", READABLE, true, serve_explain},
};

static bool path_matches(const struct route *route, struct view path)
{
    size_t length = strlen(route->path);

    if (length > 1 && route->path[length - 1] == '/')
        return path.length > length && memcmp(path.start, route->path, length) == 0;
    return view_equals(path, route->path);
}

static bool is_guard_passed(struct http_conn *conn)
{
    const struct http1_request *request = &conn->request;

    return request->x_adit.start != NULL && view_equals(request->x_adit, "1") &&
           http_guard_is_same_origin(request->origin, request->host);
}

/* Whether `method` is one of `methods`, which are separated by ", ". */
static bool has_method(const char *methods, struct view method)
{
    for (const char *word = methods; *word != '\0'; word += strspn(word, ", ")) {
        size_t length = strcspn(word, ",");

        if (method.length == length && memcmp(method.start, word, length) == 0)
            return true;
        word += length;
    }
    return false;
}

static void refuse_method(struct http_conn *conn, const struct route *route)
{
    bool is_readable = has_method(route->methods, (struct view){"GET", 3});
    char fields[ALLOW_SIZE];
    struct text text;

    text_init(&text, fields, sizeof(fields));
    text_add(&text, "Allow: ");
    text_add(&text, route->methods);
    text_add(&text, "\r\n");
    http_conn_refuse(conn, 405, fields,
                     is_readable ? "this can only be read: GET" : "this can only be ended: DELETE");
}

void http_route(struct http_conn *conn)
{
    const struct http1_request *request = &conn->request;

    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        const struct route *route = &routes[i];

        if (!path_matches(route, request->path))
            continue;
        if (!has_method(route->methods, request->method))
            refuse_method(conn, route);
        else if (route->is_guarded && !is_guard_passed(conn))
            http_conn_refuse(conn, 403, "",
                             "send the field X-Adit: 1, and no Origin but this page's own");
        else
            route->serve(conn);
        return;
    }
    http_conn_refuse(conn, 404, "", "there is no such page; see / or /metrics");
}

void http_route_cancel(struct http_conn *conn)
{
    const struct panel *panel = conn->server->panel;

    panel->ops->cancel_tunnels(panel->self, &conn->query);
    panel->ops->cancel_explain(panel->self, &conn->explain);
}
