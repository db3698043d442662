/*
 * Clients and origin on one epoll loop, level-triggered. Connections with bulk exchanges have an
 * epoll of their own inside it, of which a turn handles one event: a chunk of 256 KiB takes longer
 * than a hundred small messages, and those must not be measured waiting for it.
 *
 * A connection lives in a table at the index of its descriptor. A client goes HEAD (CONNECT sent,
 * waiting for the 200) -> OPEN -> CLOSING (its FIN sent, reading to the end); an origin's
 * connection is OPEN until it reads the end. Both ends use the same code: a small message in `out`,
 * a small message in `in`, and counters of pattern bytes to send and to check.
 *
 * Every message is 100 bytes that follow from its kind, tunnel and number, so both ends check all
 * of it. Bulk bytes are slices of a pattern whose period is a prime: a chunk that is lost, doubled
 * or moved can't fall on the same bytes again.
 *
 * Surprise 1: nothing waits for connect(). On loopback it is done when connect() returns, so the
 * first bytes are simply sent; if that says EAGAIN, EPOLLOUT sends them later.
 * Surprise 2: a batch of events may hold one for a descriptor that was closed and reused within
 * the batch. It costs a read that says EAGAIN, so EAGAIN is never an error here.
 * Surprise 3: whoever closes first keeps a TIME_WAIT. A tunnel that was used and ended in order
 * leaves two (client to proxy, proxy to origin), so clients come from 32 addresses and go to 16
 * origins; else whichever proxy is measured last finds no free port.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_SIZE 100
#define HEAD_MAX 1024
#define CHUNK_SIZE (256u * 1024)
#define PATTERN_PERIOD 65521u /* prime */
#define CLIENT_ADDRESSES 32
#define CONNS_MAX 131072
#define EVENTS_A_TURN 256
#define ACCEPTS_A_TURN 32
#define TURN_MAX_NS 10000000ull

enum conn_state { CONN_FREE, CONN_LISTENER, CONN_HEAD, CONN_OPEN, CONN_CLOSING, CONN_STATES };

static const char *const conn_state_names[] = {"free", "listener", "head", "open", "closing"};
_Static_assert(sizeof conn_state_names / sizeof *conn_state_names == CONN_STATES, "a name each");

struct conn {
    int fd;
    enum conn_state state;
    bool is_client;
    bool is_bulk; /* registered with bulk_fd; stays so */
    bool is_busy; /* client: an exchange is under way; origin: a request is being served */
    uint8_t kind;
    uint32_t events; /* as registered with epoll */
    uint32_t tunnel;
    uint64_t number;
    uint64_t dialled_ns, asked_ns;
    void *tag;
    uint64_t out_left, out_position; /* pattern bytes to send */
    uint64_t in_left, in_position;   /* pattern bytes to check */
    size_t small_len, small_sent;    /* in `small`: a head or a message to send */
    size_t in_len;
    uint8_t small[256];
    uint8_t in[HEAD_MAX];
};

struct load {
    struct load_settings settings;
    struct load_ops ops;
    void *row;
    int epoll_fd, bulk_fd;
    bool is_stopped;
    uint32_t dialled, opening, clients, origin_conns;
    uint64_t resets;
    struct sockaddr_in origins[LOAD_ORIGINS];
    pid_t origin_pids[LOAD_ORIGINS]; /* of as many as the settings say */
    size_t conns_max;
    struct conn *conns;
    uint8_t pattern[PATTERN_PERIOD + CHUNK_SIZE];
    uint8_t chunk[CHUNK_SIZE];
};

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void load_fail(const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e || *c == '"' || *c == '\\')
            *c = '?'; /* the peer's bytes must not break our JSON */
    }
    printf("{\"ok\": false, \"error\": \"%s\"}\n", text);
    exit(1);
}

/* ---- messages and pattern ---- */

static void pattern_fill(struct load *load)
{
    uint64_t x = 88172645463325252ull;
    for (size_t i = 0; i < sizeof load->pattern; i++) {
        if (i >= PATTERN_PERIOD) {
            load->pattern[i] = load->pattern[i - PATTERN_PERIOD];
            continue;
        }
        x ^= x << 13; /* xorshift64: fixed bytes, but no short period */
        x ^= x >> 7;
        x ^= x << 17;
        load->pattern[i] = (uint8_t)(x >> 32);
    }
}

