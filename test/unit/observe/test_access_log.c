/* Access lines: every field, the ones that are left out, ids, and attempts to forge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/short_id.h"
#include "base/text.h"
#include "observe/access_log.h"
#include "observe/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WALL_MS = 0 };

static struct ip_endpoint endpoint(const char *text)
{
    struct ip_endpoint result;
    assert_int_equal(ip_endpoint_parse(text, strlen(text), &result), 0);
    return result;
}

static struct access_record bare_record(enum access_event event)
{
    return (struct access_record){
        .event = event,
        .id = 1,
        .client = endpoint("127.0.0.1:5000"),
        .dns_ms = -1,
        .dial_ms = -1,
    };
}

static void set_target(struct access_record *record, const char *target)
{
    record->target = target;
    record->target_length = strlen(target);
}

static void format(const struct access_record *record, char line[LOG_LINE_MAX])
{
    struct text text;
    text_init(&text, line, LOG_LINE_MAX);
    access_log_format(&text, LOG_FORMAT_LOGFMT, record, WALL_MS);
    assert_false(text.is_truncated);
    assert_int_equal(strlen(line), text.length);
}

static void test_close_has_every_field_in_order(void **state)
{
    const struct listener listener = {.written = endpoint("[::1]:0"),
                                      .bound = endpoint("[::1]:10800")};
    struct ip_endpoint address = endpoint("93.184.216.34:443");
    struct access_record record = bare_record(ACCESS_CLOSE);
    char line[LOG_LINE_MAX];

    record.listener = &listener;
    record.http = "1.1";
    set_target(&record, "example.com:443");
    record.address = &address;
    record.verdict = "allow";
    record.rule = "built-in";
    record.status = 200;
    record.error = "connection_terminated";
    record.reason = "a reason";
    record.dns_ms = 0;
    record.dial_ms = 12;
    record.up_bytes = 1;
    record.down_bytes = UINT64_MAX;
    record.duration_ms = 3;
    record.closed_by = CLOSED_BY_TARGET_EOF;
    format(&record, line);
    assert_string_equal(line,
                        "time=1970-01-01T00:00:00.000Z id=1 event=close client=127.0.0.1:5000 "
                        "listener=[::1]:10800 http=1.1 target=example.com:443 "
                        "address=93.184.216.34:443 verdict=allow rule=built-in status=200 "
                        "error=connection_terminated reason=\"a reason\" dns_ms=0 dial_ms=12 "
                        "up_bytes=1 down_bytes=18446744073709551615 duration_ms=3 "
                        "closed_by=target_eof");
}

static void format_json(const struct access_record *record, char line[LOG_LINE_MAX])
{
    struct text text;

    text_init(&text, line, LOG_LINE_MAX);
    access_log_format(&text, LOG_FORMAT_JSON, record, WALL_MS);
    assert_false(text.is_truncated);
}

static void test_json_has_the_same_fields(void **state)
{
    const struct listener listener = {.written = endpoint("[::1]:0"),
                                      .bound = endpoint("[::1]:10800")};
    struct ip_endpoint address = endpoint("93.184.216.34:443");
    struct access_record record = bare_record(ACCESS_CLOSE);
    char line[LOG_LINE_MAX];

    record.id = UINT64_MAX;
    record.listener = &listener;
    record.http = "1.0";
    set_target(&record, "example.com:443");
    record.address = &address;
    record.verdict = "deny";
    record.rule = "built-in";
    record.status = 502;
    record.dns_ms = 999;
    record.dial_ms = 1000;
    record.up_bytes = 10;
    record.down_bytes = UINT64_MAX;
    record.duration_ms = 99;
    record.closed_by = CLOSED_BY_HALF_CLOSED_TIMEOUT;
    format_json(&record, line);
    assert_string_equal(
        line,
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"id\":\"fzzzzzzzzzzzz\",\"event\":\"close\","
        "\"client\":\"127.0.0.1:5000\",\"listener\":\"[::1]:10800\",\"http\":\"1.0\","
        "\"target\":\"example.com:443\",\"address\":\"93.184.216.34:443\",\"verdict\":\"deny\","
        "\"rule\":\"built-in\",\"status\":502,\"dns_ms\":999,\"dial_ms\":1000,\"up_bytes\":10,"
        "\"down_bytes\":18446744073709551615,\"duration_ms\":99,"
        "\"closed_by\":\"half_closed_timeout\"}");
}

/* Every length around the steps, every byte, at every place: escaped if it must be, alone. */
static void test_json_escapes_wherever_it_must(void **state)
{
    for (size_t length = 1; length <= 20; length++) {
        for (size_t place = 0; place < length; place++) {
            for (unsigned byte = 1; byte < 256; byte++) {
                struct access_record record = bare_record(ACCESS_DENY);
                char target[32] = "", expected[64] = "", line[LOG_LINE_MAX];
                bool is_escaped = byte < ' ' || byte >= 0x7f || byte == '"' || byte == '\\';

                memset(target, 'x', length);
                target[place] = (char)byte;
                set_target(&record, target);
                format_json(&record, line);
                snprintf(expected, sizeof expected, "\"target\":\"%s\"", target);
                assert_int_equal(strstr(line, expected) == NULL, is_escaped);
                memset(target, 'x', length);
                snprintf(expected, sizeof expected, "%.*s\\u00%02x%s\"", (int)place, target, byte,
                         target + place + 1);
                if (is_escaped && byte != '"' && strchr("\\\n\r\t", (int)byte) == NULL)
                    assert_non_null(strstr(line, expected));
            }
        }
    }
}

