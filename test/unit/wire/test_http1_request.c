/* A request to the admin page: what the parse gives, and what it refuses. */
#include "wire/http1_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct http1_request found;

static enum http1_result parse(const char *head)
{
    struct http1_scan scan = {0};
    size_t length;

    assert_int_equal(http1_scan(&scan, head, strlen(head), &length), HTTP1_OK);
    return http1_request_parse(head, length, &found);
}

static void assert_view(struct view view, const char *expected)
{
    if (!view_equals(view, expected))
        fail_msg("'%.*s' is not '%s'", (int)view.length, view.start, expected);
}

static void a_request_is_read(void **state)
{
    assert_int_equal(parse("DELETE /api/x?a=1&b=?2 HTTP/1.1\r\nhost:  localhost \r\nX-ADIT: 1\r\n"
                           "Origin: http://a\r\nAuthorization: Basic YTpi\r\nOther: x\r\n\r\n"),
                     HTTP1_OK);
    assert_view(found.method, "DELETE");
    assert_view(found.path, "/api/x");
    assert_view(found.query, "a=1&b=?2");
    assert_view(found.host, "localhost");
    assert_view(found.x_adit, "1");
    assert_view(found.origin, "http://a");
    assert_view(found.authorization, "Basic YTpi");
    assert_false(found.is_head_method);
}

static void what_is_absent_is_known_from_what_is_empty(void **state)
{
    assert_int_equal(parse("HEAD / HTTP/1.0\nOrigin:\n\n"), HTTP1_OK);
    assert_true(found.is_head_method);
    assert_view(found.path, "/");
    assert_int_equal(found.query.length, 0);
    assert_null(found.host.start);
    assert_null(found.x_adit.start);
    assert_null(found.authorization.start);
    assert_non_null(found.origin.start);
    assert_int_equal(found.origin.length, 0);
}

static void a_body_of_nothing_is_fine(void **state)
{
    assert_int_equal(parse("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), HTTP1_OK);
}

static void the_rest_is_refused(void **state)
{
    static const struct {
        const char *head;
        enum http1_result result;
    } rows[] = {
        {"GET http://localhost/ HTTP/1.1\r\n\r\n", HTTP1_BAD},
        {"CONNECT a.example:443 HTTP/1.1\r\n\r\n", HTTP1_BAD},
        {"OPTIONS * HTTP/1.1\r\n\r\n", HTTP1_BAD},
        {"GET ?a HTTP/1.1\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/2.0\r\n\r\n", HTTP1_VERSION},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/1.1\r\nX-Adit: 1\r\nX-Adit: 1\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/1.1\r\nOrigin: a\r\norigin: b\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", HTTP1_BAD},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", HTTP1_BAD},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (parse(rows[i].head) != rows[i].result)
            fail_msg("not refused as it should be: %s", rows[i].head);
        assert_non_null(found.problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(what_is_absent_is_known_from_what_is_empty),
        cmocka_unit_test(a_body_of_nothing_is_fine),
        cmocka_unit_test(the_rest_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
