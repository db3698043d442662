/* The reader of request heads.
 *
 * The scan is a machine over bytes whose only state is how far it is and where the line began: a
 * line feed ends a line, and the line is then checked as a whole. Every byte is looked at no more
 * than twice, whatever the pieces in which it came, so a head in 16,384 pieces costs the same as a
 * head in one. Nearly all bytes are printable and so right wherever they stand: these are passed
 * eight at a time. All of the syntax is checked here; the parse only gives meaning to what is known
 * to be well-formed. That way a bad head is refused at its first bad line, and not when its last
 * byte has come.
 *
 * A complete head has two readers: `http1_head_parse` is the proxy's, `http1_request_parse` the
 * admin page's. They differ in what a request may mean, not in its syntax.
 *
 * The surprise: the checks are not made in the order in which a reader would expect them. Syntax
 * (400) comes first, whatever the method is; then the version (505), the method (405, 501), the
 * fields and the target (400).
 */
#include "wire/http1_head.h"

#include "base/ascii.h"

#include <endian.h>
#include <string.h>

/* What a byte may stand in: bits of byte_classes. */
#define TOKEN 1  /* method and field name (RFC 9110 5.6.2) */
#define TARGET 2 /* request target: visible ASCII */
#define VALUE 4  /* field value: visible, blank, obs-text */

static const uint8_t byte_classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = TOKEN | TARGET | VALUE,
    ['"'] = TARGET | VALUE,
    ['#' ... '\''] = TOKEN | TARGET | VALUE,
    ['(' ... ')'] = TARGET | VALUE,
    ['*' ... '+'] = TOKEN | TARGET | VALUE,
    [','] = TARGET | VALUE,
    ['-' ... '.'] = TOKEN | TARGET | VALUE,
    ['/'] = TARGET | VALUE,
    ['0' ... '9'] = TOKEN | TARGET | VALUE,
    [':' ... '@'] = TARGET | VALUE,
    ['A' ... 'Z'] = TOKEN | TARGET | VALUE,
    ['[' ... ']'] = TARGET | VALUE,
    ['^' ... 'z'] = TOKEN | TARGET | VALUE,
    ['{'] = TARGET | VALUE,
    ['|'] = TOKEN | TARGET | VALUE,
    ['}'] = TARGET | VALUE,
    ['~'] = TOKEN | TARGET | VALUE,
    [0x80 ... 0xff] = VALUE,
};

static bool is_class(char byte, unsigned class)
{
    return byte_classes[(uint8_t)byte] & class;
}

/* Returns how many bytes at the start are of the class. */
static size_t span(struct view text, unsigned class)
{
    size_t length = 0;

    while (length < text.length && is_class(text.start[length], class))
        length++;
    return length;
}

static bool http1_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct view view_behind(struct view text, size_t skip)
{
    REQUIRE(skip <= text.length);
    return (struct view){text.start + skip, text.length - skip};
}

/* Returns the line without its CRLF or LF; `end` is behind the LF. */
static struct view line_view(const char *bytes, size_t start, size_t end)
{
    size_t length = end - start - 1;

    if (length > 0 && bytes[start + length - 1] == '\r')
        length--;
    return (struct view){bytes + start, length};
}

static const char *const http1_result_names[] = {
    [HTTP1_OK] = "ok",
    [HTTP1_MORE] = "more",
    [HTTP1_BAD] = "bad",
    [HTTP1_METHOD_NOT_ALLOWED] = "method-not-allowed",
    [HTTP1_TUNNEL_WANTED] = "tunnel-wanted",
    [HTTP1_METHOD_UNKNOWN] = "method-unknown",
    [HTTP1_TARGET_TOO_LONG] = "target-too-long",
    [HTTP1_HEAD_TOO_LARGE] = "head-too-large",
    [HTTP1_VERSION] = "version",
};
static_assert(ARRAY_LENGTH(http1_result_names) == HTTP1_RESULT_COUNT, "a name for every result");

const char *http1_result_name(enum http1_result result)
{
    REQUIRE(result < HTTP1_RESULT_COUNT);
    return http1_result_names[result];
}

/* -- syntax, one line at a time: each function returns NULL, or what is wrong */

struct request_line {
    struct view method;
    struct view target;
    struct view version; /* `HTTP/d.d` */
};