static void test_what_is_absent_is_left_out(void **state)
{
    struct access_record record = bare_record(ACCESS_DENY);
    struct ip_endpoint nowhere = {0};
    char line[LOG_LINE_MAX];

    record.address = &nowhere;
    record.rule = "";
    record.error = "";
    record.reason = "";
    record.target = "";
    record.up_bytes = 7; /* of a close only */
    format(&record, line);
    assert_string_equal(line,
                        "time=1970-01-01T00:00:00.000Z id=1 event=deny client=127.0.0.1:5000");
}

static void test_names(void **state)
{
    assert_string_equal(access_event_name(ACCESS_OPEN), "open");
    assert_string_equal(closed_by_name(CLOSED_BY_CLIENT_EOF), "client_eof");
    assert_string_equal(closed_by_name(CLOSED_BY_DRAINED), "drained");
    for (int i = 0; i < CLOSED_BY_COUNT; i++)
        assert_non_null(closed_by_name((enum closed_by)i));
}

/* A target that carries a whole line, or fields, stays one quoted value. */
static void test_lines_cannot_be_forged(void **state)
{
    static const struct {
        const char *target;
        const char *expected;
    } rows[] = {
        {"x\ntime=1970-01-01T00:00:00.000Z id=2 event=open",
         " target=\"x\\ntime=1970-01-01T00:00:00.000Z id=2 event=open\""},
        {"x verdict=allow", " target=\"x verdict=allow\""},
        {"x\" verdict=allow rule=\"y", " target=\"x\\\" verdict=allow rule=\\\"y\""},
        {"x\\", " target=\"x\\\\\""},
        {"x\\\" verdict=allow", " target=\"x\\\\\\\" verdict=allow\""},
        {"\r\x1b[2Kcleared", " target=\"\\r\\u001b[2Kcleared\""},
        {"\xe2\x80\xa8 event=open", " target=\"\\u2028 event=open\""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct access_record record = bare_record(ACCESS_DENY);
        char line[LOG_LINE_MAX];
        set_target(&record, rows[i].target);
        record.status = 400;
        format(&record, line);
        const char *target = strstr(line, " target=");
        assert_non_null(target);
        size_t length = strlen(rows[i].expected);
        assert_int_equal(strncmp(target, rows[i].expected, length), 0);
        assert_string_equal(target + length, " status=400");
        assert_null(strchr(line, '\n'));
    }
}

/* The worst that can come keeps its last field: nothing pushes it off the line. */
static void test_longest_line_is_whole(void **state)
{
    static const char suffix[] = " closed_by=half_closed_timeout";
    struct ip_endpoint longest = endpoint("[2001:1111:2222:3333:4444:5555:6666:7777]:65535");
    struct access_record record = bare_record(ACCESS_CLOSE);
    const struct listener listener = {.bound = longest};
    char hostile[20000], rule[64], line[LOG_LINE_MAX];

    memset(hostile, 1, sizeof hostile);
    hostile[sizeof hostile - 1] = '\0';
    memset(rule, 1, sizeof rule);
    rule[sizeof rule - 1] = '\0';
    record.id = UINT64_MAX;
    record.client = longest;
    record.listener = &listener;
    record.http = "1.1";
    record.target = hostile;
    record.target_length = sizeof hostile;
    record.address = &longest;
    record.verdict = "allow";
    record.rule = rule;
    record.status = 999;
    record.error = "destination_ip_unroutable";
    record.reason = hostile;
    record.dns_ms = INT64_MAX;
    record.dial_ms = INT64_MAX;
    record.up_bytes = UINT64_MAX;
    record.down_bytes = UINT64_MAX;
    record.duration_ms = UINT64_MAX;
    record.closed_by = CLOSED_BY_HALF_CLOSED_TIMEOUT;
    format(&record, line);
    assert_string_equal(line + strlen(line) - strlen(suffix), suffix);
    assert_non_null(strstr(line, "...\" address="));
}

static void assert_id(uint64_t id, const char *expected)
{
    char buffer[32];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    short_id_print(&text, id);
    assert_string_equal(buffer, expected);
}

static void test_ids_print(void **state)
{
    assert_id(0, "0");
    assert_id(31, "z");
    assert_id(32, "10");
    assert_id(UINT64_MAX, "fzzzzzzzzzzzz");
}

static uint64_t first_id_of_a_child(uint64_t seed)
{
    uint64_t id;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct access_ids ids;
        access_ids_init(&ids, seed, 0);
        id = access_ids_take(&ids);
        _exit(write(ends[1], &id, sizeof id) != sizeof id);
    }
    assert_int_equal(read(ends[0], &id, sizeof id), sizeof id);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
    return id;
}

