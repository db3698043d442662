/* One connection of the admin page as a state machine: the real admin/http_*.c and wire/ between a
 * socket, a clock, a password check and the panel that the input drives.
 *
 * The input is a program for the world around it (see `step`). Checked whatever happens: one
 * answer, whole and guarded; nothing is killed or explained without an `X-Adit` in the head, and
 * nothing but /healthz without the password where one is asked for; a deadline in every state but a
 * stream's; nothing asked that is not taken back; nothing left over.
 */
#include "admin/http_private.h"
#include "admin/reload_report.h"
#include "net/tcp_stream.h"
#include "observe/log.h"
#include "virtual_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

enum { ANSWER_MAX = 1 << 20, KERNEL_BYTES = 8192, HEAD_BYTES_MAX = 65536 };

static struct {
    struct http_server server;
    struct tunnels_query *query;
    struct explain_request *explain;
    struct auth_check *check;
    void (*on_checked)(struct auth_check *check);
    struct event_subscriber *subscriber;
    bool is_granted;
    size_t arrived_length, answer_length;
    int peer; /* -1: closed */
} world;

static char arrived[HEAD_BYTES_MAX];
static char answer[ANSWER_MAX];

/* ---- access/auth.h ---- */

enum auth_result auth_check_start(struct auth_check *check, struct auth *auth,
                                  struct auth_users *users, struct loop *loop,
                                  const struct ip_address *client,
                                  const struct basic_credentials *credentials,
                                  void (*on_checked)(struct auth_check *))
{
    CHECK(world.check == NULL && world.server.door.has_password);
    world.check = check;
    world.on_checked = on_checked;
    return AUTH_PENDING;
}

void auth_check_cancel(struct auth_check *check)
{
    CHECK(world.check == NULL || world.check == check);
    world.check = NULL;
}

static bool may_come(void *self, const struct ip_address *client)
{
    return client->bytes[0] == 127;
}

static bool may_enter(void *self, const char *user)
{
    return user[0] != 'x';
}

static void password_is_checked(unsigned choice)
{
    struct auth_check *check = world.check;

    if (check == NULL)
        return;
    world.check = NULL;
    check->result = choice % AUTH_PENDING;
    world.is_granted = check->result == AUTH_GRANTED;
    world.on_checked(check);
    virtual_loop_end_turn();
}

/* ---- admin/panel.h ---- */

/* Somewhere in what arrived; that it stands in the head is the parser's own fuzzer's to check. */
static bool has_arrived(const char *word)
{
    size_t length = strlen(word);

    for (size_t i = 0; i + length <= world.arrived_length; i++)
        if (strncasecmp(arrived + i, word, length) == 0)
            return true;
    return false;
}

static void check_let_in(void)
{
    CHECK(!world.server.door.has_password || world.is_granted);
    CHECK(has_arrived("host:"));
}

static void ask_tunnels(void *self, struct tunnels_query *query)
{
    check_let_in();
    CHECK(world.query == NULL && (!query->is_kill || has_arrived("x-adit:")));
    world.query = query;
}

static void cancel_tunnels(void *self, struct tunnels_query *query)
{
    if (world.query == query)
        world.query = NULL;
}

static void read_stats(void *self, struct stats *ret_stats)
{
    static const struct reload_report bad = {.error = "adit.conf:1:1: error: \"\x01\xff"};

    memset(ret_stats, 0, sizeof(*ret_stats));
    ret_stats->state = "serving";
    ret_stats->reload = &bad;
}

static int explain(void *self, struct explain_request *request, const char **ret_problem)
{
    check_let_in();
    CHECK(world.explain == NULL && has_arrived("x-adit:") &&
          request->words[QUESTION_TARGET] != NULL);
    *ret_problem = "so it is";
    if (request->words[QUESTION_TARGET][0] == 'b')
        return -EINVAL;
    if (request->words[QUESTION_TARGET][0] == 'c')
        return -EBUSY;
    world.explain = request;
    return 0;
}

static void cancel_explain(void *self, struct explain_request *request)
{
    if (world.explain == request)
        world.explain = NULL;
}

