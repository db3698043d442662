/* wire/http1_head: the same table that e2e drives through the real binary, in one piece and byte by
 * byte; the texts of the problems; limits; and every byte value in every place. */
#include "wire/http1_head.h"

#include "support/cases.h"
#include "wire/http1_reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outcome {
    enum http1_result result;
    size_t head_length;  /* with HTTP1_OK of the scan */
    bool has_parsed;     /* `head` was filled */
    const char *problem; /* of either step */
    struct http1_head head;
};

/* Scans `bytes` as they come in pieces of `piece`, then parses. */
static struct outcome read_head(const char *bytes, size_t length, size_t piece)
{
    struct http1_scan scan = {0};
    struct outcome outcome = {.result = HTTP1_MORE};
    size_t arrived = 0;

    while (outcome.result == HTTP1_MORE && arrived < length) {
        arrived = length - arrived > piece ? arrived + piece : length;
        outcome.result = http1_scan(&scan, bytes, arrived, &outcome.head_length);
    }
    outcome.problem = scan.problem;
    if (outcome.result != HTTP1_OK)
        return outcome;
    /* Exactly the head, so that a sanitizer sees a read behind it. */
    char *copy = malloc(outcome.head_length);
    assert_non_null(copy);
    memcpy(copy, bytes, outcome.head_length);
    outcome.result = http1_head_parse(copy, outcome.head_length, &outcome.head);
    outcome.problem = outcome.head.problem;
    outcome.has_parsed = true;
    free(copy);
    return outcome;
}

static struct outcome read_text(const char *text)
{
    return read_head(text, strlen(text), SIZE_MAX);
}

static bool is_view(struct view view, const char *text)
{
    return view.length == strlen(text) && memcmp(view.start, text, view.length) == 0;
}

/* -- tables */

static const char *status_of(enum http1_result result)
{
    static const char *const statuses[] = {
        [HTTP1_OK] = "200",
        [HTTP1_MORE] = "408",
        [HTTP1_BAD] = "400",
        [HTTP1_METHOD_NOT_ALLOWED] = "405",
        [HTTP1_TUNNEL_WANTED] = "405",
        [HTTP1_METHOD_UNKNOWN] = "501",
        [HTTP1_TARGET_TOO_LONG] = "414",
        [HTTP1_HEAD_TOO_LARGE] = "431",
        [HTTP1_VERSION] = "505",
    };
    static_assert(ARRAY_LENGTH(statuses) == HTTP1_RESULT_COUNT, "a status for every result");
    return statuses[result];
}

/* A problem is one printable line without a full stop; every 400 has one. */
static void check_problem(struct case_row *row, const struct outcome *outcome)
{
    const char *problem = outcome->problem;

    if ((problem != NULL) != (outcome->result == HTTP1_BAD || outcome->has_parsed) &&
        outcome->result != HTTP1_OK)
        case_fail(row, "problem is %s", problem ? problem : "missing");
    if (!problem)
        return;
    size_t length = strlen(problem);
    if (length < 10 || length > HTTP1_PHRASE_MAX || problem[length - 1] == '.')
        case_fail(row, "problem is not one line: %s", problem);
    for (size_t i = 0; i < length; i++) {
        if (problem[i] < ' ' || problem[i] > '~')
            case_fail(row, "problem is not printable: %s", problem);
    }
}

static void check_wire_case(struct case_row *row)
{
    const struct case_column *request = &row->columns[3];
    struct outcome outcome = read_head(request->bytes, request->length, SIZE_MAX);
    const char *status = status_of(outcome.result);

    if (strcmp(status, row->columns[1].bytes) != 0)
        case_fail(row, "%s: found %s (%s), expected %s", row->columns[0].bytes, status,
                  outcome.problem ? outcome.problem : "", row->columns[1].bytes);
    if (outcome.result == HTTP1_OK && outcome.head.authority.port != 4711)
        case_fail(row, "port is %u", outcome.head.authority.port);
    check_problem(row, &outcome);
    for (size_t piece = 1; piece <= 3; piece++) {
        struct outcome other = read_head(request->bytes, request->length, piece);
        if (other.result != outcome.result || other.head_length != outcome.head_length ||
            other.problem != outcome.problem)
            case_fail(row, "in pieces of %zu: %s", piece, http1_result_name(other.result));
    }
}