static const uint8_t *pattern_at(const struct load *load, uint64_t position)
{
    return load->pattern + position % PATTERN_PERIOD;
}

/* Each tunnel's bulk starts elsewhere in the pattern, so crossed flows show. */
static uint64_t pattern_start(uint32_t tunnel)
{
    return (uint64_t)tunnel * 4099;
}

static void message_make(const struct load *load, uint8_t *message, uint8_t kind, uint32_t tunnel,
                         uint64_t number)
{
    memset(message, 0, 16);
    message[0] = kind;
    memcpy(message + 4, &tunnel, sizeof tunnel);
    memcpy(message + 8, &number, sizeof number);
    memcpy(message + 16, pattern_at(load, tunnel * 31ull + number * 97), MESSAGE_SIZE - 16);
}

static void message_complement(uint8_t *message)
{
    for (size_t i = 0; i < MESSAGE_SIZE; i++)
        message[i] = (uint8_t)~message[i];
}

/* ---- connections ---- */

static const char *conn_who(const struct conn *conn)
{
    return conn->is_client ? "client" : "origin";
}

/* The one place that says what a connection waits for. */
static void conn_update(struct load *load, struct conn *conn)
{
    uint32_t events = EPOLLIN;
    if (conn->small_sent < conn->small_len || conn->out_left > 0)
        events |= EPOLLOUT;
    if (events == conn->events)
        return;
    struct epoll_event event = {.events = events, .data.fd = conn->fd};
    int operation = conn->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(conn->is_bulk ? load->bulk_fd : load->epoll_fd, operation, conn->fd, &event) < 0)
        load_fail("epoll_ctl: %s", strerror(errno));
    conn->events = events;
}

/* Call it before conn_update. */
static void conn_become_bulk(struct load *load, struct conn *conn)
{
    if (conn->is_bulk)
        return;
    if (conn->events && epoll_ctl(load->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL) < 0)
        load_fail("epoll_ctl: %s", strerror(errno));
    conn->events = 0;
    conn->is_bulk = true;
}

static struct conn *conn_take(struct load *load, int fd, enum conn_state state)
{
    if ((size_t)fd >= load->conns_max)
        load_fail("too many descriptors (%d)", fd);
    struct conn *conn = &load->conns[fd];
    /* `small` and `in` keep old bytes: their lengths say what counts. */
    memset(conn, 0, offsetof(struct conn, small));
    conn->fd = fd;
    conn->state = state;
    return conn;
}

static void conn_close(struct load *load, struct conn *conn)
{
    close(conn->fd);
    conn->state = CONN_FREE;
    if (!conn->is_client) {
        load->origin_conns--;
        return;
    }
    load->clients--;
    if (load->ops.on_closed)
        load->ops.on_closed(load);
}