/* Cuts `rest` at the next space. Returns false when there is no space, or nothing in front of it.
 */
static bool http1_next_word(struct view *rest, struct view *ret_word)
{
    const char *space = rest->length > 0 ? memchr(rest->start, ' ', rest->length) : NULL;

    if (!space || space == rest->start)
        return false;
    *ret_word = (struct view){rest->start, (size_t)(space - rest->start)};
    *rest = view_behind(*rest, ret_word->length + 1);
    return true;
}

/* Splits the request line: method SP target SP version. */
static bool split_request_line(struct view line, struct request_line *parts)
{
    if (!http1_next_word(&line, &parts->method) || !http1_next_word(&line, &parts->target))
        return false;
    parts->version = line;
    return true;
}

static bool starts_with(struct view text, const char *prefix)
{
    size_t length = strlen(prefix);

    return text.length >= length && memcmp(text.start, prefix, length) == 0;
}

static const char proxy_protocol_problem[] =
    "this is a PROXY protocol head, which is not taken here: turn it off at the load balancer "
    "(HAProxy: send-proxy)";

/* Checks the request line as a whole. Its single bytes were checked before: each is of TARGET or a
 * space. */
static const char *request_line_problem(struct view line, bool is_of_page)
{
    struct request_line parts;

    if (starts_with(line, "PROXY TCP") || starts_with(line, "PROXY UNKNOWN"))
        return proxy_protocol_problem;
    if (!split_request_line(line, &parts) || span(parts.method, TOKEN) < parts.method.length)
        return is_of_page ? "the request line of the admin page must be: GET /path HTTP/1.1"
                          : "the request line must be: CONNECT host:port HTTP/1.1";
    struct view version = parts.version;
    if (version.length != 8 || memcmp(version.start, "HTTP/", 5) != 0 || version.start[6] != '.')
        return "the request line must end in HTTP/1.1 or HTTP/1.0, with one space before it";
    if (version.start[5] < '0' || version.start[5] > '9' || version.start[7] < '0' ||
        version.start[7] > '9')
        return "the HTTP version must be one digit, a dot and one digit";
    return NULL;
}

static const char *field_problem(struct view line)
{
    size_t length = span(line, TOKEN);

    if (http1_is_blank(line.start[0]))
        return "a line starts with a blank: a field must stand on one line, unfolded";
    if (length == line.length)
        return "a field line has no colon: write Name: value";
    if (line.start[length] == ':')
        return length == 0 ? "a field line has no name before the colon: write Name: value" : NULL;
    if (http1_is_blank(line.start[length]))
        return "a field name is followed by a blank: the colon must come at once";
    return "a field name holds a character that is not allowed there: use letters, digits and -";
}

/* -- the scan */

/* Returns how many bytes at the start are printable ASCII. */
static size_t printable_span(const char *bytes, size_t length)
{
    static const uint64_t ones = 0x0101010101010101;
    size_t at = 0;
    uint64_t word;

    for (; at + sizeof(word) <= length; at += sizeof(word)) {
        memcpy(&word, bytes + at, sizeof(word));
        word = le64toh(word);
        /* The expression sets the high bit of each byte that has it already, is below a space, or
         * is DEL. A borrow may set it wrongly in a byte further up, which does not change the
         * lowest one. */
        uint64_t faults = (word | (word - ones * ' ') | ((word ^ ones * 0x7f) - ones)) & ones << 7;
        if (faults)
            return at + (size_t)__builtin_ctzll(faults) / 8;
    }
    while (at < length && bytes[at] >= ' ' && bytes[at] < 0x7f)
        at++;
    return at;
}

/* True behind a carriage return in the same line, where nothing but a line feed may stand. */
static bool is_behind_return(const struct http1_scan *scan, const char *bytes)
{
    return scan->offset > scan->line_start && bytes[scan->offset - 1] == '\r';
}

static const char tls_to_proxy[] = "this is a TLS hello on a plain HTTP port: write http://, not "
                                   "https://, in the proxy's address";
static const char tls_to_page[] =
    "this is a TLS hello, and the admin page speaks plain HTTP: write "
    "http://, not https://";
static const char socks_to_proxy[] = "this is SOCKS on an HTTP proxy's port: write http://, not "
                                     "socks://, in the proxy's address";
static const char socks_to_page[] =
    "this is SOCKS, and this is the admin page, not the proxy, which "
    "has an address of its own";

