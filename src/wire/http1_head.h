/* The strict reader of an HTTP/1 request head (RFC 9112): bytes go in, views of them come out, and
 * no memory is allocated.
 *
 * It works in two steps, so that a head that is split at any byte costs linear time. `http1_scan`
 * looks only at new bytes, finds the end of the head, and refuses what can never become a head
 * (control bytes, a bare CR, the hello of another protocol). `http1_head_parse` then reads the
 * complete head once. All syntax is checked by the scan: a bad line is refused as soon as it has
 * ended. Contract: only a head whose scan returned HTTP1_OK may be parsed.
 */
#ifndef WIRE_HTTP1_HEAD_H
#define WIRE_HTTP1_HEAD_H

#include "base/contract.h"
#include "wire/authority.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HTTP1_HEAD_MAX 16384
#define HTTP1_FIELDS_MAX 100

/* A piece of the caller's bytes; nothing is copied. */
struct view {
    const char *start;
    size_t length;
};

static inline bool view_equals(struct view text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.start, word, text.length) == 0;
}

enum http1_result {
    HTTP1_OK,
    HTTP1_MORE,               /* scan only: give it more bytes */
    HTTP1_BAD,                /* 400 */
    HTTP1_METHOD_NOT_ALLOWED, /* 405: a method that HTTP knows, not CONNECT */
    HTTP1_TUNNEL_WANTED,      /* 405: the same for https://, wss:// or ws://, which need a tunnel */
    HTTP1_METHOD_UNKNOWN,     /* 501 */
    HTTP1_TARGET_TOO_LONG,    /* 414: no line end within HTTP1_HEAD_MAX */
    HTTP1_HEAD_TOO_LARGE,     /* 431: over HTTP1_HEAD_MAX bytes or HTTP1_FIELDS_MAX fields */
    HTTP1_VERSION,            /* 505 */
    HTTP1_RESULT_COUNT,
};

const char *http1_result_name(enum http1_result result); /* "bad", "head-too-large" */

/* The progress of a scan. All members are zero at the start, except `is_of_page`, which the caller
 * sets; the others are private to http1_head.c. */
struct http1_scan {
    uint32_t offset;     /* bytes looked at */
    uint32_t line_start; /* start of the line that `offset` is in */
    uint32_t line_count;
    bool is_of_page; /* set by the caller: the head is for the admin page, not for the proxy; the
                        texts differ */
    const char *problem; /* set with HTTP1_BAD: one line for a person, no full stop; static */
};

/* Looks at the bytes that have come since the last call. `bytes` is the whole head so far, from its
 * first byte; what was there before must not have changed. Empty lines at the start are skipped
 * (RFC 9112 2.2). With HTTP1_OK, `*ret_head_length` counts the bytes up to and including the empty
 * line; the bytes behind it belong to the tunnel. */
enum http1_result http1_scan(struct http1_scan *scan, const char *bytes, size_t length,
                             size_t *ret_head_length) MUST_CHECK;

struct http1_head {
    struct view method;
    struct view target;
    struct authority authority;      /* set only with HTTP1_OK */
    uint8_t minor_version;           /* of HTTP/1.x */
    bool is_head_method;             /* the answer must not have a body (RFC 9110 9.3.2) */
    struct view proxy_authorization; /* value of the field, empty if none; never logged */
    const char *problem;             /* set unless HTTP1_OK: one line for a person; static */
};

/* Reads a complete head; `bytes[0..length)` is what http1_scan found. All members except
 * `authority` are set on failure, too: method and target then serve the log. */
enum http1_result http1_head_parse(const char *bytes, size_t length,
                                   struct http1_head *ret_head) MUST_CHECK;

/* The same kind of head as a request to the admin page: any method, a target in origin-form (RFC
 * 9112 3.2.1), no body. */
struct http1_request {
    struct view method;
    struct view path;  /* from its slash, as it came */
    struct view query; /* behind the question mark; empty if none */
    bool is_head_method;
    struct view host, origin, authorization, x_adit; /* values; `start` is NULL if absent */
    const char *problem; /* set unless HTTP1_OK: one line for a person; static */
};

/* Reads the same bytes as http1_head_parse. Returns HTTP1_OK, HTTP1_BAD or HTTP1_VERSION. */
enum http1_result http1_request_parse(const char *bytes, size_t length,
                                      struct http1_request *ret_request) MUST_CHECK;

#endif