static void conn_send_small(struct conn *conn)
{
    size_t left = conn->small_len - conn->small_sent;
    ssize_t sent = send(conn->fd, conn->small + conn->small_sent, left, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        load_fail("%s cannot send (%s): %s", conn_who(conn), conn_state_names[conn->state],
                  strerror(errno));
    if (sent > 0)
        conn->small_sent += (size_t)sent;
}

static void conn_send_bulk(struct load *load, struct conn *conn)
{
    size_t size = conn->out_left < CHUNK_SIZE ? (size_t)conn->out_left : CHUNK_SIZE;
    ssize_t sent = send(conn->fd, pattern_at(load, conn->out_position), size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        load_fail("%s cannot send bulk: %s", conn_who(conn), strerror(errno));
    if (sent > 0) {
        conn->out_position += (uint64_t)sent;
        conn->out_left -= (uint64_t)sent;
    }
}

static void conn_send(struct load *load, struct conn *conn)
{
    if (conn->small_sent < conn->small_len)
        conn_send_small(conn);
    if (conn->small_sent == conn->small_len && conn->out_left > 0)
        conn_send_bulk(load, conn);
    if (!conn->is_client && conn->out_left == 0 && conn->in_left == 0)
        conn->is_busy = conn->small_sent < conn->small_len;
    conn_update(load, conn);
}

static void conn_queue(struct conn *conn, const void *bytes, size_t len)
{
    memcpy(conn->small, bytes, len);
    conn->small_len = len;
    conn->small_sent = 0;
}

void conn_exchange(struct load *load, struct conn *conn, enum exchange_kind kind, uint64_t number)
{
    uint8_t message[MESSAGE_SIZE];
    conn->is_busy = true;
    conn->kind = (uint8_t)kind;
    conn->number = number;
    conn->asked_ns = clock_ns();
    if (kind != EXCHANGE_ECHO)
        conn_become_bulk(load, conn);
    conn->in_position = conn->out_position = pattern_start(conn->tunnel);
    conn->in_left = kind == EXCHANGE_DOWN ? number : 0;
    conn->out_left = kind == EXCHANGE_UP ? number : 0;
    message_make(load, message, conn->kind, conn->tunnel, number);
    conn_queue(conn, message, sizeof message);
    conn_send(load, conn);
}

uint64_t conn_dialled_ns(const struct conn *conn)
{
    return conn->dialled_ns;
}

uint64_t conn_asked_ns(const struct conn *conn)
{
    return conn->asked_ns;
}

void conn_set_tag(struct conn *conn, void *tag)
{
    conn->tag = tag;
}

void *conn_tag(const struct conn *conn)
{
    return conn->tag;
}

bool conn_is_idle(const struct conn *conn)
{
    return conn->state == CONN_OPEN && !conn->is_busy;
}

void conn_finish(struct load *load, struct conn *conn)
{
    if (!conn_is_idle(conn))
        load_fail("finish of a connection that is %s and busy", conn_state_names[conn->state]);
    conn->state = CONN_CLOSING;
    if (shutdown(conn->fd, SHUT_WR) < 0) {
        load->resets++;
        conn_close(load, conn);
    }
}

/* ---- what comes in ---- */

static void client_done(struct load *load, struct conn *conn)
{
    conn->is_busy = false;
    if (load->ops.on_answer)
        load->ops.on_answer(load, conn);
}

static void client_opened(struct load *load, struct conn *conn)
{
    conn->state = CONN_OPEN;
    conn->in_len = 0;
    load->opening--;
    if (load->ops.on_open)
        load->ops.on_open(load, conn);
}

static void client_take_head(struct load *load, struct conn *conn)
{
    const char *head = (const char *)conn->in;
    const char *end = memmem(head, conn->in_len, "\r\n\r\n", 4);
    if (!end && conn->in_len < HEAD_MAX)
        return;
    if (!end || memcmp(head, "HTTP/1.", 7) != 0 || memcmp(head + 8, " 200 ", 5) != 0)
        load_fail("the proxy refused: %.*s", conn->in_len < 80 ? (int)conn->in_len : 80, head);
    if (end + 4 != head + conn->in_len)
        load_fail("bytes behind the 200 that no origin sent");
    client_opened(load, conn);
}

static void client_take_answer(struct load *load, struct conn *conn)
{
    uint8_t expected[MESSAGE_SIZE];
    message_make(load, expected, conn->kind, conn->tunnel, conn->number);
    message_complement(expected);
    if (memcmp(expected, conn->in, MESSAGE_SIZE) != 0)
        load_fail("tunnel %u: wrong answer to message %llu", conn->tunnel,
                  (unsigned long long)conn->number);
    conn->in_len = 0;
    client_done(load, conn);
}

static void origin_answer(struct load *load, struct conn *conn)
{
    message_make(load, conn->small, conn->kind, conn->tunnel, conn->number);
    message_complement(conn->small);
    conn->small_len = MESSAGE_SIZE;
    conn->small_sent = 0;
    conn_send(load, conn);
}

static void origin_take_request(struct load *load, struct conn *conn)
{
    uint8_t expected[MESSAGE_SIZE];
    conn->kind = conn->in[0];
    memcpy(&conn->tunnel, conn->in + 4, sizeof conn->tunnel);
    memcpy(&conn->number, conn->in + 8, sizeof conn->number);
    message_make(load, expected, conn->kind, conn->tunnel, conn->number);
    if (memcmp(expected, conn->in, MESSAGE_SIZE) != 0)
        load_fail("the origin got a wrong message");
    conn->in_len = 0;
    conn->is_busy = true;
    conn->in_position = conn->out_position = pattern_start(conn->tunnel);
    if (conn->kind == EXCHANGE_ECHO) {
        origin_answer(load, conn);
        return;
    }
    conn_become_bulk(load, conn);
    if (conn->kind == EXCHANGE_UP) {
        conn->in_left = conn->number;
        conn_update(load, conn);
        return;
    }
    conn->out_left = conn->number;
    conn_send(load, conn);
}

static void conn_take_bulk(struct load *load, struct conn *conn, size_t size)
{
    if (memcmp(load->chunk, pattern_at(load, conn->in_position), size) != 0)
        load_fail("tunnel %u: wrong bulk bytes at the %s", conn->tunnel, conn_who(conn));
    conn->in_position += size;
    conn->in_left -= size;
    if (conn->in_left > 0)
        return;
    if (conn->is_client)
        client_done(load, conn);
    else
        origin_answer(load, conn);
}

static void conn_take_small(struct load *load, struct conn *conn, size_t size)
{
    conn->in_len += size;
    if (conn->state == CONN_HEAD)
        client_take_head(load, conn);
    else if (conn->in_len < MESSAGE_SIZE)
        return;
    else if (conn->is_client)
        client_take_answer(load, conn);
    else
        origin_take_request(load, conn);
}

/* Where the next bytes go and how many are welcome; none where silence is due. */
static size_t conn_room(struct load *load, struct conn *conn, uint8_t **ret_into)
{
    if (conn->in_left > 0) {
        *ret_into = load->chunk;
        return conn->in_left < CHUNK_SIZE ? (size_t)conn->in_left : CHUNK_SIZE;
    }
    *ret_into = conn->in + conn->in_len;
    if (conn->state == CONN_HEAD)
        return HEAD_MAX - conn->in_len;
    if (conn->state == CONN_OPEN && conn->is_busy == conn->is_client)
        return MESSAGE_SIZE - conn->in_len;
    return 0;
}

static void conn_ended(struct load *load, struct conn *conn, int error)
{
    bool is_due = conn->is_client ? conn->state == CONN_CLOSING
                                  : !conn->is_busy && conn->in_len == 0 && conn->in_left == 0;
    if (!is_due)
        load_fail("%s's connection ended too early (%s): %s", conn_who(conn),
                  conn_state_names[conn->state], error ? strerror(error) : "end of data");
    load->resets += error != 0;
    conn_close(load, conn);
}

static void conn_receive(struct load *load, struct conn *conn)
{
    uint8_t *into;
    uint8_t stray;
    size_t room = conn_room(load, conn, &into);
    bool is_silence_due = room == 0;
    ssize_t got = recv(conn->fd, is_silence_due ? &stray : into, is_silence_due ? 1 : room, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        conn_ended(load, conn, got < 0 ? errno : 0);
    else if (is_silence_due)
        load_fail("the %s got a byte that nobody sent (%s)", conn_who(conn),
                  conn_state_names[conn->state]);
    else if (conn->in_left > 0)
        conn_take_bulk(load, conn, (size_t)got);
    else
        conn_take_small(load, conn, (size_t)got);
}

/* ---- opening ---- */

static int socket_listen(struct sockaddr_in *address)
{
    int one = 1;
    socklen_t len = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)address, len) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) < 0)
        load_fail("no origin: %s", strerror(errno));
    return fd;
}