/* Returns what is wrong when the byte at scan->offset shows that this is another protocol that
 * people send to a proxy by mistake; NULL otherwise. */
static const char *other_protocol(const struct http1_scan *scan, const char *bytes)
{
    static const char proxy_v2[] = "\r\n\r\n"; /* the beginning of the PROXY protocol's signature;
                                                  the NUL behind it belongs to it */
    uint32_t offset = scan->offset;
    char byte = bytes[offset];

    if (offset == 0 && byte == 0x16)
        return scan->is_of_page ? tls_to_page : tls_to_proxy;
    if (offset == 0 && (byte == 4 || byte == 5))
        return scan->is_of_page ? socks_to_page : socks_to_proxy;
    if (byte == '\0' && offset == strlen(proxy_v2) && memcmp(bytes, proxy_v2, offset) == 0)
        return proxy_protocol_problem;
    return NULL;
}

/* Says what is wrong with a byte of the request line that is not printable ASCII. */
static const char *request_byte_problem(const struct http1_scan *scan, const char *bytes)
{
    struct view line = {bytes + scan->line_start, scan->offset - scan->line_start};

    if ((uint8_t)bytes[scan->offset] >= 0x80 && starts_with(line, "CONNECT ") && !scan->is_of_page)
        return authority_error_text(AUTHORITY_NOT_ASCII);
    return "the request line holds a character that is not printable ASCII";
}

/* Returns what is wrong with the byte at scan->offset, judged by itself and by the byte before it;
 * NULL when nothing is. */
static const char *byte_problem(const struct http1_scan *scan, const char *bytes)
{
    char byte = bytes[scan->offset];

    if (byte == '\n')
        return NULL;
    if (is_behind_return(scan, bytes))
        return "a carriage return stands alone: lines end in CR LF";
    if (byte == '\r')
        return NULL;
    if (scan->line_count > 0)
        return is_class(byte, VALUE) ? NULL : "a field holds a NUL or control character";
    if (is_class(byte, TARGET) || byte == ' ')
        return NULL;
    const char *problem = other_protocol(scan, bytes);
    return problem != NULL ? problem : request_byte_problem(scan, bytes);
}

/* To be called when a line has ended and scan->offset is behind its LF. Returns HTTP1_MORE when the
 * head goes on. */
static enum http1_result http1_end_line(struct http1_scan *scan, const char *bytes)
{
    struct view line = line_view(bytes, scan->line_start, scan->offset);

    scan->line_start = scan->offset;
    if (line.length == 0)
        return scan->line_count == 0 ? HTTP1_MORE : HTTP1_OK;
    if (scan->line_count == 0)
        scan->problem = request_line_problem(line, scan->is_of_page);
    else
        scan->problem = field_problem(line);
    if (scan->problem)
        return HTTP1_BAD;
    scan->line_count++;
    return scan->line_count > 1 + HTTP1_FIELDS_MAX ? HTTP1_HEAD_TOO_LARGE : HTTP1_MORE;
}

enum http1_result http1_scan(struct http1_scan *scan, const char *bytes, size_t length,
                             size_t *ret_head_length)
{
    size_t limit = length < HTTP1_HEAD_MAX ? length : HTTP1_HEAD_MAX;

    while (scan->offset < limit) {
        if (!is_behind_return(scan, bytes))
            scan->offset += (uint32_t)printable_span(bytes + scan->offset, limit - scan->offset);
        if (scan->offset == limit)
            break;
        scan->problem = byte_problem(scan, bytes);
        if (scan->problem)
            return HTTP1_BAD;
        if (bytes[scan->offset++] != '\n')
            continue;
        enum http1_result result = http1_end_line(scan, bytes);
        if (result == HTTP1_OK)
            *ret_head_length = scan->offset;
        if (result != HTTP1_MORE)
            return result;
    }
    if (limit < HTTP1_HEAD_MAX)
        return HTTP1_MORE;
    /* A head of nothing but empty lines is not a target that is too long. */
    bool is_in_request_line = scan->line_count == 0 && scan->line_start < limit;
    return is_in_request_line ? HTTP1_TARGET_TOO_LONG : HTTP1_HEAD_TOO_LARGE;
}

/* -- meaning */

