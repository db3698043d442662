/* Request heads: however the bytes are cut, the outcome is the same; and what is accepted is
 * checked again by rules that are written down here a second time, without the parser's code. */
#include "wire/http1_head.h"
#include "wire/query.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

struct outcome {
    enum http1_result result;
    size_t head_length;
    const char *problem;
};

/* `seed` chooses the pieces; 0: all at once, 1: byte by byte. */
static struct outcome scan_in_pieces(const char *bytes, size_t size, uint32_t seed)
{
    struct http1_scan scan = {0};
    struct outcome outcome = {.result = HTTP1_MORE};
    size_t arrived = 0;

    while (outcome.result == HTTP1_MORE && arrived < size) {
        size_t piece = seed == 0 ? size : seed == 1 ? 1 : 1 + (seed >> 16) % 40;
        arrived = piece < size - arrived ? arrived + piece : size;
        outcome.result = http1_scan(&scan, bytes, arrived, &outcome.head_length);
        if (seed > 1)
            seed = seed * 1103515245 + 12345;
    }
    outcome.problem = scan.problem;
    return outcome;
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    CHECK(a->result == b->result);
    CHECK(a->head_length == b->head_length);
    CHECK(a->problem == b->problem);
}

static void check_problem(const char *problem)
{
    CHECK(problem && problem[0]);
    for (; *problem; problem++)
        CHECK(*problem >= ' ' && *problem <= '~');
}

/* -- an accepted head, line by line */

static void check_bytes(const char *head, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)head[i];
        CHECK(byte >= ' ' || byte == '\t' || byte == '\r' || byte == '\n');
        CHECK(byte != 0x7f);
        CHECK(byte != '\r' || head[i + 1] == '\n');
    }
    CHECK(length > 0 && head[length - 1] == '\n');
}

static void check_field(const char *line, size_t length)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *colon = memchr(line, ':', length);

    CHECK(colon && colon > line);
    for (const char *byte = line; byte < colon; byte++)
        CHECK(*byte && strchr(token, *byte));
}

static bool is_field(const char *line, size_t length, const char *name)
{
    return length > strlen(name) && strncasecmp(line, name, strlen(name)) == 0 &&
           line[strlen(name)] == ':';
}

/* `head` is NUL-terminated behind its `length` bytes, and holds no NUL. */
static void check_lines(const char *head, bool is_connect)
{
    unsigned field_count = 0;
    unsigned host_count = 0;

    head += strspn(head, "\r\n");
    CHECK(!is_connect || strncmp(head, "CONNECT ", 8) == 0);
    head = strchr(head, '\n') + 1;
    for (;;) {
        size_t size = strcspn(head, "\n");
        size_t length = size > 0 && head[size - 1] == '\r' ? size - 1 : size;
        if (length == 0) {
            CHECK(head[size + 1] == '\0'); /* the first empty line is the end */
            break;
        }
        check_field(head, length);
        field_count++;
        host_count += is_field(head, length, "Host");
        CHECK(!is_connect || !is_field(head, length, "Transfer-Encoding"));
        head += size + 1;
    }
    CHECK(field_count <= HTTP1_FIELDS_MAX);
    CHECK(!is_connect || host_count <= 1);
}

static void check_view(struct view view, const char *head, size_t length)
{
    CHECK(view.length == 0 || (view.start >= head && view.start + view.length <= head + length));
}

static void check_head(const char *bytes, size_t length)
{
    struct http1_head head;
    struct authority authority;

    enum http1_result result = http1_head_parse(bytes, length, &head);
    CHECK(result != HTTP1_MORE && result != HTTP1_TARGET_TOO_LONG);
    CHECK(result != HTTP1_HEAD_TOO_LARGE);
    check_view(head.method, bytes, length);
    check_view(head.target, bytes, length);
    check_view(head.proxy_authorization, bytes, length);
    CHECK(head.method.length > 0 && head.target.length > 0);
    check_bytes(bytes, length);

    char *text = strndup(bytes, length);
    CHECK(text);
    check_lines(text, result == HTTP1_OK);
    free(text);
    if (result != HTTP1_OK) {
        check_problem(head.problem);
        return;
    }
    CHECK(authority_parse(head.target.start, head.target.length, &authority) == AUTHORITY_OK);
    CHECK(strcmp(authority.host, head.authority.host) == 0);
    CHECK(authority.port == head.authority.port && authority.port > 0);
}

/* The same head as a request to the admin page. */
static void check_request(const char *bytes, size_t length)
{
    struct http1_request request;
    enum http1_result result = http1_request_parse(bytes, length, &request);
    const struct view views[] = {request.method, request.path,          request.query, request.host,
                                 request.origin, request.authorization, request.x_adit};
    char value[64];

    CHECK(result == HTTP1_OK || result == HTTP1_BAD || result == HTTP1_VERSION);
    for (size_t i = 0; i < ARRAY_LENGTH(views); i++)
        check_view(views[i], bytes, length);
    if (result != HTTP1_OK) {
        check_problem(request.problem);
        return;
    }
    CHECK(request.path.length > 0 && request.path.start[0] == '/');
    CHECK(memchr(request.path.start, '?', request.path.length) == NULL);
    int decoded = query_value(request.query, "target", value, sizeof(value));
    CHECK(decoded < (int)sizeof(value));
    for (int i = 0; i < decoded; i++)
        CHECK((uint8_t)value[i] >= ' ' && value[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct outcome whole = scan_in_pieces(bytes, size, 0);
    struct outcome single = scan_in_pieces(bytes, size, 1);
    struct outcome random = scan_in_pieces(bytes, size, (uint32_t)size * 2654435761U + 2);

    check_same(&whole, &single);
    check_same(&whole, &random);
    if (whole.result == HTTP1_BAD)
        check_problem(whole.problem);
    if (whole.result != HTTP1_OK)
        return 0;
    CHECK(whole.head_length <= size && whole.head_length <= HTTP1_HEAD_MAX);

    /* Exactly the head, so that a read behind it is seen. */
    char *head = malloc(whole.head_length);
    CHECK(head);
    memcpy(head, bytes, whole.head_length);
    check_head(head, whole.head_length);
    check_request(head, whole.head_length);
    free(head);
    return 0;
}