static void origins_open(struct load *load, int fds[LOAD_ORIGINS])
{
    for (uint32_t i = 0; i < LOAD_ORIGINS; i++) {
        load->origins[i] = (struct sockaddr_in){
            .sin_family = AF_INET,
            .sin_addr.s_addr = htonl(0x7f000101u + i), /* 127.0.1.1 and up */
            .sin_port = htons(load->settings.origin_port),
        };
        fds[i] = socket_listen(&load->origins[i]);
    }
}

/* Keeps the listeners that this process serves. Where origins have processes of their own the
 * parent, which has the clients, serves none of them, and a child those that are its turn. */
static void origins_keep(struct load *load, const int fds[LOAD_ORIGINS], uint32_t process)
{
    uint32_t processes = load->settings.origin_processes;
    for (uint32_t i = 0; i < LOAD_ORIGINS; i++) {
        if (processes == 0 || i % processes == process)
            conn_update(load, conn_take(load, fds[i], CONN_LISTENER));
        else
            close(fds[i]);
    }
}

/* Which process this is: `origin_processes` in the parent. A child does not outlive it. */
static uint32_t origins_fork(struct load *load)
{
    pid_t parent = getpid();
    uint32_t processes = load->settings.origin_processes;
    for (uint32_t process = 0; process < processes; process++) {
        pid_t child = fork();
        if (child < 0)
            load_fail("fork: %s", strerror(errno));
        load->origin_pids[process] = child;
        if (child > 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        return process;
    }
    return processes;
}

/* What they used counts as this process's children's. */
static void origins_reap(const struct load *load)
{
    for (uint32_t i = 0; i < load->settings.origin_processes; i++) {
        kill(load->origin_pids[i], SIGKILL);
        (void)waitpid(load->origin_pids[i], NULL, 0);
    }
}

static void origin_accept(struct load *load, const struct conn *listener)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
            return;
        if (fd < 0)
            load_fail("the origin cannot accept: %s", strerror(errno));
        load->origin_conns++;
        conn_update(load, conn_take(load, fd, CONN_OPEN));
    }
}

