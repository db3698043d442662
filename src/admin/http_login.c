/* Decides whether a request is let in. First the client's address must be one that the page is for.
 * Then the Host must be ours: a browser sends the name that it resolved for a page, and that name
 * may be an attacker's. Then the password is checked, if the configuration asks for one.
 *
 * /healthz needs none of these: load balancers have no password, come from anywhere, and send any
 * Host or none. Its one word tells a stranger no more than that the connection was accepted.
 */
#include "admin/http_private.h"

#include "admin/http_guard.h"
#include "wire/authority.h"

#include <string.h>

#define ASK "WWW-Authenticate: Basic realm=\"adit\", charset=\"UTF-8\"\r\n"

enum { LOGIN_WHY_SIZE = 2 * AUTHORITY_TEXT_SIZE + 256 };

/* Logs a wrong password. When it is the same wrong password again, the line is a denial and not a
 * failed login: fail2ban counts failed logins, and a client that repeats itself is not guessing. */
static void log_wrong(struct http_conn *conn, bool is_again)
{
    struct http_server *server = conn->server;
    const struct access_record record = {
        .event = is_again ? ACCESS_DENY : ACCESS_AUTH_FAILURE,
        .id = access_ids_take(&server->ids),
        .client = conn->client,
        .listener = &server->door.listener,
        .user = conn->user,
        .status = 401,
        .reason = is_again ? "the same wrong password again at the admin page"
                           : "a wrong user name or password at the admin page",
        .dns_ms = -1,
        .dial_ms = -1,
    };

    if (!is_again)
        counter_add(&server->counters, COUNTER_AUTH_FAILURES, 1);
    access_log_write(server->log, server->events, &record);
}

static void http_login_judge(struct http_conn *conn, enum auth_result result)
{
    const struct http_door *door = &conn->server->door;

    switch (result) {
    case AUTH_GRANTED:
        if (door->may_enter(door->self, conn->user))
            http_route(conn);
        else
            http_conn_refuse(conn, 403, "", "this user may not see the admin page; see `admin`");
        break;
    case AUTH_WRONG:
    case AUTH_WRONG_AGAIN:
        log_wrong(conn, result == AUTH_WRONG_AGAIN);
        http_conn_refuse(conn, 401, ASK, "wrong user name or password");
        break;
    case AUTH_THROTTLED:
        http_conn_refuse(conn, 429, "Retry-After: 60\r\n",
                         "too many wrong passwords from this address; wait a minute");
        break;
    case AUTH_BUSY:
    case AUTH_PENDING:
    case AUTH_RESULT_COUNT:
        http_conn_refuse(conn, 503, "Retry-After: 5\r\n", "too many passwords to check; try again");
        break;
    }
}

static void on_checked(struct auth_check *check)
{
    struct http_conn *conn = container_of(check, struct http_conn, check);

    /* A request is answered, or handed to its route, in the state in which it was read. */
    http_conn_move_to(conn, HTTP_READING);
    http_login_judge(conn, (enum auth_result)check->result);
}

/* Parses the credentials and wipes them from the head. Afterwards the password is nowhere but in
 * `ret_credentials`; the connection's memory may live for weeks as an event stream. */
static enum basic_auth_result take_credentials(struct http_conn *conn,
                                               struct basic_credentials *ret_credentials)
{
    struct view value = conn->request.authorization;
    enum basic_auth_result result = basic_auth_parse(value.start, value.length, ret_credentials);

    explicit_bzero(conn->head + (value.start - conn->head), value.length);
    return result;
}

/* Returns why the credentials can't be checked; NULL: they can. Such a request is not counted as a
 * wrong password. */
static const char *missing_text(enum basic_auth_result result)
{
    static const char *const texts[] = {
        [BASIC_AUTH_OK] = NULL,
        [BASIC_AUTH_MALFORMED] = "the user name and the password can't be read",
        [BASIC_AUTH_OTHER_SCHEME] = "the admin page takes the scheme Basic only",
        [BASIC_AUTH_LONG_PASSWORD] = "the password is longer than the 128 bytes that adit takes",
    };
    static_assert(ARRAY_LENGTH(texts) == BASIC_AUTH_RESULT_COUNT, "a text a result");

    return texts[result];
}

static void check_password(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    struct basic_credentials credentials;

    if (server->door.users == NULL || conn->request.authorization.start == NULL) {
        http_conn_refuse(conn, 401, ASK, "the admin page needs a user name and a password");
        return;
    }
    const char *missing = missing_text(take_credentials(conn, &credentials));
    if (missing != NULL) {
        explicit_bzero(&credentials, sizeof(credentials));
        http_conn_refuse(conn, 401, ASK, missing);
        return;
    }
    memcpy(conn->user, credentials.user, credentials.user_length + 1);
    enum auth_result result =
        auth_check_start(&conn->check, server->auth, server->door.users, server->loop,
                         &conn->client.address, &credentials, on_checked);
    explicit_bzero(&credentials, sizeof(credentials));
    if (result == AUTH_PENDING) {
        http_conn_move_to(conn, HTTP_CHECKING);
        http_conn_set_patience(conn, HTTP_WAIT_MS);
        return;
    }
    http_login_judge(conn, result);
}

void http_login_cancel(struct http_conn *conn)
{
    auth_check_cancel(&conn->check);
    http_conn_move_to(conn, HTTP_READING);
    http_conn_refuse(conn, 503, "Retry-After: 1\r\n", "the users have changed; try again");
}

static void refuse_host(struct http_conn *conn)
{
    char why[LOGIN_WHY_SIZE];
    struct text text;

    text_init(&text, why, sizeof(why));
    http_guard_explain(&text, conn->request.host);
    http_conn_refuse(conn, 421, "", why);
}

void http_login(struct http_conn *conn)
{
    const struct http1_request *request = &conn->request;
    const struct http_door *door = &conn->server->door;

    bool is_for_all = view_equals(request->path, "/healthz");

    if (!is_for_all && !door->may_come(door->self, &conn->client.address))
        http_conn_refuse(conn, 403, "",
                         "the admin page is not for your address; see `admin ... from`");
    else if (!is_for_all && !http_guard_knows_host(request->host, door->names, door->name_count))
        refuse_host(conn);
    else if (!is_for_all && door->has_password)
        check_password(conn);
    else
        http_route(conn);
}
