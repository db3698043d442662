/* How long a connection of the admin page may take, in virtual time: its head, its answer, the
 * rest.
 */
#include "net/stream.h" /* first: cmocka makes a macro of `skip` */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/http_private.h"
#include "admin/page.h"
#include "admin/reload_report.h"
#include "net/tcp_stream.h"
#include "virtual_loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KERNEL_BYTES = 4096 };

struct fixture {
    struct http_server server;
    int peer;
};

static void read_stats(void *self, struct stats *ret_stats)
{
    static const struct reload_report good = {.is_good = true};

    *ret_stats = (struct stats){.state = "serving", .reload = &good};
}

static void cancel_tunnels(void *self, struct tunnels_query *query)
{
}

static void cancel_explain(void *self, struct explain_request *request)
{
}

static const struct panel_ops ops = {
    .read_stats = read_stats, .cancel_tunnels = cancel_tunnels, .cancel_explain = cancel_explain};
static const struct panel panel = {.ops = &ops};

static bool may_come(void *self, const struct ip_address *client)
{
    return true;
}

/* ---- access/auth.h: nobody is asked for a password ---- */

enum auth_result auth_check_start(struct auth_check *check, struct auth *auth,
                                  struct auth_users *users, struct loop *loop,
                                  const struct ip_address *client,
                                  const struct basic_credentials *credentials,
                                  void (*on_checked)(struct auth_check *))
{
    fail();
    return AUTH_BUSY;
}

void auth_check_cancel(struct auth_check *check)
{
    fail();
}

/* ---- the other end ---- */

/* With what the peer has said before the connection is known. */
static int set_up_with(void **state, const char *said)
{
    static struct fixture fixture;
    const size_t length = strlen(said);
    const struct ip_endpoint client = {.port = 5000};
    const int bytes = KERNEL_BYTES;
    struct stream *stream;
    int fds[2];

    memset(&fixture, 0, sizeof(fixture));
    *state = &fixture;
    virtual_loop_reset();
    list_init(&fixture.server.connections);
    fixture.server.panel = &panel;
    fixture.server.door.may_come = may_come;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0 ||
        send(fds[1], said, length, MSG_NOSIGNAL) != (ssize_t)length ||
        tcp_stream_create(NULL, fds[0], STREAM_READABLE | STREAM_WRITABLE, &stream) < 0)
        return -1;
    fixture.peer = fds[1];
    return http_conn_open(&fixture.server, stream, &client);
}

static int set_up(void **state)
{
    return set_up_with(state, "");
}

static int set_up_asked(void **state)
{
    return set_up_with(state, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    close(fixture->peer);
    assert_int_equal(fixture->server.connection_count, 0);
    assert_int_equal(fixture->server.held, 0);
    assert_false(virtual_loop_has_deadline());
    return 0;
}

static void say(struct fixture *fixture, const char *bytes)
{
    assert_int_equal(send(fixture->peer, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
    virtual_loop_tell(EPOLLIN | EPOLLOUT);
}

/* What is there, at most `size` of it; 0: the end. */
static size_t hear(struct fixture *fixture, char *bytes, size_t size)
{
    ssize_t count = recv(fixture->peer, bytes, size, 0);

    assert_true(count >= 0);
    virtual_loop_tell(EPOLLOUT);
    return (size_t)count;
}

/* All up to the end. */
static size_t hear_out(struct fixture *fixture)
{
    char bytes[1024];
    size_t length = 0;
    size_t count;

    while ((count = hear(fixture, bytes, sizeof(bytes))) > 0)
        length += count;
    return length;
}

static size_t open_count(const struct fixture *fixture)
{
    return fixture->server.connection_count;
}

static void test_an_answer_that_is_not_taken(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    virtual_loop_pass_time(HTTP_ANSWER_MS - 1);
    assert_int_equal(open_count(fixture), 1);
    virtual_loop_pass_time(1);
    assert_int_equal(open_count(fixture), 0);
    assert_true(hear_out(fixture) < page_get()->length);
}

/* Whoever takes a little now and then gets no more time for it. */
static void test_an_answer_that_is_taken_slowly(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    say(fixture, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        virtual_loop_pass_time(HTTP_ANSWER_MS / 10);
        assert_int_equal(hear(fixture, &byte, 1), 1);
    }
    assert_int_equal(open_count(fixture), 1);
    virtual_loop_pass_time(HTTP_ANSWER_MS / 10);
    assert_int_equal(open_count(fixture), 0);
}

static void test_an_answer_that_is_taken(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    virtual_loop_pass_time(HTTP_ANSWER_MS - 1);
    assert_true(hear_out(fixture) > page_get()->length);
    virtual_loop_pass_time(LINGER_SILENCE_MS - 1);
    assert_int_equal(open_count(fixture), 1);
    virtual_loop_pass_time(1);
    assert_int_equal(open_count(fixture), 0);
}

static void test_a_head_that_never_ends(void **state)
{
    struct fixture *fixture = *state;
    char bytes[1024] = "";

    say(fixture, "GET / HTTP/1.1\r\n");
    virtual_loop_pass_time(HTTP_HEAD_MS - 1);
    say(fixture, "Host: localhost\r\n");
    virtual_loop_pass_time(1);
    assert_true(hear(fixture, bytes, sizeof(bytes) - 1) > 0);
    assert_int_equal(strncmp(bytes, "HTTP/1.1 408 ", 13), 0);
    virtual_loop_pass_time(LINGER_SILENCE_MS);
    assert_int_equal(open_count(fixture), 0);
}

/* As where another kind of stream has read it with the end of its handshake. */
static void test_a_head_that_is_there_already(void **state)
{
    struct fixture *fixture = *state;
    char bytes[1024] = "";

    assert_true(hear(fixture, bytes, sizeof(bytes) - 1) > 0);
    assert_int_equal(strncmp(bytes, "HTTP/1.1 200 ", 13), 0);
    virtual_loop_pass_time(LINGER_SILENCE_MS);
    assert_int_equal(open_count(fixture), 0);
}

static void test_silence(void **state)
{
    struct fixture *fixture = *state;

    virtual_loop_pass_time(HTTP_HEAD_MS);
    assert_int_equal(open_count(fixture), 0);
    assert_int_equal(hear_out(fixture), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_answer_that_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_that_is_taken_slowly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_that_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_head_that_never_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_head_that_is_there_already, set_up_asked, tear_down),
        cmocka_unit_test_setup_teardown(test_silence, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