/* Compares without regard to the text's case; `prefix` is in lower case. */
static bool starts_with_any_case(struct view text, const char *prefix)
{
    size_t length = strlen(prefix);

    if (text.length < length)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (ascii_lower(text.start[i]) != prefix[i])
            return false;
    }
    return true;
}

/* Compares a field's name without regard to its case; `name` is in lower case. */
static bool name_is(struct view text, const char *name)
{
    return text.length == strlen(name) && starts_with_any_case(text, name);
}

static bool is_known_method(struct view method)
{
    static const char *const methods[] = {"GET",    "HEAD",    "POST",  "PUT",
                                          "DELETE", "OPTIONS", "TRACE", "PATCH"};

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        if (view_equals(method, methods[i]))
            return true;
    }
    return false;
}

static struct view trim(struct view text)
{
    while (text.length > 0 && http1_is_blank(text.start[0]))
        text = view_behind(text, 1);
    while (text.length > 0 && http1_is_blank(text.start[text.length - 1]))
        text.length--;
    return text;
}

/* Takes the next line of the head. Returns false at the empty line that ends it. */
static bool next_line(struct view *rest, struct view *ret_line)
{
    const char *feed = memchr(rest->start, '\n', rest->length);

    REQUIRE(feed); /* the head is complete, because the scan saw its end */
    size_t size = (size_t)(feed - rest->start) + 1;
    *ret_line = line_view(rest->start, 0, size);
    *rest = view_behind(*rest, size);
    return ret_line->length > 0;
}

/* Takes the leading zeros away, so that equal numbers have equal texts; 0 becomes empty. Returns
 * false when the text is not a number (RFC 9110 8.6). */
static bool read_content_length(struct view value, struct view *ret_number)
{
    for (size_t i = 0; i < value.length; i++) {
        if (!ascii_is_digit(value.start[i]))
            return false;
    }
    if (value.length == 0)
        return false;
    while (value.length > 0 && value.start[0] == '0')
        value = view_behind(value, 1);
    *ret_number = value;
    return true;
}

/* Takes the next field of the head. Returns false at its end. */
static bool next_field(struct view *rest, struct view *ret_name, struct view *ret_value)
{
    struct view line;

    if (!next_line(rest, &line))
        return false;
    *ret_name = (struct view){line.start, span(line, TOKEN)};
    *ret_value = trim(view_behind(line, ret_name->length + 1));
    return true;
}

/* Checks Content-Length. On a CONNECT it means nothing (RFC 9110 9.3.6); but when it is malformed,
 * or when two of them differ, something between the client and us may have read another request
 * than we do. `*seen` is the value of the one before. */
static const char *content_length_problem(struct view value, struct view *seen)
{
    struct view number;

    if (!read_content_length(value, &number))
        return "Content-Length is not a number: CONNECT has no content, leave the field out";
    bool is_same = seen->length == number.length &&
                   (number.length == 0 || memcmp(seen->start, number.start, number.length) == 0);
    if (seen->start != NULL && !is_same)
        return "two Content-Length fields differ: CONNECT has no content, leave them out";
    *seen = number;
    return NULL;
}

/* Takes the fields that matter to CONNECT; all others are ignored. */
static const char *read_fields(struct view rest, struct http1_head *head)
{
    struct view content_length = {NULL, 0};
    struct view name;
    struct view value;
    unsigned host_count = 0;

    while (next_field(&rest, &name, &value)) {
        const char *problem = NULL;

        if (name_is(name, "host") && ++host_count > 1)
            problem = "two Host fields: send one";
        else if (name_is(name, "content-length"))
            problem = content_length_problem(value, &content_length);
        else if (name_is(name, "transfer-encoding"))
            problem = "CONNECT has no content: Transfer-Encoding must be absent";
        else if (name_is(name, "proxy-authorization") && head->proxy_authorization.length == 0)
            head->proxy_authorization = value; /* the first one counts */
        if (problem)
            return problem;
    }
    return NULL;
}

static enum http1_result read_connect(struct view fields, struct http1_head *head)
{
    head->problem = read_fields(fields, head);
    if (head->problem)
        return HTTP1_BAD;
    enum authority_error error =
        authority_parse(head->target.start, head->target.length, &head->authority);
    if (error == AUTHORITY_OK)
        return HTTP1_OK;
    head->problem = authority_error_text(error);
    return HTTP1_BAD;
}