static void follows_the_wire_table(void **state)
{
    static const struct case_value values[] = {
        {"{target}", "127.0.0.1:4711"}, {"{port}", "4711"}, {"{port+65536}", "70247"},
        {"{port+2^32}", "4294972007"},  {NULL, NULL},
    };

    cases_check("wire.cases", 4, values, check_wire_case);
}

static void check_problem_case(struct case_row *row)
{
    const struct case_column *bytes = &row->columns[1];
    struct outcome outcome = read_head(bytes->bytes, bytes->length, SIZE_MAX);
    const char *problem = outcome.problem ? outcome.problem : "none";

    if (!strstr(problem, row->columns[0].bytes))
        case_fail(row, "found %s (%s), expected ...%s...", problem,
                  http1_result_name(outcome.result), row->columns[0].bytes);
    check_problem(row, &outcome);
}

static void says_what_is_wrong(void **state)
{
    cases_check("http1_problem.cases", 2, NULL, check_problem_case);
}

/* -- what is found */

static void finds_the_end_of_the_head(void **state)
{
    static const char head[] = "\r\n\nCONNECT a:1 HTTP/1.1\r\nX: y\n\r\n";
    static const char behind[] = "\r\n\r\nCONNECT b:2 HTTP/1.1\r\n\r\n\0\x16";
    char bytes[sizeof(head) + sizeof(behind)];
    struct http1_scan scan = {0};
    size_t head_length = 0;

    memcpy(bytes, head, sizeof(head) - 1);
    memcpy(bytes + sizeof(head) - 1, behind, sizeof(behind));
    size_t length = sizeof(head) - 1 + sizeof(behind);
    assert_int_equal(http1_scan(&scan, bytes, length, &head_length), HTTP1_OK);
    assert_int_equal(head_length, sizeof(head) - 1);
}

static void asks_for_more(void **state)
{
    static const char head[] = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n";

    for (size_t length = 0; length < sizeof(head) - 1; length++) {
        struct http1_scan scan = {0};
        size_t head_length = 77;
        char *copy = malloc(length + 1);
        assert_non_null(copy);
        memcpy(copy, head, length);
        assert_int_equal(http1_scan(&scan, copy, length, &head_length), HTTP1_MORE);
        assert_int_equal(head_length, 77);
        assert_null(scan.problem);
        free(copy);
    }
}

static void finds_the_parts(void **state)
{
    static const char head[] = "\r\nCONNECT Example.COM.:443 HTTP/1.0\r\n"
                               "proxy-AUTHORIZATION: \t Basic dTpw== \t\r\n"
                               "Proxy-Authorization: Basic other\r\n\r\n";
    struct http1_scan scan = {0};
    struct http1_head found;
    size_t length;

    assert_int_equal(http1_scan(&scan, head, sizeof(head) - 1, &length), HTTP1_OK);
    assert_int_equal(http1_head_parse(head, length, &found), HTTP1_OK);
    assert_true(is_view(found.method, "CONNECT"));
    assert_true(is_view(found.target, "Example.COM.:443"));
    assert_true(is_view(found.proxy_authorization, "Basic dTpw=="));
    assert_string_equal(found.authority.host, "example.com");
    assert_int_equal(found.authority.port, 443);
    assert_int_equal(found.minor_version, 0);
    assert_false(found.is_head_method);
    assert_null(found.problem);
}

static void fills_what_it_can_on_failure(void **state)
{
    static const char head[] = "HEAD http://a/ HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http1_head found;

    assert_int_equal(http1_head_parse(head, sizeof(head) - 1, &found), HTTP1_METHOD_NOT_ALLOWED);
    assert_true(is_view(found.method, "HEAD"));
    assert_true(is_view(found.target, "http://a/"));
    assert_int_equal(found.minor_version, 1);
    assert_true(found.is_head_method);
    assert_non_null(found.problem);
}

