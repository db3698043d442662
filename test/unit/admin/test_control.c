/* The control server on a real loop: requests in any pieces, answers, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/control.h"
#include "admin/control_request.h"
#include "admin/control_socket.h"
#include "admin/panel.h"
#include "admin/reload_report.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static char folder[] = "/tmp/adit-unit-XXXXXX";

struct fixture {
    char path[64];
    struct control_socket socket;
    struct loop *loop;
    struct control *control;
    struct panel panel;
    struct tunnels_query *query; /* the last that was asked and not cancelled */
    unsigned stats_count;
    unsigned drain_count;
    unsigned note_count;
    char noted[256];
    struct explain_request *explain; /* the last that was asked and not cancelled */
    char question[128];
    bool is_late; /* tunnels and reloads are answered by the test, not at once */
    struct deadline tick;
};

static char first[] = "a\nb\n";
static char second[] = "c\n";

static void answer_tunnels(struct fixture *fixture)
{
    char *const parts[] = {first, second};
    const size_t lengths[] = {4, 2};
    struct tunnels_query *query = fixture->query;
    const struct tunnels_answer answer = {.parts = parts,
                                          .lengths = lengths,
                                          .part_count = query->is_kill ? 0 : 2,
                                          .tunnel_count = 3,
                                          .is_complete = true};

    fixture->query = NULL;
    query->answered(query, &answer);
}

static void ask_tunnels(void *self, struct tunnels_query *query)
{
    struct fixture *fixture = self;

    fixture->query = query;
    if (!fixture->is_late)
        answer_tunnels(fixture);
}

static void cancel_tunnels(void *self, struct tunnels_query *query)
{
    struct fixture *fixture = self;

    if (fixture->query == query)
        fixture->query = NULL;
}

static const struct reload_report good = {.is_good = true};

static void read_stats(void *self, struct stats *ret_stats)
{
    struct fixture *fixture = self;

    fixture->stats_count++;
    *ret_stats = (struct stats){.state = "serving", .reload = &good};
}

/* Answers with the question. */
static int explain(void *self, struct explain_request *request, const char **ret_problem)
{
    struct fixture *fixture = self;

    if (request->words[QUESTION_TARGET] == NULL) {
        *ret_problem = "the target is missing";
        return -EINVAL;
    }
    snprintf(fixture->question, sizeof(fixture->question), "%s for %s\n",
             request->words[QUESTION_TARGET],
             request->words[QUESTION_USER] != NULL ? request->words[QUESTION_USER] : "nobody");
    request->work = fixture;
    fixture->explain = request;
    return 0;
}

static void cancel_explain(void *self, struct explain_request *request)
{
    struct fixture *fixture = self;

    if (request->work != NULL)
        fixture->explain = NULL;
    request->work = NULL;
}

static const struct panel_ops ops = {.ask_tunnels = ask_tunnels,
                                     .cancel_tunnels = cancel_tunnels,
                                     .read_stats = read_stats,
                                     .explain = explain,
                                     .cancel_explain = cancel_explain};

/* Without the process id. */
static void note(void *self, const char *words)
{
    struct fixture *fixture = self;
    char pid[32];
    const char *rest = strstr(words, ", pid ");

    assert_non_null(rest);
    snprintf(pid, sizeof(pid), ", pid %d", (int)getpid());
    assert_int_equal(strncmp(rest, pid, strlen(pid)), 0);
    snprintf(fixture->noted, sizeof(fixture->noted), "%.*s%s", (int)(rest - words), words,
             rest + strlen(pid));
    fixture->note_count++;
}

static const char figures[] = "{\"ok\":true,\"version\":";

static void reload(void *self)
{
    struct fixture *fixture = self;

    if (!fixture->is_late)
        control_answer_reload(fixture->control, 1, true, "fine");
}

static uint64_t drain(void *self)
{
    struct fixture *fixture = self;

    fixture->drain_count++;
    return 45000;
}

static void ticked(struct deadline *deadline)
{
}

/* Lets the loop work on what is there: clients that wait together are accepted within a few turns.
 */
