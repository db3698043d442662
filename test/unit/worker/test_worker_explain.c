/* Questions inside the worker: answered later and once, bounded, taken back, and never with what
 * the resolver does not know any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../dns/name_server.h"
#include "config/setting.h"
#include "loop/loop.h"
#include "process/file_text.h"
#include "process/file_watch.h"
#include "worker/snapshot.h"
#include "worker/worker_explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t passed_ms; /* besides what really passes */

uint64_t __real_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void);

uint64_t __wrap_clock_monotonic_ms(void)
{
    return __real_clock_monotonic_ms() + passed_ms;
}

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

static struct snapshot *make_snapshot(uint64_t dns_timeout_ms)
{
    const struct config_overrides overrides = {.listeners = NULL};
    struct diagnostics *diagnostics = NULL;
    struct listener_set listeners;
    struct snapshot *snapshot;
    struct config *config;

    assert_int_equal(config_parse(NULL, NULL, &overrides, &config, &diagnostics), 0);
    diagnostics_destroy(diagnostics);
    listeners = config->listeners;
    listener_set_keep(&listeners, LISTENER_TUNNELS);
    config->values.dns_timeout_ms = dns_timeout_ms;
    assert_int_equal(snapshot_create(config, &listeners, &snapshot), 0);
    return snapshot;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    *state = fixture;
    fixture->snapshot = make_snapshot(5000);
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

/* -- name servers that are slow */

enum { WAITS_MAX = 2000 };

static struct ns_question asked_a; /* the last; its name is empty until then */

static void answer(const struct ns_question *question)
{
    static struct ns_message reply;

    ns_begin(&reply, question, NOERROR);
    ns_add_a(&reply, NULL, 60, "127.0.0.1");
    name_server_send(question, &reply);
}

/* AAAA is never answered. */
static void answer_a(const struct ns_question *question)
{
    if (question->type == DNS_A)
        answer(question);
}

static void keep_a(const struct ns_question *question)
{
    if (question->type == DNS_A)
        asked_a = *question;
}

static void tick(struct deadline *deadline)
{
    (void)deadline;
}

static void turn(struct fixture *fixture)
{
    struct deadline deadline;

    deadline_init(&deadline, tick);
    deadline_set(fixture->loop, &deadline, loop_now_ms(fixture->loop) + 10);
    assert_int_equal(loop_turn(fixture->loop), 0);
    deadline_cancel(fixture->loop, &deadline);
}

static void wait_for_answer(struct fixture *fixture, const struct asked *question)
{
    for (int i = 0; i < WAITS_MAX && question->answered == 0; i++)
        turn(fixture);
    assert_int_equal(question->answered, 1);
}

static void use_server(struct fixture *fixture, struct name_server *server,
                       void (*script)(const struct ns_question *), uint64_t dns_timeout_ms)
{
    char line[64];

    asked_a.name[0] = '\0';
    name_server_start(server, fixture->loop, script);
    snprintf(line, sizeof(line), "nameserver 127.0.0.1:%u\n", server->port);
    file_text_release(fixture->files[WATCHED_RESOLV_CONF]);
    fixture->files[WATCHED_RESOLV_CONF] = text_of(line);
    snapshot_release(fixture->snapshot);
    fixture->snapshot = make_snapshot(dns_timeout_ms);
}

static void wait_until_it_waits(struct fixture *fixture, struct asked *question)
{
    const char *problem;

    assert_int_equal(start(fixture, question, &problem), 0);
    for (int i = 0; i < WAITS_MAX && asked_a.name[0] == '\0'; i++)
        turn(fixture);
    assert_string_equal(asked_a.name, "slow.example");
}

/* As late as tunnels wait for one. */
static void test_an_answer_that_takes_long(void **state)
{
    struct asked question = {.request = {.words = {"slow.example:80"}}};
    struct fixture *fixture = *state;
    struct name_server server;

    use_server(fixture, &server, keep_a, 60000);
    wait_until_it_waits(fixture, &question);
    passed_ms += 50000;
    for (int i = 0; i < 3; i++)
        turn(fixture);
    assert_int_equal(question.answered, 0);
    answer(&asked_a);
    for (int i = 0; i < 3; i++)
        turn(fixture);
    passed_ms += 10001;
    wait_for_answer(fixture, &question);
    assert_string_equal(question.verdict, "allow");
    assert_non_null(strstr(question.text, "lookup   AAAA: timeout\n"));
    name_server_stop(&server);
}

static void test_nothing_is_answered(void **state)
{
    struct asked question = {.request = {.words = {"slow.example:80"}}};
    struct fixture *fixture = *state;
    struct name_server server;

    use_server(fixture, &server, keep_a, 60000);
    wait_until_it_waits(fixture, &question);
    passed_ms += 60001;
    wait_for_answer(fixture, &question);
    assert_string_equal(question.verdict, "failed");
    assert_non_null(strstr(question.text, "verdict: the lookup failed (504)"));
    name_server_stop(&server);
}

/* The question for AAAA began when `resolver timeout` was longer. */
static void test_what_is_known_by_then(void **state)
{
    struct asked before = {.request = {.words = {"slow.example:80"}}};
    struct asked after = before;
    struct asked none = {.request = {.words = {"[::1]:80"}}};
    struct fixture *fixture = *state;
    struct name_server server;
    const char *problem;

    use_server(fixture, &server, answer_a, 60000);
    assert_int_equal(start(fixture, &before, &problem), 0);
    ask(fixture, &none);
    snapshot_release(fixture->snapshot);
    fixture->snapshot = make_snapshot(5000);
    assert_int_equal(start(fixture, &after, &problem), 0);
    for (int i = 0; i < 20; i++)
        turn(fixture);
    passed_ms += 7000;
    wait_for_answer(fixture, &after);
    assert_int_equal(before.answered, 0);
    assert_string_equal(after.verdict, "allow");
    assert_non_null(strstr(after.text, "lookup   no further answer within `resolver timeout`\n"));
    passed_ms += 60000;
    wait_for_answer(fixture, &before);
    name_server_stop(&server);
}

static void test_who_asks_waits_longer(void **state)
{
    (void)state;
    assert_true(setting_row(SETTING_RESOLVER_TIMEOUT)->max + 1000 < PANEL_EXPLAIN_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded_and_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_back_at_the_last_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_that_takes_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_known_by_then, set_up, tear_down),
        cmocka_unit_test(test_who_asks_waits_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
