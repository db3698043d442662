/* The proxy's own answers over HTTP/1: exact bytes, built in the caller's buffer. */
#ifndef WIRE_HTTP1_REPLY_H
#define WIRE_HTTP1_REPLY_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>

/* The only success. It has no field at all, because some clients match the text and others fail on
 * fields. */
#define HTTP1_ESTABLISHED "HTTP/1.1 200 Connection established\r\n\r\n"

/* Most bytes of a refusal's reason phrase: clients show one line of it. */
#define HTTP1_PHRASE_MAX 120
/* Room for any refusal: `details` and `phrase` may have up to 512 bytes. */
#define HTTP1_REPLY_SIZE 2048

struct http1_refusal {
    unsigned status;         /* 400-599 */
    const char *proxy_error; /* RFC 9209 token, e.g. "connection_refused" */
    const char *rcode;       /* for dns_error: "NXDOMAIN"; else NULL */
    /* One line for a person, in UTF-8; it is the body. */
    const char *details;
    /* The same in ASCII, or NULL when `details` is ASCII itself. It becomes the reason phrase and,
     * escaped as an sf-string, the details of Proxy-Status. What the reader must know has to stand
     * in the first HTTP1_PHRASE_MAX bytes. */
    const char *phrase;
    unsigned retry_after_s; /* 0: no Retry-After */
    bool is_body_omitted;   /* answer to HEAD: Content-Length stays, the body does not */
};

/* An answer of the admin page. */
struct http1_answer {
    unsigned status;
    const char *phrase; /* as in a refusal; NULL: the usual phrase of the status */
    const char *content_type;
    const char *fields; /* further fields, each with its CR LF; "" for none */
    bool has_length;    /* false: the body ends with the connection */
    size_t length;
};

/* Writes the status line, Connection: close, the fields and the empty line. */
void http1_reply_head(struct text *out, const struct http1_answer *answer);

/* Writes a whole refusal: the status line, Connection: close, Content-Type, an exact
 * Content-Length, Allow (with 405), Proxy-Authenticate (with 407), Retry-After, Proxy-Status: adit;
 * error=TOKEN; details="..." (RFC 9209), the empty line, and `adit: details\n` as the body. */
void http1_reply_refusal(struct text *out, const struct http1_refusal *refusal);

#endif