static void turn(struct fixture *fixture)
{
    for (int i = 0; i < 8; i++) {
        deadline_set(fixture->loop, &fixture->tick, loop_now_ms(fixture->loop) + 2);
        assert_int_equal(loop_turn(fixture->loop), 0);
    }
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (fixture == NULL || mkdtemp(folder) == NULL)
        return -1;
    snprintf(fixture->path, sizeof(fixture->path), "%s/sock", folder);
    deadline_init(&fixture->tick, ticked);
    if (control_socket_open(fixture->path, &fixture->socket) < 0 || loop_create(&fixture->loop) < 0)
        return -1;
    fixture->panel = (struct panel){.ops = &ops, .self = fixture};
    const struct control_owner owner = {
        .reload = reload, .drain = drain, .note = note, .self = fixture};
    if (control_create(fixture->loop, fixture->socket.fd, &fixture->panel, &owner,
                       &fixture->control) < 0)
        return -1;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    deadline_cancel(fixture->loop, &fixture->tick);
    control_destroy(fixture->control);
    loop_destroy(fixture->loop);
    control_socket_close(&fixture->socket);
    free(fixture);
    return rmdir(folder);
}

static int open_client(struct fixture *fixture)
{
    struct timeval patience = {.tv_sec = 5};
    int fd = control_socket_connect(fixture->path);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static void say(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* The whole answer up to the end, which must come; closes. */
static void expect_answer(int fd, const char *start)
{
    char bytes[STATS_SIZE];
    size_t length = 0;
    ssize_t count;

    while ((count = recv(fd, bytes + length, sizeof(bytes) - 1 - length, 0)) > 0)
        length += (size_t)count;
    bytes[length] = '\0';
    if (strncmp(bytes, start, strlen(start)) != 0)
        fail_msg("'%s' is not '%s...'", bytes, start);
    if (length > 0)
        assert_int_equal(bytes[length - 1], '\n');
    close(fd);
}

static void test_requests(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *request;
        const char *answer;
    } rows[] = {
        {"stats\n", figures},
        {"stats\nignored", figures},
        {"kill {\"host\":\"*.a\"}\n", "{\"ok\":true,\"killed\":3}\n"},
        {"kill\n", "{\"ok\":false,\"error\":\"kill whom?"},
        {"ps {\"user\":\"u\"}\n", "{\"ok\":true,\"tunnels\":3}\na\nb\nc\n"},
        {"stats \n", "{\"ok\":false,\"error\":\"unknown request"},
        {"\n", "{\"ok\":false,\"error\":\"unknown request"},
        {"GET / HTTP/1.1\r\n", "{\"ok\":false,\"error\":\"unknown request"},
        {"ps\n", "{\"ok\":true,\"tunnels\":3}\na\nb\nc\n"},
        {"reload\n", "{\"ok\":true,\"text\":\"fine\"}\n"},
        {"drain\n", "{\"ok\":true,\"drain_ms\":45000}\n"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int fd = open_client(fixture);
        say(fd, rows[i].request);
        turn(fixture);
        expect_answer(fd, rows[i].answer);
    }
    assert_int_equal(fixture->stats_count, 2);
    assert_int_equal(fixture->drain_count, 1);
}

/* What changes something is told with who had it done; what only looks is not. */
static void test_who_asks_is_noted(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *request;
        const char *before;
        const char *behind;
    } rows[] = {
        {"kill {\"host\":\"*.a\"}\n", "kill", ": host *.a"},
        {"kill {\"id\":\"1a\"}\n", "kill", ": id 1a"},
        {"kill {\"min_bytes\":7,\"rule\":\"r\",\"client\":\"10.0.0.0/8\",\"user\":\"u\"}\n", "kill",
         ": user u, client 10.0.0.0/8, rule r, bytes from 7"},
        {"reload\n", "reload", ""},
        {"drain\n", "drain", ""},
        {"ps\n", NULL, NULL},
        {"stats\n", NULL, NULL},
        {"kill\n", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        unsigned before = fixture->note_count;
        char expected[256];
        int fd = open_client(fixture);

        say(fd, rows[i].request);
        turn(fixture);
        expect_answer(fd, "{\"ok\":");
        assert_int_equal(fixture->note_count - before, rows[i].before != NULL);
        if (rows[i].before == NULL)
            continue;
        snprintf(expected, sizeof(expected), "%s asked by uid %u%s", rows[i].before, getuid(),
                 rows[i].behind);
        assert_string_equal(fixture->noted, expected);
    }
}

static void test_a_request_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);

    for (const char *byte = "stats\n"; *byte != '\0'; byte++) {
        char piece[2] = {*byte, '\0'};
        say(fd, piece);
        turn(fixture);
    }
    expect_answer(fd, figures);
}