static int socket_dial(const struct sockaddr_in *to, uint32_t tunnel)
{
    int one = 1;
    struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(0x7f000002u + tunnel % CLIENT_ADDRESSES), /* 127.0.0.2 and up */
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS))
        load_fail("a client cannot connect: %s", strerror(errno));
    return fd;
}

void load_dial(struct load *load)
{
    uint32_t tunnel = load->dialled++;
    uint32_t turn = load->settings.origin_processes > 0 ? tunnel : tunnel / CLIENT_ADDRESSES;
    const struct sockaddr_in *origin = &load->origins[turn % LOAD_ORIGINS];
    bool is_direct = load->settings.is_direct;
    uint64_t now_ns = clock_ns();
    int fd = socket_dial(is_direct ? origin : &load->settings.proxy, tunnel);
    struct conn *conn = conn_take(load, fd, CONN_HEAD);
    conn->is_client = true;
    conn->tunnel = tunnel;
    conn->dialled_ns = now_ns;
    load->clients++;
    load->opening++;
    if (is_direct || load->settings.is_relay) {
        client_opened(load, conn);
        conn_update(load, conn);
        return;
    }
    char host[INET_ADDRSTRLEN];
    char head[sizeof conn->small];
    inet_ntop(AF_INET, &origin->sin_addr, host, sizeof host);
    int port = ntohs(origin->sin_port);
    int len = snprintf(head, sizeof head, "CONNECT %s:%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n", host,
                       port, host, port);
    conn_queue(conn, head, (size_t)len);
    conn_send(load, conn);
}

/* ---- the loop ---- */

static void load_check_deadline(struct load *load)
{
    if (clock_ns() < load->settings.deadline_ns)
        return;
    uint32_t busy = 0;
    uint32_t in_state[CONN_STATES] = {0};
    for (size_t i = 0; i < load->conns_max; i++) {
        in_state[load->conns[i].state] += load->conns[i].is_client;
        busy += load->conns[i].state == CONN_OPEN && load->conns[i].is_busy;
    }
    load_fail("out of time: of %u clients %u wait for the 200, %u are open, %u closing; "
              "%u ends are busy, the origin has %u connections",
              load->clients, in_state[CONN_HEAD], in_state[CONN_OPEN], in_state[CONN_CLOSING], busy,
              load->origin_conns);
}