/* True when the client asks the proxy itself to speak TLS or WebSocket with the target. It must
 * send CONNECT for both of them (WebSocket: RFC 6455 4.1). */
static bool is_tunnel_wanted(struct view target)
{
    return starts_with_any_case(target, "https://") || starts_with_any_case(target, "wss://") ||
           starts_with_any_case(target, "ws://");
}

/* Reads the request line, which stands behind leading empty lines, and leaves `rest` at the first
 * field. */
static struct request_line read_request_line(struct view *rest)
{
    struct request_line parts;
    struct view line;

    while (!next_line(rest, &line))
        continue;
    bool is_split = split_request_line(line, &parts);
    REQUIRE(is_split && parts.version.length == 8); /* guaranteed by the scan */
    return parts;
}

enum http1_result http1_head_parse(const char *bytes, size_t length, struct http1_head *ret_head)
{
    struct view rest = {bytes, length};
    struct request_line parts = read_request_line(&rest);

    ret_head->method = parts.method;
    ret_head->target = parts.target;
    ret_head->minor_version = (uint8_t)(parts.version.start[7] - '0');
    ret_head->is_head_method = view_equals(parts.method, "HEAD");
    ret_head->proxy_authorization = (struct view){NULL, 0};
    ret_head->problem = NULL;
    if (parts.version.start[5] != '1') {
        ret_head->problem = "this proxy speaks HTTP/1.0 and HTTP/1.1";
        return HTTP1_VERSION;
    }
    if (view_equals(parts.method, "CONNECT"))
        return read_connect(rest, ret_head);
    bool is_wanted = is_tunnel_wanted(parts.target);
    if (is_known_method(parts.method)) {
        ret_head->problem = "this proxy only opens tunnels: the method must be CONNECT";
        return is_wanted ? HTTP1_TUNNEL_WANTED : HTTP1_METHOD_NOT_ALLOWED;
    }
    ret_head->problem = is_wanted ? "unknown method; the client must send CONNECT for https:// or "
                                    "ws://, and this method inside"
                                  : "unknown method; this proxy only opens tunnels (CONNECT)";
    return HTTP1_METHOD_UNKNOWN;
}

/* -- a request to the admin page */

static const char *read_request_fields(struct view rest, struct http1_request *request)
{
    static const char *const once[] = {"host", "origin", "authorization", "x-adit"};
    struct view *const values[] = {&request->host, &request->origin, &request->authorization,
                                   &request->x_adit};
    struct view name;
    struct view value;
    struct view number;

    while (next_field(&rest, &name, &value)) {
        bool has_content = name_is(name, "content-length") &&
                           (!read_content_length(value, &number) || number.length > 0);

        if (name_is(name, "transfer-encoding") || has_content)
            return "this server takes no body: leave out Content-Length and Transfer-Encoding";
        for (size_t i = 0; i < ARRAY_LENGTH(once); i++) {
            if (!name_is(name, once[i]))
                continue;
            if (values[i]->start != NULL)
                return "a field that may come once came twice: Host, Origin, Authorization or "
                       "X-Adit";
            *values[i] = value;
        }
    }
    return NULL;
}

enum http1_result http1_request_parse(const char *bytes, size_t length,
                                      struct http1_request *ret_request)
{
    struct view rest = {bytes, length};
    struct request_line parts = read_request_line(&rest);

    memset(ret_request, 0, sizeof(*ret_request));
    ret_request->method = parts.method;
    ret_request->is_head_method = view_equals(parts.method, "HEAD");
    if (parts.version.start[5] != '1') {
        ret_request->problem = "this server speaks HTTP/1.0 and HTTP/1.1";
        return HTTP1_VERSION;
    }
    if (parts.target.start[0] != '/') {
        ret_request->problem = "this is the admin page, not the proxy: the target must be a path";
        return HTTP1_BAD;
    }
    const char *mark = memchr(parts.target.start, '?', parts.target.length);
    size_t path_length = mark != NULL ? (size_t)(mark - parts.target.start) : parts.target.length;
    ret_request->path = (struct view){parts.target.start, path_length};
    if (mark != NULL)
        ret_request->query = view_behind(parts.target, path_length + 1);
    ret_request->problem = read_request_fields(rest, ret_request);
    return ret_request->problem == NULL ? HTTP1_OK : HTTP1_BAD;
}