static void test_a_half_close_behind_the_request(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);

    fixture->is_late = true;
    say(fd, "kill {\"id\":\"a\"}\n");
    shutdown(fd, SHUT_WR);
    turn(fixture);
    answer_tunnels(fixture);
    expect_answer(fd, "{\"ok\":true,\"killed\":3}\n");
}

static void test_a_request_that_is_too_long(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);
    char request[CONTROL_REQUEST_MAX + 1];

    memset(request, 'a', sizeof(request));
    request[CONTROL_REQUEST_MAX] = '\0';
    say(fd, request);
    turn(fixture);
    expect_answer(fd, "{\"ok\":false,\"error\":\"the request is over 4096 bytes");
}

/* Who asked and left is not answered, and nobody else is in his place. */
static void test_a_query_is_taken_back(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);

    fixture->is_late = true;
    say(fd, "ps\n");
    turn(fixture);
    assert_non_null(fixture->query);
    close(fd);
    turn(fixture);
    assert_null(fixture->query);
}

static void test_what_is_asked_of_tunnels(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);

    fixture->is_late = true;
    say(fd, "ps { \"user\" : \"al\\\"ice\", \"host\":\"*.Example.com\", \"min_bytes\":\"64k\" }\n");
    turn(fixture);
    assert_non_null(fixture->query);
    assert_false(fixture->query->is_kill);
    assert_string_equal(fixture->query->filter.user, "al\"ice");
    assert_int_equal(fixture->query->filter.host.kind, LIST_ENTRY_SUFFIX);
    assert_string_equal(fixture->query->filter.host.authority.host, "example.com");
    assert_true(fixture->query->filter.min_bytes == 65536);
    answer_tunnels(fixture);
    expect_answer(fd, "{\"ok\":true,\"tunnels\":3}\na\nb\nc\n");
}

static void test_a_question_to_the_policy(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);

    say(fd, "explain {\"target\":\"a.test:1\",\"user\":\"al\\\"ice\",\"sni\":\"\"}\n");
    turn(fixture);
    assert_non_null(fixture->explain);
    struct explain_request *request = fixture->explain;
    const struct explain_answer answer = {.verdict = "deny",
                                          .exit_status = 3,
                                          .text = fixture->question,
                                          .length = strlen(fixture->question)};
    assert_null(request->words[QUESTION_SNI]);
    request->work = NULL;
    request->answered(request, &answer);
    expect_answer(fd, "{\"ok\":true,\"verdict\":\"deny\",\"exit\":3,"
                      "\"text\":\"a.test:1 for al\\\"ice\\n\"}\n");
    turn(fixture);

    fd = open_client(fixture);
    say(fd, "explain\n");
    turn(fixture);
    expect_answer(fd, "{\"ok\":false,\"error\":\"the target is missing\"}\n");

    fd = open_client(fixture);
    say(fd, "explain {\"target\":\"a.test:1\"}\n");
    turn(fixture);
    assert_non_null(fixture->explain->work);
    close(fd);
    turn(fixture);
    assert_null(fixture->explain);
}

/* Two reloads are asked for; the first answer is the first one's, though he has left. */
static void test_reloads_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    int fds[3];

    fixture->is_late = true;
    for (int i = 0; i < 3; i++) {
        fds[i] = open_client(fixture);
        say(fds[i], "reload\n");
        turn(fixture);
    }
    close(fds[0]);
    turn(fixture);
    control_answer_reload(fixture->control, 1, true, "for who left");
    turn(fixture);
    assert_int_equal(recv(fds[1], (char[1]){0}, 1, MSG_DONTWAIT), -1);
    control_answer_reload(fixture->control, 2, false, "x:1:2: error: \"y\"\n  ^\n");
    turn(fixture);
    for (int i = 1; i < 3; i++)
        expect_answer(fds[i], "{\"ok\":false,\"error\":\"x:1:2: error: \\\"y\\\"\\n  ^\\n\"}\n");
    control_answer_reload(fixture->control, 0, true, "");
}