static char *print_history(void *self, size_t *ret_length)
{
    check_let_in();
    *ret_length = 2;
    return strdup("{}");
}

static void subscribe(void *self, struct event_subscriber *subscriber)
{
    check_let_in();
    CHECK(world.subscriber == NULL);
    world.subscriber = subscriber;
}

static void unsubscribe(void *self, struct event_subscriber *subscriber)
{
    CHECK(world.subscriber == subscriber);
    world.subscriber = NULL;
}

static const struct panel_ops ops = {
    .ask_tunnels = ask_tunnels,
    .cancel_tunnels = cancel_tunnels,
    .read_stats = read_stats,
    .explain = explain,
    .cancel_explain = cancel_explain,
    .print_history = print_history,
    .print_toplists = print_history,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
};
static const struct panel panel = {.ops = &ops};

static void panel_answer(unsigned choice)
{
    static char line[] = "{\"id\":\"a\"}\n";
    char *const parts[] = {line, line};
    const size_t lengths[] = {sizeof(line) - 1, sizeof(line) - 1};
    const struct tunnels_answer tunnels = {parts, lengths, choice % 3, choice % 3, choice != 255};
    const struct explain_answer explained = {"deny", 3, "a \"line\"\n\x01", 10};
    struct tunnels_query *query = world.query;
    struct explain_request *request = world.explain;

    world.query = NULL;
    world.explain = NULL;
    if (query != NULL)
        query->answered(query, &tunnels);
    if (request != NULL)
        request->answered(request, &explained);
    virtual_loop_end_turn();
}

static void event_happens(size_t length)
{
    static char line[4096];

    memset(line, '-', sizeof(line));
    if (world.subscriber != NULL)
        world.subscriber->happened(world.subscriber, ACCESS_CLOSE, line, length);
    virtual_loop_end_turn();
}

/* ---- the program ---- */

struct program {
    const uint8_t *at, *end;
};

static unsigned next(struct program *program)
{
    return program->at < program->end ? *program->at++ : 0;
}

static void bytes_arrive(const uint8_t *bytes, size_t length)
{
    ssize_t count = -1;

    if (world.peer >= 0 && world.arrived_length + length <= HEAD_BYTES_MAX && length > 0)
        count = send(world.peer, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count <= 0)
        return;
    memcpy(arrived + world.arrived_length, bytes, (size_t)count);
    world.arrived_length += (size_t)count;
    virtual_loop_tell(EPOLLIN | EPOLLOUT);
}

static void next_bytes_arrive(struct program *program, size_t length)
{
    size_t left = (size_t)(program->end - program->at);
    const uint8_t *bytes = program->at;

    if (length > left)
        length = left;
    program->at += length;
    bytes_arrive(bytes, length);
}

static void peer_reads(size_t size)
{
    ssize_t count = 1;

    while (world.peer >= 0 && size > 0 && count > 0) {
        size_t room = ANSWER_MAX - world.answer_length;

        count =
            recv(world.peer, answer + world.answer_length, size < room ? size : room, MSG_DONTWAIT);
        if (count > 0) {
            world.answer_length += (size_t)count;
            size -= (size_t)count;
        }
    }
    virtual_loop_tell(EPOLLOUT);
}

