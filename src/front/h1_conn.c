/* The HTTP/1 front-end: it reads a request head, and its CONNECT becomes a tunnel.
 *
 * The surprise: most heads come whole with the first read, and are parsed in the thread's scratch
 * buffer. Nothing is allocated for them. Only a head that comes in pieces is collected in `head`.
 *
 * A head may hold a password, also when it is cut, malformed or too long. So whatever was read is
 * wiped once it was looked at, in `head` (`h1_close`) and in the scratch buffer
 * (`front_scratch_wipe`).
 */
#include "base/ascii.h"
#include "base/contract.h"
#include "base/text.h"
#include "front/front_conn.h"
#include "front/front_login.h"
#include "front/front_private.h"
#include "front/front_request.h"
#include "net/stream.h"
#include "tunnel/tunnel.h"
#include "wire/basic_auth.h"
#include "wire/http1_head.h"
#include "wire/http1_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(FRONT_REFUSAL_SIZE >= HTTP1_REPLY_SIZE, "room for any refusal");
static_assert(FRONT_READ_MAX <= HTTP1_HEAD_MAX, "room for whatever is read first");

/* This is enough for the usual head that comes in pieces. For a longer one it is doubled, up to
 * HTTP1_HEAD_MAX. */
enum { HEAD_FIRST_SIZE = 2048 };

struct h1_conn {
    struct front_conn conn;
    struct http1_scan scan;
    char *head; /* the bytes so far; NULL: the head has not come in pieces, or is done with */
    size_t head_size, head_length;
    bool is_body_omitted; /* the answer to HEAD */
};

/* Indexed by the minor version; the last row is for requests whose version is not known. */
static const struct tunnel_way h1_ways[] = {
#define H1_WAY(version)                                                                            \
    {                                                                                              \
        .front = FRONT_H1, .http = (version), .established = front_request_established,            \
        .refused = front_request_refused, .ended = front_request_ended                             \
    }
    H1_WAY("1.0"),
    H1_WAY("1.1"),
    H1_WAY(NULL),
#undef H1_WAY
};

static struct h1_conn *h1_of(struct front_conn *conn)
{
    return container_of(conn, struct h1_conn, conn);
}

/* Called when nothing of the head is needed any more. Wipes and frees it. */
static void h1_close(struct front_conn *conn)
{
    struct h1_conn *h1 = h1_of(conn);

    if (h1->head == NULL)
        return;
    explicit_bzero(h1->head, h1->head_size);
    free(h1->head);
    h1->head = NULL;
    h1->head_size = 0;
}

/* ---- refusals ---- */

static void h1_refuse(struct text *out, const struct tunnel_refusal *refusal,
                      const struct front_conn *conn)
{
    const struct tunnel_error_row *row = tunnel_error_row(refusal->error);
    const struct http1_refusal answer = {
        .status = row->status,
        .proxy_error = row->token,
        .rcode = refusal->rcode,
        .details = refusal->details,
        .phrase = refusal->phrase,
        .retry_after_s = row->retry_after_s,
        .is_body_omitted =
            conn != NULL && container_of(conn, const struct h1_conn, conn)->is_body_omitted,
    };

    http1_reply_refusal(out, &answer);
}

/* The length without what follows the colon, unless that is a port. It may be a piece of a
 * password: where a password has a slash in it, the target was cut there. */
static size_t h1_loggable_length(const char *text, size_t length)
{
    const char *bracket = length > 0 && text[0] == '[' ? memchr(text, ']', length) : NULL;
    const char *from = bracket != NULL ? bracket : text;
    const char *colon = memchr(from, ':', length - (size_t)(from - text));
    struct ip_address ignored;

    if (colon == NULL || ip_address_parse_v6(text, length, &ignored) == 0)
        return length;
    for (const char *at = colon + 1; at < text + length; at++) {
        if (!ascii_is_digit(*at))
            return (size_t)(colon - text);
    }
    return length;
}

/* Returns what of a target that is not an authority may be logged: only the host, because userinfo,
 * path and query may hold secrets. */
static struct view h1_loggable_target(struct view target)
{
    const char *end = target.start + target.length;
    const char *start = memmem(target.start, target.length, "://", 3);

