/* wire/http1_reply: exact bytes. */
#include "wire/http1_reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char reply_buffer[HTTP1_REPLY_SIZE];

static const char *reply(const struct http1_refusal *refusal)
{
    struct text out;

    text_init(&out, reply_buffer, sizeof(reply_buffer));
    http1_reply_refusal(&out, refusal);
    assert_false(out.is_truncated);
    return reply_buffer;
}

/* What stands behind the empty line must be as long as Content-Length says. */
static void assert_content_length(const char *text)
{
    const char *field = strstr(text, "\r\nContent-Length: ");
    const char *body = strstr(text, "\r\n\r\n");

    assert_non_null(field);
    assert_non_null(body);
    assert_true(field < body);
    assert_int_equal(strtoul(field + 18, NULL, 10), strlen(body + 4));
}

static void is_short_on_success(void **state)
{
    assert_string_equal(HTTP1_ESTABLISHED, "HTTP/1.1 200 Connection established\r\n\r\n");
}

static void refuses(void **state)
{
    const struct http1_refusal refusal = {
        .status = 403, .proxy_error = "http_request_denied", .details = "denied by line 7"};

    assert_string_equal(reply(&refusal), "HTTP/1.1 403 denied by line 7\r\n"
                                         "Connection: close\r\n"
                                         "Content-Type: text/plain; charset=utf-8\r\n"
                                         "Content-Length: 23\r\n"
                                         "Proxy-Status: adit; error=http_request_denied; "
                                         "details=\"denied by line 7\"\r\n"
                                         "\r\n"
                                         "adit: denied by line 7\n");
    assert_content_length(reply_buffer);
}

static void says_which_method_is_allowed(void **state)
{
    const struct http1_refusal refusal = {
        .status = 405, .proxy_error = "http_request_error", .details = "use CONNECT"};

    assert_non_null(strstr(reply(&refusal), "\r\nAllow: CONNECT\r\n"));
    assert_content_length(reply_buffer);
}

static void says_how_to_log_in(void **state)
{
    const struct http1_refusal refusal = {
        .status = 407, .proxy_error = "http_request_denied", .details = "who are you?"};

    assert_non_null(strstr(reply(&refusal), "\r\nProxy-Authenticate: Basic realm=\"adit\", "
                                            "charset=\"UTF-8\"\r\n"));
    assert_non_null(strstr(reply_buffer, "\r\nConnection: close\r\n"));
    assert_content_length(reply_buffer);
}