static void knows_the_methods(void **state)
{
    static const char *const known[] = {"GET",    "HEAD",    "POST",  "PUT",
                                        "DELETE", "OPTIONS", "TRACE", "PATCH"};
    static const char *const unknown[] = {"get", "GETT", "GE", "PRI", "CONNECTS", "CONNEC", "!"};
    char head[64];

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        snprintf(head, sizeof(head), "%s / HTTP/1.1\r\n\r\n", known[i]);
        assert_int_equal(read_text(head).result, HTTP1_METHOD_NOT_ALLOWED);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++) {
        snprintf(head, sizeof(head), "%s / HTTP/1.1\r\n\r\n", unknown[i]);
        assert_int_equal(read_text(head).result, HTTP1_METHOD_UNKNOWN);
    }
}

static void knows_the_versions(void **state)
{
    char head[64];

    for (char major = '0'; major <= '9'; major++) {
        for (char minor = '0'; minor <= '9'; minor++) {
            snprintf(head, sizeof(head), "CONNECT a:1 HTTP/%c.%c\r\n\r\n", major, minor);
            struct outcome outcome = read_text(head);
            assert_int_equal(outcome.result, major == '1' ? HTTP1_OK : HTTP1_VERSION);
            assert_int_equal(outcome.head.minor_version, minor - '0');
        }
    }
}

/* -- every byte value in every place */

/* Is a head still good with `byte` in place of the `@`? */
static bool takes_byte(const char *pattern, int byte)
{
    size_t length = strlen(pattern);
    char *head = malloc(length + 1);

    assert_non_null(head);
    memcpy(head, pattern, length + 1);
    *strchr(head, '@') = (char)byte;
    enum http1_result result = read_head(head, length, SIZE_MAX).result;
    free(head);
    assert_true(result == HTTP1_OK || result == HTTP1_BAD || result == HTTP1_METHOD_UNKNOWN ||
                result == HTTP1_METHOD_NOT_ALLOWED);
    return result != HTTP1_BAD;
}

static bool is_token(int byte)
{
    return byte > ' ' && byte < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", byte);
}

static void judges_every_byte(void **state)
{
    for (int byte = 0; byte < 256; byte++) {
        bool is_text = byte == '\t' || (byte >= ' ' && byte != 0x7f);
        bool is_visible = byte > ' ' && byte < 0x7f;
        bool is_letter = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                         (byte >= 'A' && byte <= 'Z');

        assert_int_equal(takes_byte("X@X / HTTP/1.1\r\n\r\n", byte), is_token(byte));
        assert_int_equal(takes_byte("GET /@/ HTTP/1.1\r\n\r\n", byte), is_visible);
        assert_int_equal(takes_byte("CONNECT a@b:1 HTTP/1.1\r\n\r\n", byte),
                         is_letter || (byte && strchr("-_.", byte)));
        assert_int_equal(takes_byte("GET / HTTP/1.1\r\nX@X: y\r\n\r\n", byte),
                         is_token(byte) || byte == ':');
        /* A line feed ends the line; what follows it is a field then. */
        assert_int_equal(takes_byte("GET / HTTP/1.1\r\nX: y@z: 1\r\n\r\n", byte),
                         is_text || byte == '\n');
    }
}

/* The scan passes printable bytes eight at a time: what it must not pass it sees at each of eight
 * places, with eights behind it and without, all at once as in pieces. */
static void judges_a_byte_at_every_place(void **state)
{
    static const char start[] = "GET / HTTP/1.1\r\nX:";
    static const char filling[] = "0123456789abcdef01234567";
    char head[sizeof(start) + sizeof(filling) + 4];

    for (int byte = 0; byte < 256; byte++) {
        bool is_text = byte == '\t' || (byte >= ' ' && byte != 0x7f);

        for (size_t place = 0; place < sizeof(filling) - 1; place++) {
            int length = snprintf(head, sizeof(head), "%s%s\r\n\r\n", start, filling);
            head[sizeof(start) - 1 + place] = (char)byte;
            struct outcome whole = read_head(head, (size_t)length, SIZE_MAX);
            /* A line feed makes a field of what follows it: one without a colon, if anything. */
            bool is_end = byte == '\n' && place == sizeof(filling) - 2;
            assert_int_equal(whole.result != HTTP1_BAD, is_text || is_end);
            for (size_t piece = 1; piece <= 9; piece += 4) {
                struct outcome other = read_head(head, (size_t)length, piece);
                assert_int_equal(other.result, whole.result);
                assert_ptr_equal(other.problem, whole.problem);
            }
        }
    }
}

