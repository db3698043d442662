/* squid's native format: its lines to the byte, and columns that nobody can add to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/squid_line.h"

#include <string.h>

enum { WALL_MS = 123 };

static char line[LINE_SIZE];

static struct ip_endpoint endpoint(const char *text)
{
    struct ip_endpoint result;

    assert_int_equal(ip_endpoint_parse(text, strlen(text), &result), 0);
    return result;
}

static struct access_record record_of(enum access_event event, const char *target)
{
    return (struct access_record){
        .event = event,
        .client = endpoint("127.0.0.1:5000"),
        .target = target,
        .target_length = target != NULL ? strlen(target) : 0,
        .dns_ms = -1,
        .dial_ms = -1,
    };
}

static void assert_squid(const struct access_record *record, const char *expected)
{
    size_t length = squid_line_put(line, record, 1795435515765);

    assert_true(length < LOG_LINE_MAX);
    line[length] = '\0';
    assert_string_equal(line, expected);
}

/* The first two and the last four were written by squid 5.7 itself, but for status and page. */
static void test_lines_are_squids(void **state)
{
    struct ip_endpoint address = endpoint("127.0.0.1:42293");
    struct ip_endpoint address6 = endpoint("[::1]:1");
    struct access_record record = record_of(ACCESS_CLOSE, "127.0.0.1:42293");

    record.address = &address;
    record.verdict = "allow";
    record.duration_ms = 8;
    record.down_bytes = 100;
    record.up_bytes = 7;
    assert_squid(&record, "1795435515.765      8 127.0.0.1 TCP_TUNNEL/200 139 CONNECT "
                          "127.0.0.1:42293 - HIER_DIRECT/127.0.0.1 -");
    record.duration_ms = 1234567;
    record.down_bytes = 0;
    record.user = "alice";
    assert_squid(&record, "1795435515.765 1234567 127.0.0.1 TCP_TUNNEL/200 39 CONNECT "
                          "127.0.0.1:42293 alice HIER_DIRECT/127.0.0.1 -");
    record = record_of(ACCESS_DENY, "denied.example:443");
    record.verdict = "deny";
    record.status = 403;
    assert_squid(&record, "1795435515.765      0 127.0.0.1 TCP_DENIED/403 0 CONNECT "
                          "denied.example:443 - HIER_NONE/- -");
    record = record_of(ACCESS_AUTH_FAILURE, "a:443");
    record.status = 407;
    record.user = "mallory";
    assert_squid(&record, "1795435515.765      0 127.0.0.1 TCP_DENIED/407 0 CONNECT a:443 mallory "
                          "HIER_NONE/- -");
    record = record_of(ACCESS_DENY, "[::1]:1");
    record.client = address6;
    record.address = &address6;
    record.verdict = "allow";
    record.status = 503;
    record.dns_ms = 200;
    record.dial_ms = 45;
    assert_squid(&record, "1795435515.765    245 ::1 NONE_NONE/503 0 CONNECT [::1]:1 - "
                          "HIER_DIRECT/::1 -");
    record = record_of(ACCESS_DENY, NULL);
    record.status = 400;
    assert_squid(&record, "1795435515.765      0 127.0.0.1 NONE_NONE/400 0 CONNECT "
                          "error:invalid-request - HIER_NONE/- -");
    record = record_of(ACCESS_DENY, "a:443"); /* the client left */
    assert_squid(&record, "1795435515.765      0 127.0.0.1 NONE_NONE_ABORTED/000 0 CONNECT a:443 - "
                          "HIER_NONE/- -");
}

static void test_an_open_has_no_line(void **state)
{
    struct access_record record = record_of(ACCESS_OPEN, "a:443");

    assert_int_equal(squid_line_put(line, &record, WALL_MS), 0);
}

/* Any byte, in either column: still ten words of printable ASCII, and the byte can be read back. */
static void test_columns_cannot_be_forged(void **state)
{
    for (unsigned byte = 1; byte < 256; byte++) {
        char target[] = {'a', (char)byte, 'b', '\0'};
        struct access_record record = record_of(ACCESS_DENY, target);
        unsigned words = 0;

        record.user = target;
        size_t length = squid_line_put(line, &record, WALL_MS);
        line[length] = '\0';
        for (size_t i = 0; i < length; i++) {
            assert_in_range((unsigned char)line[i], ' ', '~');
            words += line[i] != ' ' && (i == 0 || line[i - 1] == ' ');
        }
        assert_int_equal(words, 10);
    }
}

static void test_the_longest_line_fits(void **state)
{
    struct ip_endpoint longest = endpoint("[2001:1111:2222:3333:4444:5555:6666:7777]:65535");
    struct access_record record = record_of(ACCESS_CLOSE, NULL);
    static char hostile[20000];

    memset(hostile, '\n', sizeof(hostile) - 1);
    record.client = longest;
    record.address = &longest;
    record.target = record.user = hostile;
    record.target_length = sizeof(hostile) - 1;
    record.duration_ms = record.down_bytes = UINT64_MAX / 2;
    size_t length = squid_line_put(line, &record, UINT64_MAX);
    assert_true(length < LOG_LINE_MAX);
    line[length] = '\0';
    assert_string_equal(line + length - strlen(":7777 -"), ":7777 -");
    assert_non_null(strstr(line, "%0A HIER_DIRECT/2001:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_squids),
        cmocka_unit_test(test_an_open_has_no_line),
        cmocka_unit_test(test_columns_cannot_be_forged),
        cmocka_unit_test(test_the_longest_line_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
