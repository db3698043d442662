/* Request lines of the control socket: what each means, and what is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/control_request.h"

#include <errno.h>
#include <string.h>

static int parse(const char *line, struct control_request *ret_request, const char **ret_problem)
{
    return control_request_parse(line, strlen(line), ret_request, ret_problem);
}

static void test_requests(void **state)
{
    static const struct {
        const char *line;
        enum control_kind kind;
    } rows[] = {
        {"stats", CONTROL_STATS},
        {"reload", CONTROL_RELOAD},
        {"drain", CONTROL_DRAIN},
        {"ps", CONTROL_PS},
        {"ps {}", CONTROL_PS},
        {"ps  { } ", CONTROL_PS},
        {"ps {\"id\":\"1a\"}", CONTROL_PS},
        {"kill {\"id\":\"1a\"}", CONTROL_KILL},
        {"kill {\"user\":\"u\",\"min_bytes\":1}", CONTROL_KILL},
        {"kill\t{\"id\":\"1a\"}", CONTROL_KIND_COUNT},
        {"kill {\"client\":\"10.0.0.0/8\"}", CONTROL_KILL},
        {"kill {\"rule\":\"web\"}", CONTROL_KILL},
        {"kill { \"host\" : \"h\" }\r", CONTROL_KILL},
        {"trace", CONTROL_TRACE},
        {"trace {\"id\":\"1a\"}", CONTROL_TRACE},
        {"trace {\"client\":\"::1\",\"host\":\"h\",\"min_bytes\":0}", CONTROL_TRACE},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct control_request request;
        const char *problem = NULL;
        bool is_good = parse(rows[i].line, &request, &problem) == 0;

        if (is_good ? request.kind != rows[i].kind : rows[i].kind != CONTROL_KIND_COUNT)
            fail_msg("%s: %s", rows[i].line, problem);
    }
}

static void test_members(void **state)
{
    struct control_request request;
    const char *problem;

    assert_int_equal(parse("kill {\"id\":\"1a\"}", &request, &problem), 0);
    assert_int_equal(request.filter.id, 42);
    assert_int_equal(parse("kill {\"user\":\"a\\u00e9\\u004A\\n\xc3\xa9\"}", &request, &problem),
                     0);
    assert_string_equal(request.filter.user, "a\xc3\xa9J\n\xc3\xa9");
    assert_int_equal(parse("ps {\"min_bytes\":18446744073709551615}", &request, &problem), 0);
    assert_true(request.filter.min_bytes == UINT64_MAX);
}

static void test_malformed(void **state)
{
    static const char *const lines[] = {
        "",
        " ",
        "stat",
        "statss",
        "stats {}",
        "STATS",
        "kill",
        "kill ",
        "trace {\"user\":\"u\"}",
        "trace {\"rule\":\"r\"}",
        "trace {\"min_bytes\":1}",
        "kill {}",
        "kill }",
        "kill {\"min_bytes\":1}",
        "kill {\"id\":\"\"}",
        "kill {\"id\":\"I\"}",
        "kill {\"id\":1,}",
        "kill {\"id\":\"1a\"",
        "kill {\"id\":\"1a",
        "kill {\"id\"}",
        "kill {\"id\":}",
        "kill {\"id\" \"1a\"}",
        "kill {id:\"1a\"}",
        "kill {\"id\":\"1a\"} {\"id\":\"1a\"}",
        "kill {\"id\":\"1a\"}x",
        "kill {\"id\":\"1a\" \"user\":\"u\"}",
        "kill [\"1a\"]",
        "kill {\"user\":{\"x\":\"u\"}}",
        "kill {\"user\":\"\"}",
        "kill {\"user\":\"a\\u0000b\"}",
        "kill {\"user\":\"a\\ude42\"}",
        "kill {\"user\":\"a\\u00\"}",
        "kill {\"user\":\"a\\u\x10\x10\x10\x31\"}",
        "kill {\"user\":\"a\x01\"}",
        "kill {\"user\":\"a\\\"}",
        "kill {\"host\":\"*\"}",
        "kill {\"client\":\"a\"}",
        "kill {\"client\":\"10.0.0.1/8\"}",
        "kill {\"rule\":\"\"}",
        "kill {\"host\":\"a:1\"}",
        "kill {\"users\":\"u\"}",
        "kill {\"\":\"u\"}",
        "ps {\"min_bytes\":-1}",
        "ps {\"min_bytes\":1.5}",
        "ps {\"min_bytes\":18446744073709551616}",
        "ps {\"min_bytes\":\"\"}",
        "ps {\"ps\":1}",
        "explain {\"target\"}",
        "explain {\"id\":\"1a\"}",
        "explain x",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct control_request request;
        const char *problem = NULL;

        if (parse(lines[i], &request, &problem) != -EINVAL || problem == NULL)
            fail_msg("'%s' is taken", lines[i]);
    }
}

/* Nothing is cut to fit: a long name must not become another one. */
static void test_long_members(void **state)
{
    char line[CONTROL_REQUEST_MAX] = "kill {\"user\":\"";
    struct control_request request;
    const char *problem;
    size_t start = strlen(line);

    memset(line + start, 'a', BASIC_USER_MAX + 1);
    strcpy(line + start + BASIC_USER_MAX + 1, "\"}");
    assert_int_equal(parse(line, &request, &problem), -EINVAL);
    strcpy(line + start + BASIC_USER_MAX, "\"}");
    assert_int_equal(parse(line, &request, &problem), 0);
    assert_int_equal(strlen(request.filter.user), BASIC_USER_MAX);
    memset(line + 6, 'a', sizeof(line) - 8);
    assert_int_equal(control_request_parse(line, sizeof(line) - 1, &request, &problem), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_long_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