    start = start != NULL ? start + 3 : target.start;
    for (const char *at = start; at < end; at++) {
        if (*at == '/' || *at == '?' || *at == '#')
            end = at;
    }
    const char *userinfo_end = memrchr(start, '@', (size_t)(end - start));
    if (userinfo_end != NULL)
        start = userinfo_end + 1;
    return (struct view){.start = start,
                         .length = h1_loggable_length(start, (size_t)(end - start))};
}

/* Refuses a request that never becomes a tunnel. `target` is what it asked for, or NULL. */
static void h1_reject(struct h1_conn *h1, enum tunnel_error error, const char *details,
                      const struct view *target)
{
    struct view logged =
        target != NULL && target->length > 0 ? h1_loggable_target(*target) : (struct view){0};

    front_conn_reject(&h1->conn, &(struct tunnel_rejection){
                                     .target = logged.start,
                                     .target_length = logged.length,
                                     .error = error,
                                     .details = details,
                                 });
}

/* ---- the head ---- */

static enum tunnel_error h1_error_of_result(enum http1_result result)
{
    static const enum tunnel_error errors[] = {
        [HTTP1_OK] = TUNNEL_ERROR_NONE,
        [HTTP1_MORE] = TUNNEL_ERROR_NONE,
        [HTTP1_BAD] = TUNNEL_ERROR_BAD_REQUEST,
        [HTTP1_METHOD_NOT_ALLOWED] = TUNNEL_ERROR_METHOD_NOT_ALLOWED,
        [HTTP1_TUNNEL_WANTED] = TUNNEL_ERROR_TUNNEL_WANTED,
        [HTTP1_METHOD_UNKNOWN] = TUNNEL_ERROR_METHOD_UNKNOWN,
        [HTTP1_TARGET_TOO_LONG] = TUNNEL_ERROR_TARGET_TOO_LONG,
        [HTTP1_HEAD_TOO_LARGE] = TUNNEL_ERROR_HEAD_TOO_LARGE,
        [HTTP1_VERSION] = TUNNEL_ERROR_VERSION,
    };
    static_assert(ARRAY_LENGTH(errors) == HTTP1_RESULT_COUNT, "an error per result");

    return errors[result];
}

/* Only a 400 and a 501 need words of their own; for the others the words are in the table of
 * errors. */
static const char *h1_details_of(enum http1_result result, const char *problem)
{
    return result == HTTP1_BAD || result == HTTP1_METHOD_UNKNOWN ? problem : NULL;
}

/* Why the credentials can't even be checked. */
static enum tunnel_error h1_error_of_basic(enum basic_auth_result result)
{
    static const enum tunnel_error errors[] = {
        [BASIC_AUTH_OK] = TUNNEL_ERROR_NONE,
        [BASIC_AUTH_MALFORMED] = TUNNEL_ERROR_AUTH_WRONG,
        [BASIC_AUTH_OTHER_SCHEME] = TUNNEL_ERROR_AUTH_SCHEME,
        [BASIC_AUTH_LONG_PASSWORD] = TUNNEL_ERROR_AUTH_LONG_PASSWORD,
    };
    static_assert(ARRAY_LENGTH(errors) == BASIC_AUTH_RESULT_COUNT, "an error per result");

    return errors[result];
}

/* The head is complete: bytes[0..head_length). What follows it, up to `length`, is the first of the
 * tunnel's bytes. */
static void h1_head_came(struct h1_conn *h1, const char *bytes, size_t head_length, size_t length)
{
    struct http1_head head;
    enum http1_result result = http1_head_parse(bytes, head_length, &head);

    if (result != HTTP1_OK) {
        h1->is_body_omitted = head.is_head_method;
        h1_reject(h1, h1_error_of_result(result), h1_details_of(result, head.problem),
                  &head.target);
        return;
    }
    struct basic_credentials credentials; /* few requests have them */
    struct view field = head.proxy_authorization;
    const struct tunnel_request request = {
        .way = &h1_ways[head.minor_version == 0 ? 0 : 1],
        .authority = &head.authority,
        .early_bytes = bytes + head_length,
        .early_length = length - head_length,
    };
    if (field.length == 0) {
        front_request_open(&h1->conn, &request, NULL);
        return;
    }
    struct front_offer offer = {.credentials = &credentials};
    offer.error = h1_error_of_basic(basic_auth_parse(field.start, field.length, &credentials));
    front_request_open(&h1->conn, &request, &offer);
    explicit_bzero(&credentials, sizeof(credentials));
}

