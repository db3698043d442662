/* A throw-away front-end, to show what one takes: this file, and its row in front_rows.c.
 *
 *     AUTH user:password     -> OK, or NO status reason and the end (it may be left out)
 *     OPEN host:port         -> OK, and it is a tunnel from the next byte on; or NO, as above
 *
 * As in SOCKS5, who asks is known before the target is.
 */
#include "base/contract.h"
#include "base/text.h"
#include "front/front_conn.h"
#include "front/front_login.h"
#include "front/front_private.h"
#include "front/front_request.h"
#include "net/stream.h"

#include <errno.h>
#include <string.h>

enum { LINE_SIZE = 300, WORD = 5 };

struct line_conn {
    struct front_conn conn;
    struct front_login login;
    bool is_checking;
    size_t length;
    char bytes[LINE_SIZE]; /* not looked at yet */
};

const struct front_kind *line_kind(void);

static const struct tunnel_way line_way = {
    .front = FRONT_COUNT, /* the row behind those of front.def */
    .name = "line",
    .established = front_request_established,
    .refused = front_request_refused,
    .ended = front_request_ended,
};

static struct line_conn *line_of(struct front_conn *conn)
{
    return container_of(conn, struct line_conn, conn);
}

static enum front_match line_match(const char *bytes, size_t length)
{
    size_t known = length < WORD ? length : WORD;

    if (memcmp(bytes, "AUTH ", known) != 0 && memcmp(bytes, "OPEN ", known) != 0)
        return FRONT_MATCH_NO;
    return known < WORD ? FRONT_MATCH_MORE : FRONT_MATCH_YES;
}

static void line_refuse(struct text *out, const struct tunnel_refusal *refusal,
                        const struct front_conn *conn)
{
    (void)conn;
    text_add(out, "NO ");
    text_add_decimal(out, tunnel_error_row(refusal->error)->status);
    text_add_char(out, ' ');
    text_add(out, refusal->details);
    text_add_char(out, '\n');
}

static void line_reject(struct line_conn *line)
{
    front_conn_reject(&line->conn, &(struct tunnel_rejection){.error = TUNNEL_ERROR_BAD_REQUEST});
}

static void line_known(struct front_login *login)
{
    struct line_conn *line = container_of(login, struct line_conn, login);
    const struct tunnel_request request = {.way = &line_way, .user = front_login_user(login)};

    line->is_checking = false;
    if (login->error != TUNNEL_ERROR_NONE)
        front_request_refuse(&line->conn, &request, login->error, login->details);
    else if (stream_write(line->conn.stream, "OK\n", 3) == 3)
        line_kind()->read(&line->conn);
    else
        front_conn_close(&line->conn);
}

static void line_auth(struct line_conn *line, const char *text, size_t length)
{
    struct basic_credentials credentials = {0};
    const struct front_offer offer = {.credentials = &credentials};
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon != NULL ? (size_t)(colon - text) : length;

    if (colon == NULL || user_length > BASIC_USER_MAX ||
        length - user_length > BASIC_PASSWORD_MAX) {
        line_reject(line);
        return;
    }
    credentials.user_length = user_length;
    credentials.password_length = length - user_length - 1;
    memcpy(credentials.user, text, user_length);
    memcpy(credentials.password, colon + 1, credentials.password_length);
    line->is_checking = true;
    if (front_login_start(&line->login, line->conn.front->env, &line->conn.client.address, &offer,
                          line_known))
        line_known(&line->login);
    explicit_bzero(&credentials, sizeof(credentials));
}

static void line_ask(struct line_conn *line, const char *text, size_t length)
{
    struct authority authority;
    const struct tunnel_request request = {
        .way = &line_way,
        .authority = &authority,
        .user = front_login_user(&line->login),
        .early_bytes = line->bytes,
        .early_length = line->length,
    };

    if (authority_parse(text, length, &authority) == AUTHORITY_OK)
        front_request_open(&line->conn, &request, NULL);
    else
        line_reject(line);
}

/* Takes one line out of the bytes. False: none is whole. */
static bool line_look(struct line_conn *line)
{
    const char *end = memchr(line->bytes, '\n', line->length);
    char text[LINE_SIZE];

    if (end == NULL)
        return false;
    size_t length = (size_t)(end - line->bytes);
    memcpy(text, line->bytes, length);
    line->length -= length + 1;
    memmove(line->bytes, end + 1, line->length);
    if (length < WORD || line_match(text, length) != FRONT_MATCH_YES)
        line_reject(line);
    else if (text[0] == 'A')
        line_auth(line, text + WORD, length - WORD);
    else
        line_ask(line, text + WORD, length - WORD);
    explicit_bzero(text, length);
    return true;
}

static void line_read(struct front_conn *conn)
{
    struct line_conn *line = line_of(conn);

    while (conn->state == FRONT_AWAITING && !line->is_checking && !line_look(line)) {
        if (line->length == LINE_SIZE) {
            line_reject(line);
            return;
        }
        ssize_t count =
            stream_read(conn->stream, line->bytes + line->length, LINE_SIZE - line->length);
        if (count == -EAGAIN)
            return;
        if (count <= 0)
            front_conn_close(conn);
        else
            line->length += (size_t)count;
    }
}

static void line_open(struct front_conn *conn, const char *bytes, size_t length)
{
    struct line_conn *line = line_of(conn);

    line->length = length < LINE_SIZE ? length : LINE_SIZE;
    memcpy(line->bytes, bytes, line->length);
    line_read(conn);
}

/* A line that has begun is not awaited, unlike a head of HTTP/1. */
static void line_drain(struct front_conn *conn)
{
    front_conn_reject(conn, &(struct tunnel_rejection){.error = TUNNEL_ERROR_DRAINING});
}

static void line_close(struct front_conn *conn)
{
    front_login_cancel(&line_of(conn)->login);
    explicit_bzero(line_of(conn)->bytes, LINE_SIZE);
}

const struct front_kind *line_kind(void)
{
    static const struct front_kind kind = {
        .size = sizeof(struct line_conn),
        .match = line_match,
        .open = line_open,
        .read = line_read,
        .refuse = line_refuse,
        .way = &line_way,
        .success = "OK\n",
        .drain = line_drain,
        .close = line_close,
    };

    return &kind;
}