static void peer_closes(void)
{
    if (world.peer >= 0)
        close(world.peer);
    world.peer = -1;
    virtual_loop_tell(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
}

static void step(struct program *program)
{
    unsigned operation = next(program);
    unsigned amount = next(program);
    uint8_t run[4000];

    switch (operation % 9) {
    case 0:
        next_bytes_arrive(program, amount);
        break;
    case 1:
        next_bytes_arrive(program, 256 + amount * 16);
        break;
    case 2:
        memset(run, (int)amount, sizeof(run));
        bytes_arrive(run, sizeof(run));
        break;
    case 3:
        if (world.peer >= 0 && shutdown(world.peer, SHUT_WR) == 0)
            virtual_loop_tell(EPOLLIN | EPOLLRDHUP);
        break;
    case 4:
        if (amount == 0)
            peer_closes();
        break;
    case 5:
        peer_reads(amount * 64);
        break;
    case 6:
        virtual_loop_pass_time(amount * 50);
        break;
    case 7:
        password_is_checked(amount);
        panel_answer(amount);
        break;
    case 8:
        event_happens(amount * 16);
        break;
    }
}

/* ---- what must hold ---- */

static void check_state(void)
{
    bool is_open = world.server.connection_count > 0;

    CHECK(is_open == virtual_loop_is_watching());
    CHECK(is_open || (world.check == NULL && world.query == NULL && world.explain == NULL &&
                      world.subscriber == NULL));
    CHECK(!is_open || virtual_loop_has_deadline());
    CHECK(world.server.stream_count == (world.subscriber != NULL ? 1 : 0));
    CHECK(world.server.held <= HTTP_HELD_MAX);
}

/* `answer` is all that the peer has read, up to the end. */
static void check_answer(void)
{
    static const char *const owed[] = {"\r\nConnection: close\r\n",
                                       "\r\nCache-Control: no-store\r\n",
                                       "\r\nX-Content-Type-Options: nosniff\r\n",
                                       "\r\nContent-Security-Policy: default-src 'none'"};
    const char *end = memmem(answer, world.answer_length, "\r\n\r\n", 4);

    if (end == NULL)
        return;
    size_t head_length = (size_t)(end + 4 - answer);
    CHECK(memcmp(answer, "HTTP/1.1 ", 9) == 0);
    for (size_t i = 0; i < ARRAY_LENGTH(owed); i++)
        CHECK(memmem(answer, head_length, owed[i], strlen(owed[i])) != NULL);
    const char *promised = memmem(answer, head_length, "\r\nContent-Length: ", 18);
    if (promised != NULL)
        CHECK(world.answer_length - head_length <= strtoul(promised + 18, NULL, 10));
    else
        CHECK(memmem(answer, head_length, "text/event-stream", 17) != NULL);
}

/* One for all runs, which nobody writes out. */
static struct log_ring *take_log(void)
{
    static struct log *log;

    if (log == NULL)
        CHECK(log_create(STDERR_FILENO, 1, 65536, &log) == 0);
    return log_ring_at(log, 0);
}

static void begin(unsigned choices)
{
    static const char *const names[] = {"machine"};
    static const struct ip_endpoint client = {.address = {.family = IP_V4, .bytes = {127, 0, 0, 1}},
                                              .port = 5000};
    const int bytes = KERNEL_BYTES;
    struct stream *stream;
    int fds[2];

    memset(&world, 0, sizeof(world));
    virtual_loop_reset();
    list_init(&world.server.connections);
    world.server.panel = &panel;
    world.server.streams_max = 1;
    world.server.log = take_log();
    world.server.door = (struct http_door){
        .names = names,
        .name_count = ARRAY_LENGTH(names),
        .has_password = choices & 1,
        .users = (void *)&world,
        .may_come = may_come,
        .may_enter = may_enter,
    };
    deadline_init(&world.server.second, http_events_second);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    CHECK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0);
    world.peer = fds[1];
    CHECK(tcp_stream_create(NULL, fds[0], STREAM_WRITABLE, &stream) == 0);
    CHECK(http_conn_open(&world.server, stream, &client) == 0);
}

/* The world helps no more than it must: it takes nothing, and time passes. */
static void let_end(void)
{
    if (world.subscriber != NULL) {
        event_happens(2000);
        peer_closes();
    }
    virtual_loop_pass_time(HTTP_HEAD_MS);
    virtual_loop_pass_time(HTTP_WAIT_MS);
    virtual_loop_pass_time(HTTP_EXPLAIN_MS - HTTP_WAIT_MS);
    virtual_loop_pass_time(HTTP_ANSWER_MS);
    virtual_loop_pass_time(LINGER_MOST_MS);
    CHECK(world.server.connection_count == 0 && world.server.held == 0);
    virtual_loop_pass_time(1000);
    check_state();
    CHECK(!virtual_loop_has_deadline());
    peer_reads(ANSWER_MAX);
    if (world.peer >= 0)
        close(world.peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = {.at = data, .end = data + size};

    begin(next(&program));
    check_state();
    while (program.at < program.end) {
        step(&program);
        check_state();
    }
    let_end();
    check_answer();
    return 0;
}