static void omits_the_body_for_head(void **state)
{
    const struct http1_refusal refusal = {.status = 405,
                                          .proxy_error = "http_request_error",
                                          .details = "use CONNECT",
                                          .is_body_omitted = true};
    const char *text = reply(&refusal);

    assert_non_null(strstr(text, "\r\nContent-Length: 18\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

static void says_when_to_retry(void **state)
{
    struct http1_refusal refusal = {.status = 503,
                                    .proxy_error = "connection_limit_reached",
                                    .details = "full",
                                    .retry_after_s = 5};

    assert_non_null(strstr(reply(&refusal), "\r\nRetry-After: 5\r\n"));
    refusal.retry_after_s = 0;
    assert_null(strstr(reply(&refusal), "Retry-After"));
    assert_null(strstr(reply_buffer, "Allow"));
}

static void quotes_the_rcode(void **state)
{
    const struct http1_refusal refusal = {
        .status = 502, .proxy_error = "dns_error", .rcode = "NXDOMAIN", .details = "no such name"};

    assert_non_null(strstr(reply(&refusal), "\r\nProxy-Status: adit; error=dns_error; "
                                            "rcode=\"NXDOMAIN\"; details=\"no such name\"\r\n"));
}

/* Outside bytes in the details can't end the line, the string or the head. */
static void escapes_outside_bytes(void **state)
{
    const struct http1_refusal refusal = {.status = 400,
                                          .proxy_error = "http_request_error",
                                          .details = "a\"b\\c\r\nX: y\t\x7f\xc3\xa4\x01"};
    const char *text = reply(&refusal);

    assert_ptr_equal(strstr(text, "HTTP/1.1 400 a\"b\\c??X: y?????\r\nConnection: close"), text);
    assert_non_null(strstr(text, "details=\"a\\\"b\\\\c??X: y?????\"\r\n\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n") + 4,
                        "adit: a\"b\\c\\r\\nX: y\\t\\u007f\xc3\xa4\\u0001\n");
    assert_content_length(text);
}

static void says_in_ascii_what_the_body_says_in_utf8(void **state)
{
    const struct http1_refusal refusal = {.status = 403,
                                          .proxy_error = "http_request_denied",
                                          .details = "denied (rule \xc3\x96l\xe2\x80\xae)",
                                          .phrase = "denied (line 2)"};
    const char *text = reply(&refusal);

    assert_ptr_equal(strstr(text, "HTTP/1.1 403 denied (line 2)\r\n"), text);
    assert_non_null(strstr(text, "details=\"denied (line 2)\"\r\n\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n") + 4, "adit: denied (rule \xc3\x96l\\u202e)\n");
    assert_content_length(text);
}

/* The worst details: every byte is escaped, and there are too many of them. */
static void fits_whatever_the_details(void **state)
{
    char details[1000];
    const struct http1_refusal refusal = {.status = 431,
                                          .proxy_error = "destination_ip_prohibited",
                                          .rcode = "NXDOMAIN",
                                          .details = details,
                                          .retry_after_s = 4000000000};

    memset(details, '"', sizeof(details) - 1);
    details[sizeof(details) - 1] = '\0';
    assert_content_length(reply(&refusal));
    assert_int_equal(strlen(strstr(reply_buffer, "\r\n\r\n") + 4), 6 + 512 + 1);
}

/* At most 120 bytes, whole words where there are some. */
static void cuts_the_phrase(void **state)
{
    static const struct {
        size_t word; /* letters in front of the first blank */
        size_t length;
        size_t kept; /* in front of the dots; 0: all */
    } rows[] = {{0, 120, 0},     {60, 120, 0},    {60, 121, 60},  {116, 300, 116},
                {117, 300, 117}, {118, 300, 117}, {300, 300, 117}};
    char details[512];
    char expected[512];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct http1_refusal refusal = {
            .status = 502, .proxy_error = "dns_error", .details = details};
        size_t kept = rows[i].kept > 0 ? rows[i].kept : rows[i].length;

        memset(details, 'x', rows[i].length);
        details[rows[i].length] = '\0';
        details[rows[i].word] = rows[i].word < rows[i].length ? ' ' : '\0';
        snprintf(expected, sizeof(expected), "HTTP/1.1 502 %.*s%s\r\nConnection: close\r\n",
                 (int)kept, details, rows[i].kept > 0 ? "..." : "");
        assert_memory_equal(reply(&refusal), expected, strlen(expected));
        assert_content_length(reply_buffer);
    }
}

static void has_a_phrase_for_every_status_of_the_admin_page(void **state)
{
    static const unsigned statuses[] = {200, 400, 401, 403, 404, 405, 408,
                                        414, 421, 429, 431, 503, 505};

    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        const struct http1_answer answer = {
            .status = statuses[i], .content_type = "text/plain", .fields = ""};
        struct text out;

        text_init(&out, reply_buffer, sizeof(reply_buffer));
        http1_reply_head(&out, &answer);
        assert_memory_equal(reply_buffer, "HTTP/1.1 ", 9);
        assert_int_equal(strtoul(reply_buffer + 9, NULL, 10), statuses[i]);
        assert_null(strstr(reply_buffer, "Refused\r\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_short_on_success),
        cmocka_unit_test(refuses),
        cmocka_unit_test(says_which_method_is_allowed),
        cmocka_unit_test(says_how_to_log_in),
        cmocka_unit_test(omits_the_body_for_head),
        cmocka_unit_test(says_when_to_retry),
        cmocka_unit_test(quotes_the_rcode),
        cmocka_unit_test(escapes_outside_bytes),
        cmocka_unit_test(says_in_ascii_what_the_body_says_in_utf8),
        cmocka_unit_test(fits_whatever_the_details),
        cmocka_unit_test(cuts_the_phrase),
        cmocka_unit_test(has_a_phrase_for_every_status_of_the_admin_page),
    };
    return cmocka_run_group_tests_name("wire/http1_reply", tests, NULL, NULL);
}