static void conn_handle(struct load *load, struct conn *conn, uint32_t events)
{
    if (conn->state == CONN_LISTENER) {
        origin_accept(load, conn);
        return;
    }
    if (conn->state != CONN_FREE && (events & EPOLLOUT))
        conn_send(load, conn);
    if (conn->state != CONN_FREE && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        conn_receive(load, conn);
}

static int events_wait(int epoll_fd, struct epoll_event *events, int max, uint64_t timeout_ns)
{
    struct timespec timeout = {.tv_nsec = (long)timeout_ns};
    int count = epoll_pwait2(epoll_fd, events, max, &timeout, NULL);
    if (count < 0 && errno != EINTR)
        load_fail("epoll_pwait2: %s", strerror(errno));
    return count;
}

/* Small messages first, then one event of a bulk flow; waits for 10 ms at most. */
static void load_turn(struct load *load)
{
    struct epoll_event events[EVENTS_A_TURN];
    uint64_t timeout_ns = TURN_MAX_NS;
    bool is_bulk_ready = false;
    if (load->ops.on_turn) {
        uint64_t now_ns = clock_ns();
        uint64_t next_ns = load->ops.on_turn(load, now_ns);
        timeout_ns = next_ns < now_ns ? 0 : next_ns - now_ns;
        if (timeout_ns > TURN_MAX_NS)
            timeout_ns = TURN_MAX_NS;
    }
    int count = events_wait(load->epoll_fd, events, EVENTS_A_TURN, timeout_ns);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == load->bulk_fd)
            is_bulk_ready = true;
        else
            conn_handle(load, &load->conns[events[i].data.fd], events[i].events);
    }
    if (is_bulk_ready && events_wait(load->bulk_fd, events, 1, 0) == 1)
        conn_handle(load, &load->conns[events[0].data.fd], events[0].events);
}

void load_run(struct load *load, uint64_t until_ns)
{
    load->is_stopped = false;
    for (uint32_t turn = 0; !load->is_stopped; turn++) {
        load_turn(load);
        if (until_ns && clock_ns() >= until_ns)
            return;
        if (turn % 64 == 0)
            load_check_deadline(load);
    }
}

void load_stop(struct load *load)
{
    load->is_stopped = true;
}

void load_open_all(struct load *load, uint32_t count, uint32_t at_once)
{
    uint32_t started = 0;
    while (started < count || load->opening > 0) {
        for (; started < count && load->opening < at_once; started++)
            load_dial(load);
        if (load->opening > 0)
            load_turn(load);
        load_check_deadline(load);
    }
}

void load_each(struct load *load, void (*visit)(struct load *load, struct conn *conn))
{
    for (size_t i = 0; i < load->conns_max; i++) {
        struct conn *conn = &load->conns[i];
        if (conn->is_client && conn->state == CONN_OPEN)
            visit(load, conn);
    }
}

void load_finish_all(struct load *load)
{
    load_each(load, conn_finish);
    load_wait_closed(load);
}

void load_wait_closed(struct load *load)
{
    while (load->clients > 0 || load->origin_conns > 0) {
        load_turn(load);
        load_check_deadline(load);
    }
}

/* ---- life ---- */

static size_t descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        load_fail("getrlimit: %s", strerror(errno));
    if (limit.rlim_max > CONNS_MAX)
        limit.rlim_max = CONNS_MAX;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        load_fail("setrlimit: %s", strerror(errno));
    return limit.rlim_cur;
}

struct load *load_create(const struct load_settings *settings)
{
    struct load *load = calloc(1, sizeof *load);
    if (!load)
        load_fail("no memory");
    int listeners[LOAD_ORIGINS];
    load->settings = *settings;
    load->conns_max = descriptors_raise();
    origins_open(load, listeners);
    uint32_t process = origins_fork(load);
    load->conns = calloc(load->conns_max, sizeof *load->conns);
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->bulk_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = load->bulk_fd};
    if (!load->conns || epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, load->bulk_fd, &event) < 0)
        load_fail("no memory or no epoll");
    pattern_fill(load);
    origins_keep(load, listeners, process);
    if (process < settings->origin_processes)
        load_run(load, 0); /* until the parent ends, or the deadline passes */
    return load;
}

void load_destroy(struct load *load)
{
    origins_reap(load);
    for (size_t i = 0; i < load->conns_max; i++) {
        if (load->conns[i].state != CONN_FREE)
            close(load->conns[i].fd);
    }
    close(load->bulk_fd);
    close(load->epoll_fd);
    free(load->conns);
    free(load);
}

void load_set_ops(struct load *load, const struct load_ops *ops, void *row)
{
    load->ops = *ops;
    load->row = row;
}

void *load_row(struct load *load)
{
    return load->row;
}

uint64_t load_resets(const struct load *load)
{
    return load->resets;
}