/* Far more than a socket's buffer takes; the client reads late. */
static void test_a_long_answer(void **state)
{
    enum { LENGTH = 8 * 1024 * 1024 };
    struct fixture *fixture = *state;
    char *lines = malloc(LENGTH);
    char *const texts[] = {lines};
    const size_t lengths[] = {LENGTH};
    static char piece[65536];
    size_t length = 0;
    ssize_t count = 1;

    assert_non_null(lines);
    memset(lines, 'x', LENGTH);
    fixture->is_late = true;
    int fd = open_client(fixture);
    say(fd, "ps\n");
    turn(fixture);
    const struct tunnels_answer answer = {
        .parts = texts, .lengths = lengths, .part_count = 1, .is_complete = true};
    fixture->query->answered(fixture->query, &answer);
    free(lines);
    while (count != 0) {
        count = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (count < 0)
            turn(fixture);
        else
            length += (size_t)count;
    }
    close(fd);
    assert_int_equal(length, LENGTH + strlen("{\"ok\":true,\"tunnels\":0}\n"));
}

static void test_idle_clients_give_way(void **state)
{
    struct fixture *fixture = *state;
    int idle[40];

    for (size_t i = 0; i < ARRAY_LENGTH(idle); i++)
        idle[i] = open_client(fixture);
    turn(fixture);
    int fd = open_client(fixture);
    say(fd, "stats\n");
    turn(fixture);
    expect_answer(fd, figures);
    expect_answer(idle[0], "{\"ok\":false,\"error\":\"too many");
    for (size_t i = 1; i < ARRAY_LENGTH(idle); i++)
        close(idle[i]);
    turn(fixture);
}

/* Whoever is being answered and does not read gives way like the others, but gets nothing more: a
 * second answer has no place behind half of the first. */
static void test_a_client_that_does_not_read_gives_way(void **state)
{
    enum { LENGTH = 8 * 1024 * 1024, OTHERS = 20 };
    struct fixture *fixture = *state;
    char *lines = calloc(1, LENGTH);
    char *const texts[] = {lines};
    const size_t lengths[] = {LENGTH};
    const struct tunnels_answer answer = {
        .parts = texts, .lengths = lengths, .part_count = 1, .is_complete = true};
    int idle[OTHERS];

    assert_non_null(lines);
    fixture->is_late = true;
    int slow = open_client(fixture);
    say(slow, "ps\n");
    turn(fixture);
    fixture->query->answered(fixture->query, &answer);
    free(lines);
    for (size_t i = 0; i < ARRAY_LENGTH(idle); i++)
        idle[i] = open_client(fixture);
    turn(fixture);
    assert_int_equal(send(slow, "x", 1, MSG_NOSIGNAL), -1);
    close(slow);
    expect_answer(idle[0], "{\"ok\":false,\"error\":\"too many");
    int fd = open_client(fixture);
    say(fd, "stats\n");
    turn(fixture);
    expect_answer(fd, figures);
    for (size_t i = 1; i < ARRAY_LENGTH(idle); i++)
        close(idle[i]);
    turn(fixture);
}

static void test_clients_that_vanish(void **state)
{
    struct fixture *fixture = *state;

    fixture->is_late = true;
    for (int i = 0; i < 100; i++) {
        int fd = open_client(fixture);
        if (i % 2 == 0)
            say(fd, "ps\n");
        if (i % 3 == 0)
            turn(fixture);
        close(fd);
    }
    turn(fixture);
    assert_non_null(fixture->query);
    answer_tunnels(fixture);
    int fd = open_client(fixture);
    say(fd, "stats\n");
    turn(fixture);
    expect_answer(fd, figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_asks_is_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_half_close_behind_the_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_that_is_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_query_is_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_asked_of_tunnels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_question_to_the_policy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reloads_are_answered_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_idle_clients_give_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_client_that_does_not_read_gives_way, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_clients_that_vanish, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
