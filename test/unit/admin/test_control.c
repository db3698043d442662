/* The control server on a real loop: requests in any pieces, answers, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/control.h"
#include "admin/control_socket.h"
#include "loop/loop.h"

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
    int stats_count;
    int drain_count;
    bool is_late; /* stats are answered by the test, not at once */
    struct deadline tick;
};

static void stats_asked(void *self)
{
    struct fixture *fixture = self;

    fixture->stats_count++;
    if (!fixture->is_late)
        control_answer_stats(fixture->control, "figures\n", 8);
}

static void drain_asked(void *self)
{
    struct fixture *fixture = self;

    fixture->drain_count++;
}

static void ticked(struct deadline *deadline)
{
}

/* Lets the loop work on what is there. */
static void turn(struct fixture *fixture)
{
    for (int i = 0; i < 3; i++) {
        deadline_set(fixture->loop, &fixture->tick, loop_now_ms(fixture->loop) + 2);
        assert_int_equal(loop_turn(fixture->loop), 0);
    }
}

static int set_up(void **state)
{
    static const struct control_ops ops = {stats_asked, drain_asked};
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (fixture == NULL || mkdtemp(folder) == NULL)
        return -1;
    snprintf(fixture->path, sizeof(fixture->path), "%s/sock", folder);
    deadline_init(&fixture->tick, ticked);
    if (control_socket_open(fixture->path, &fixture->socket) < 0 ||
        loop_create(&fixture->loop) < 0 ||
        control_create(fixture->loop, fixture->socket.fd, &ops, fixture, &fixture->control) < 0)
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
    char bytes[512];
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
        {"stats\n", "figures\n"},
        {"stats\nignored", "figures\n"},
        {"stats \n", "{\"ok\":false,\"error\":\"unknown request"},
        {"\n", "{\"ok\":false,\"error\":\"unknown request"},
        {"GET / HTTP/1.1\r\n", "{\"ok\":false,\"error\":\"unknown request"},
        {"drain\n", "{\"ok\":true}\n"},
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

static void test_a_request_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);

    for (const char *byte = "stats\n"; *byte != '\0'; byte++) {
        char piece[2] = {*byte, '\0'};
        say(fd, piece);
        turn(fixture);
    }
    expect_answer(fd, "figures\n");
}

static void test_a_half_close_behind_the_request(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);

    fixture->is_late = true;
    say(fd, "stats\n");
    shutdown(fd, SHUT_WR);
    turn(fixture);
    control_answer_stats(fixture->control, "late\n", 5);
    expect_answer(fd, "late\n");
}

static void test_a_request_that_is_too_long(void **state)
{
    struct fixture *fixture = *state;
    int fd = open_client(fixture);
    char request[257];

    memset(request, 'a', sizeof(request));
    request[256] = '\0';
    say(fd, request);
    turn(fixture);
    expect_answer(fd, "{\"ok\":false,\"error\":\"the request is over 256 bytes");
}

static void test_one_answer_serves_all_who_wait(void **state)
{
    struct fixture *fixture = *state;
    int fds[3];

    fixture->is_late = true;
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        fds[i] = open_client(fixture);
        say(fds[i], i < 2 ? "stats\n" : "sta");
        turn(fixture);
    }
    control_answer_stats(fixture->control, "figures\n", 8);
    turn(fixture);
    expect_answer(fds[0], "figures\n");
    expect_answer(fds[1], "figures\n");
    fixture->is_late = false;
    say(fds[2], "ts\n");
    turn(fixture);
    expect_answer(fds[2], "figures\n");
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
    expect_answer(fd, "figures\n");
    expect_answer(idle[0], "{\"ok\":false,\"error\":\"too many");
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
            say(fd, "stats\n");
        if (i % 3 == 0)
            turn(fixture);
        close(fd);
    }
    turn(fixture);
    control_answer_stats(fixture->control, "figures\n", 8);
    fixture->is_late = false;
    int fd = open_client(fixture);
    say(fd, "stats\n");
    turn(fixture);
    expect_answer(fd, "figures\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_half_close_behind_the_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_that_is_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_answer_serves_all_who_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_idle_clients_give_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clients_that_vanish, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