/* Threads, processes, later starts, and a thread that ran through its count do not meet. */
static void test_ids_are_unique(void **state)
{
    enum { START_MS = 1795417200 };
    struct access_ids first, second, later;
    access_ids_init(&first, START_MS, 0);
    access_ids_init(&second, START_MS, 256);
    access_ids_init(&later, START_MS + 64, 0);
    uint64_t first_id = access_ids_take(&first);
    assert_int_not_equal(first_id, access_ids_take(&second));
    assert_int_equal(access_ids_take(&first), first_id + 1);
    uint64_t room = access_ids_take(&later) - first_id;
    assert_true(room >= 16384); /* tunnels in 64 ms */
    assert_int_not_equal(first_id_of_a_child(START_MS), first_id);
}

static void test_write_goes_to_the_ring(void **state)
{
    struct access_record record = bare_record(ACCESS_OPEN);
    char line[LOG_LINE_MAX];
    struct log *log;
    int fd = memfd_create("log", 0);
    assert_true(fd >= 0);
    assert_int_equal(log_create(fd, 1, 4096, &log), 0);
    access_log_write(log_ring_at(log, 0), NULL, &record);
    log_finish(log, 1000);
    log_destroy(log);
    ssize_t length = pread(fd, line, sizeof line - 1, 0);
    assert_true(length > 0);
    line[length] = '\0';
    assert_int_equal(strncmp(line, "time=20", 7), 0);
    assert_string_equal(strstr(line, " id="), " id=1 event=open client=127.0.0.1:5000\n");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_has_every_field_in_order),
        cmocka_unit_test(test_json_has_the_same_fields),
        cmocka_unit_test(test_json_escapes_wherever_it_must),
        cmocka_unit_test(test_what_is_absent_is_left_out),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lines_cannot_be_forged),
        cmocka_unit_test(test_longest_line_is_whole),
        cmocka_unit_test(test_ids_print),
        cmocka_unit_test(test_ids_are_unique),
        cmocka_unit_test(test_write_goes_to_the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
