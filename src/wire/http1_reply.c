/* Answers over HTTP/1: refusals of the proxy, and whatever the admin page says.
 *
 * The reason goes to all places where a client may show it: the reason phrase (Go, wget, Python,
 * Java and npm show nothing else), the body for a person, `details` for clients that hide the body
 * of a refused CONNECT but show fields (curl -v); the status is for programs. The head is ASCII:
 * what is not is replaced there; the field also escapes what an sf-string must (RFC 8941 3.3.3).
 * The body is UTF-8.
 */
#include "wire/http1_reply.h"

#include "base/escape.h"

#include <string.h>

enum { DETAILS_MAX = 512 };

static const char body_prefix[] = "adit: ";

struct status_reason {
    unsigned status;
    const char *reason;
};

/* Reason phrases for the admin page (RFC 9110 15 and RFC 6585). */
static const struct status_reason status_reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {414, "URI Too Long"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(status_reasons); i++) {
        if (status_reasons[i].status == status)
            return status_reasons[i].reason;
    }
    return "Refused";
}

static void add_printable(struct text *out, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_printable = bytes[i] >= ' ' && bytes[i] <= '~';

        if (is_printable)
            text_add_bytes(out, &bytes[i], 1);
        else
            text_add_char(out, '?');
    }
}

/* Writes an sf-string with its quotes. */
static void reply_add_string(struct text *out, const char *bytes, size_t length)
{
    text_add_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            text_add_char(out, '\\');
        add_printable(out, bytes + i, 1);
    }
    text_add_char(out, '"');
}

static void add_number_field(struct text *out, const char *name, unsigned long number)
{
    text_add(out, name);
    text_add(out, ": ");
    text_add_decimal(out, number);
    text_add(out, "\r\n");
}

static void add_proxy_status(struct text *out, const struct http1_refusal *refusal,
                             const char *phrase, size_t phrase_length)
{
    text_add(out, "Proxy-Status: adit; error=");
    text_add(out, refusal->proxy_error);
    if (refusal->rcode) {
        text_add(out, "; rcode=");
        reply_add_string(out, refusal->rcode, strlen(refusal->rcode));
    }
    text_add(out, "; details=");
    reply_add_string(out, phrase, phrase_length);
    text_add(out, "\r\n");
}

/* Writes the phrase, cut between two words where that is possible. */
static void add_phrase(struct text *out, const char *phrase, size_t length)
{
    if (length <= HTTP1_PHRASE_MAX) {
        add_printable(out, phrase, length);
        return;
    }
    size_t room = HTTP1_PHRASE_MAX - (sizeof(TEXT_CUT_MARK) - 1);
    const char *blank = memrchr(phrase, ' ', room + 1);
    add_printable(out, phrase, blank != NULL ? (size_t)(blank - phrase) : room);
    text_add(out, TEXT_CUT_MARK);
}

static void add_status(struct text *out, unsigned status)
{
    text_add(out, "HTTP/1.1 ");
    text_add_decimal(out, status);
    text_add_char(out, ' ');
}

static void add_first_fields(struct text *out, const char *content_type)
{
    text_add(out, "\r\nConnection: close\r\nContent-Type: ");
    text_add(out, content_type);
    text_add(out, "\r\n");
}

void http1_reply_head(struct text *out, const struct http1_answer *answer)
{
    add_status(out, answer->status);
    if (answer->phrase != NULL)
        add_phrase(out, answer->phrase, strlen(answer->phrase));
    else
        text_add(out, reason_of(answer->status));
    add_first_fields(out, answer->content_type);
    if (answer->has_length)
        add_number_field(out, "Content-Length", answer->length);
    text_add(out, answer->fields);
    text_add(out, "\r\n");
}

void http1_reply_refusal(struct text *out, const struct http1_refusal *refusal)
{
    const char *phrase = refusal->phrase != NULL ? refusal->phrase : refusal->details;
    size_t phrase_length = strlen(phrase);
    char buffer[sizeof(body_prefix) + DETAILS_MAX + 1];
    struct text body;

    REQUIRE(refusal->status >= 400 && refusal->status <= 599);
    if (phrase_length > DETAILS_MAX)
        phrase_length = DETAILS_MAX;
    text_init(&body, buffer, sizeof(buffer));
    text_add(&body, body_prefix);
    escape_add(&body, refusal->details, strlen(refusal->details), DETAILS_MAX, ESCAPE_PLAIN);
    text_add_char(&body, '\n');

    add_status(out, refusal->status);
    add_phrase(out, phrase, phrase_length);
    add_first_fields(out, "text/plain; charset=utf-8");
    add_number_field(out, "Content-Length", body.length);
    if (refusal->status == 405)
        text_add(out, "Allow: CONNECT\r\n");
    if (refusal->status == 407)
        text_add(out, "Proxy-Authenticate: Basic realm=\"adit\", charset=\"UTF-8\"\r\n");
    if (refusal->retry_after_s > 0)
        add_number_field(out, "Retry-After", refusal->retry_after_s);
    add_proxy_status(out, refusal, phrase, phrase_length);
    text_add(out, "\r\n");
    if (!refusal->is_body_omitted)
        text_add_bytes(out, buffer, body.length);
}