/* -- limits */

/* `CONNECT a:1 HTTP/1.1`, one field that fills up to `size`, and the empty line. */
static char *head_of_size(size_t size)
{
    static const char start[] = "CONNECT a:1 HTTP/1.1\r\nX: ";
    char *head = malloc(size);

    assert_non_null(head);
    memset(head, 'x', size);
    memcpy(head, start, sizeof(start) - 1);
    memcpy(head + size - 4, "\r\n\r\n", 4);
    return head;
}

static void limits_the_size(void **state)
{
    for (size_t size = HTTP1_HEAD_MAX - 2; size <= HTTP1_HEAD_MAX + 5; size++) {
        char *head = head_of_size(size);
        enum http1_result expected = size <= HTTP1_HEAD_MAX ? HTTP1_OK : HTTP1_HEAD_TOO_LARGE;
        assert_int_equal(read_head(head, size, SIZE_MAX).result, expected);
        assert_int_equal(read_head(head, size, 1).result, expected);
        assert_int_equal(read_head(head, size, 1000).result, expected);
        free(head);
    }
}

/* Full, but not over: no verdict before HTTP1_HEAD_MAX bytes are there, and one as soon as they
 * are. */
static void decides_at_the_limit(void **state)
{
    char *bytes = malloc(HTTP1_HEAD_MAX);
    struct http1_scan scan = {0};
    size_t length;

    assert_non_null(bytes);
    memset(bytes, 'x', HTTP1_HEAD_MAX);
    assert_int_equal(http1_scan(&scan, bytes, HTTP1_HEAD_MAX - 1, &length), HTTP1_MORE);
    assert_int_equal(http1_scan(&scan, bytes, HTTP1_HEAD_MAX, &length), HTTP1_TARGET_TOO_LONG);

    for (size_t i = 0; i < HTTP1_HEAD_MAX; i++)
        bytes[i] = i % 2 ? '\n' : '\r';
    assert_int_equal(read_head(bytes, HTTP1_HEAD_MAX - 1, SIZE_MAX).result, HTTP1_MORE);
    assert_int_equal(read_head(bytes, HTTP1_HEAD_MAX, SIZE_MAX).result, HTTP1_HEAD_TOO_LARGE);
    free(bytes);
}

static void limits_the_fields(void **state)
{
    for (unsigned count = HTTP1_FIELDS_MAX - 1; count <= HTTP1_FIELDS_MAX + 1; count++) {
        char head[2048];
        size_t length = (size_t)snprintf(head, sizeof(head), "\n\nCONNECT a:1 HTTP/1.1\n");
        for (unsigned i = 0; i < count; i++) {
            memcpy(head + length, "a:b\r\n", 5);
            length += 5;
        }
        head[length++] = '\n';
        assert_int_equal(read_head(head, length, SIZE_MAX).result,
                         count <= HTTP1_FIELDS_MAX ? HTTP1_OK : HTTP1_HEAD_TOO_LARGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_wire_table),    cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(finds_the_end_of_the_head), cmocka_unit_test(asks_for_more),
        cmocka_unit_test(finds_the_parts),           cmocka_unit_test(fills_what_it_can_on_failure),
        cmocka_unit_test(knows_the_methods),         cmocka_unit_test(knows_the_versions),
        cmocka_unit_test(judges_every_byte),         cmocka_unit_test(judges_a_byte_at_every_place),
        cmocka_unit_test(limits_the_size),           cmocka_unit_test(decides_at_the_limit),
        cmocka_unit_test(limits_the_fields),
    };
    return cmocka_run_group_tests_name("wire/http1_head", tests, NULL, NULL);
}
