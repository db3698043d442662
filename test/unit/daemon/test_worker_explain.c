/* Questions inside the worker: answered later and once, bounded, taken back, and never with what
 * the resolver does not know any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/file_text.h"
#include "daemon/file_watch.h"
#include "daemon/snapshot.h"
#include "daemon/worker_explain.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct worker_explain *explain;
    struct snapshot *snapshot;
    struct file_text *files[WATCHED_FILE_COUNT];
};

struct asked {
    struct explain_request request;
    unsigned answered;
    int exit_status;
    char verdict[16];
    char text[2048];
};

static struct file_text *text_of(const char *bytes)
{
    int fd = memfd_create("text", 0);

    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    struct file_text *text = file_text_read(fd);
    close(fd);
    assert_non_null(text);
    assert_int_equal(file_text_parse_hosts(text), 0);
    return text;
}

static int set_up(void **state)
{
    const struct config_overrides overrides = {.listener_count = 0};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct diagnostics *diagnostics = NULL;
    struct snapshot_listener listeners[1];
    struct config *config;

    assert_non_null(fixture);
    *state = fixture;
    assert_int_equal(config_parse(NULL, NULL, &overrides, &config, &diagnostics), 0);
    diagnostics_destroy(diagnostics);
    listeners[0] = (struct snapshot_listener){
        .written = config->listeners[0], .bound = config->listeners[0], .fd = -1};
    assert_int_equal(snapshot_create(config, listeners, 1, &fixture->snapshot), 0);
    fixture->files[WATCHED_HOSTS] = text_of("127.0.0.1 known.example\n");
    fixture->files[WATCHED_RESOLV_CONF] = text_of("nameserver 127.0.0.1\n");
    assert_int_equal(loop_create(&fixture->loop), 0);
    return worker_explain_create(fixture->loop, &fixture->explain);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    worker_explain_destroy(fixture->explain);
    loop_destroy(fixture->loop);
    snapshot_release(fixture->snapshot);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        file_text_release(fixture->files[i]);
    free(fixture);
    return 0;
}

static void answered(struct explain_request *request, const struct explain_answer *answer)
{
    struct asked *question = container_of(request, struct asked, request);

    question->answered++;
    question->exit_status = answer->exit_status;
    snprintf(question->verdict, sizeof(question->verdict), "%s", answer->verdict);
    snprintf(question->text, sizeof(question->text), "%.*s", (int)answer->length, answer->text);
}

static int start(struct fixture *fixture, struct asked *question, const char **ret_problem)
{
    question->request.answered = answered;
    return worker_explain_start(fixture->explain, &question->request, fixture->snapshot,
                                fixture->files, ret_problem);
}

static void ask(struct fixture *fixture, struct asked *question)
{
    const char *problem = NULL;

    assert_int_equal(start(fixture, question, &problem), 0);
    assert_int_equal(question->answered, 0);
    for (int i = 0; i < 5 && question->answered == 0; i++)
        assert_int_equal(loop_turn(fixture->loop), 0);
    assert_int_equal(question->answered, 1);
}

static void test_answers(void **state)
{
    static const struct {
        const char *target, *user, *client;
        const char *verdict;
        const char *part;
    } rows[] = {
        {"127.0.0.1:80", NULL, NULL, "allow", "address  127.0.0.1: allow by rule built-in"},
        {"Known.example:80", NULL, NULL, "allow", "lookup   A: 127.0.0.1\n"},
        {"known.example:80", "u", "192.0.2.1", "deny", "client   192.0.2.1, user u, at"},
        {"127.0.0.1:10800", NULL, "::1", "deny", "verdict: deny (502), proxy_loop_detected"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct asked question = {
            .request = {.words = {rows[i].target, rows[i].user, rows[i].client}}};

        ask(fixture, &question);
        assert_string_equal(question.verdict, rows[i].verdict);
        assert_int_equal(question.exit_status, rows[i].verdict[0] == 'a' ? 0 : 3);
        if (strstr(question.text, rows[i].part) == NULL)
            fail_msg("%s", question.text);
    }
}

static void test_malformed(void **state)
{
    static const struct explain_request rows[] = {
        {.words = {NULL}},
        {.words = {""}},
        {.words = {"example.com"}},
        {.words = {"127.1:80"}},
        {.words = {"a:80", ""}},
        {.words = {"a:80", NULL, ""}},
        {.words = {"a:80", NULL, "localhost"}},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct asked question = {.request = rows[i]};
        const char *problem = NULL;

        assert_int_equal(start(fixture, &question, &problem), -EINVAL);
        assert_non_null(problem);
    }
}

static void test_bounded_and_taken_back(void **state)
{
    struct fixture *fixture = *state;
    struct asked questions[5];
    const char *problem;

    for (int i = 0; i < 5; i++) {
        questions[i] = (struct asked){.request = {.words = {"slow.example:80"}}};
        assert_int_equal(start(fixture, &questions[i], &problem), i < 4 ? 0 : -EBUSY);
    }
    worker_explain_cancel(fixture->explain, &questions[4].request);
    for (int i = 0; i < 4; i++) {
        worker_explain_cancel(fixture->explain, &questions[i].request);
        worker_explain_cancel(fixture->explain, &questions[i].request);
        assert_int_equal(questions[i].answered, 0);
    }
    struct asked next = {.request = {.words = {"127.0.0.1:80"}}};
    ask(fixture, &next);
}

/* An answer that is ready is taken back before it is delivered. */
static void test_taken_back_at_the_last_moment(void **state)
{
    struct fixture *fixture = *state;
    struct asked question = {.request = {.words = {"127.0.0.1:80"}}};
    struct asked next = {.request = {.words = {"127.0.0.1:80"}}};
    const char *problem;

    assert_int_equal(start(fixture, &question, &problem), 0);
    worker_explain_cancel(fixture->explain, &question.request);
    ask(fixture, &next);
    assert_int_equal(question.answered, 0);
}

static void test_files_that_changed(void **state)
{
    struct fixture *fixture = *state;
    struct asked before = {.request = {.words = {"known.example:80"}}};
    struct asked after = before;

    ask(fixture, &before);
    file_text_release(fixture->files[WATCHED_HOSTS]);
    fixture->files[WATCHED_HOSTS] = text_of("127.0.0.9 known.example\n");
    ask(fixture, &after);
    assert_non_null(strstr(before.text, "lookup   A: 127.0.0.1\n"));
    assert_non_null(strstr(after.text, "lookup   A: 127.0.0.9\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded_and_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_back_at_the_last_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_changed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