/* New bytes have come: all of the head so far is bytes[0..length). Returns true when more must
 * come. */
static bool h1_look_at_head(struct h1_conn *h1, const char *bytes, size_t length)
{
    size_t head_length = 0;
    enum http1_result result = http1_scan(&h1->scan, bytes, length, &head_length);

    if (result == HTTP1_MORE)
        return true;
    if (result == HTTP1_OK)
        h1_head_came(h1, bytes, head_length, length);
    else
        h1_reject(h1, h1_error_of_result(result), h1_details_of(result, h1->scan.problem), NULL);
    return false;
}

/* Makes room for `wanted` bytes, bounded by HTTP1_HEAD_MAX: beyond that, the scan refuses the
 * head. */
static int h1_grow_head(struct h1_conn *h1, size_t wanted)
{
    size_t size = h1->head_size != 0 ? h1->head_size : HEAD_FIRST_SIZE;

    while (size < wanted)
        size *= 2;
    if (size > HTTP1_HEAD_MAX)
        size = HTTP1_HEAD_MAX;
    if (size == h1->head_size)
        return 0;
    char *head = malloc(size); /* realloc would leave a copy behind */
    if (head == NULL)
        return -ENOMEM;
    if (h1->head != NULL)
        memcpy(head, h1->head, h1->head_length);
    h1_close(&h1->conn);
    h1->head = head;
    h1->head_size = size;
    return 0;
}

static int h1_keep_head(struct h1_conn *h1, const char *bytes, size_t length)
{
    if (h1_grow_head(h1, length + 1) < 0)
        return -ENOMEM;
    ENSURE(h1->head != NULL);
    memcpy(h1->head, bytes, length);
    h1->head_length = length;
    return 0;
}

/* The client ended the connection, or it broke, before the head was complete. */
static void h1_cut_short(struct h1_conn *h1, ssize_t count)
{
    if (count == 0)
        h1_reject(h1, TUNNEL_ERROR_BAD_REQUEST,
                  "the connection ended before the request head was complete", NULL);
    else
        front_conn_close(&h1->conn);
}

/* Reads once behind the head so far. */
static ssize_t h1_read_once(struct h1_conn *h1)
{
    if (h1_grow_head(h1, h1->head_length + 1) < 0)
        return -ENOMEM;
    return stream_read(h1->conn.stream, h1->head + h1->head_length,
                       h1->head_size - h1->head_length);
}

static bool h1_awaits(const struct h1_conn *h1)
{
    return h1->conn.state == FRONT_AWAITING;
}

static void h1_read(struct front_conn *conn)
{
    struct h1_conn *h1 = h1_of(conn);

    while (h1_awaits(h1) && (conn->stream->ready & STREAM_READABLE)) {
        ssize_t count = h1_read_once(h1);

        if (count == -EAGAIN)
            return;
        if (count > 0) {
            h1->head_length += (size_t)count;
            (void)h1_look_at_head(h1, h1->head, h1->head_length);
        } else {
            h1_cut_short(h1, count);
        }
    }
    if (!h1_awaits(h1))
        h1_close(conn);
}

/* The first bytes are in the scratch buffer, so what must stay is copied. */
static void h1_open(struct front_conn *conn, const char *bytes, size_t length)
{
    struct h1_conn *h1 = h1_of(conn);

    if (h1_look_at_head(h1, bytes, length) && h1_keep_head(h1, bytes, length) < 0)
        h1_reject(h1, TUNNEL_ERROR_NO_RESOURCES, NULL, NULL);
}

const struct front_kind *h1_kind(void)
{
    static const struct front_kind kind = {
        .size = sizeof(struct h1_conn),
        .open = h1_open,
        .read = h1_read,
        .refuse = h1_refuse,
        .way = &h1_ways[2],
        .success = HTTP1_ESTABLISHED,
        .close = h1_close,
    };

    return &kind;
}
