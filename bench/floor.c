/*
 * floor: what the kernel alone costs. The system calls of a tunnel, and as little as possible
 * around them: no policy, no log, no timeouts, no limits, no answers but the 200. It is a yardstick
 * and no proxy: it listens on 127.0.0.1 only, dials literal addresses in 127.0.0.0/8 only, wants a
 * whole head in its first segment, and ends a tunnel at whatever else it meets.
 *
 *   floor PORT
 *
 * One thread, one edge-triggered registration for each descriptor. The calls are those that adit
 * makes (doc/performance.md lists them), in the same order:
 *   accept4, epoll_ctl, recv | socket, setsockopt, connect, epoll_ctl | send
 *   recv and send for each piece of up to 64 KiB, or splice and splice through a pipe of 1 MiB
 *   after two full pieces in a row | shutdown, recv, close, close
 *
 * An end is a socket and the direction that it is the source of. `can_read` and `can_write` replace
 * asking the kernel: an event sets them, a call that came back short clears them; once the peer has
 * hung up no further edge comes, so then only the end itself clears `can_read`. What the sink does
 * not take stays in the direction's pipe. A direction moves one pipe's worth a turn, and whoever
 * has more waits in a list for the next one: without it eight downloads would keep a thousand chats
 * waiting, and with it a turn costs what it costs adit.
 *
 * A batch of events may name a tunnel that an earlier event of the batch ended, and so may the list
 * of those who wait: its memory is used again only when neither does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define COPY_BYTES (64 * 1024)
#define PIPE_BYTES (1024 * 1024)
#define PROMOTE_AFTER 2 /* full reads in a row */
#define POOL_PIPES 64
#define EVENTS_A_TURN 256
#define ACCEPTS_A_TURN 8
#define BACKLOG 4096

enum tunnel_state { TUNNEL_HEAD, TUNNEL_DIALLING, TUNNEL_OPEN, TUNNEL_ENDED };

struct end {
    struct tunnel *tunnel;
    struct end *next_waiting;
    int fd;
    int pipe[2];
    uint32_t held; /* bytes in the pipe */
    uint8_t full_reads;
    bool can_read, can_write, has_hung_up;
    bool is_ended; /* its FIN was read */
    bool has_pipe, is_waiting;
};

struct tunnel {
    struct end ends[2]; /* client, target */
    struct tunnel *next;
    enum tunnel_state state;
};

struct floor {
    int epoll_fd, listen_fd;
    unsigned turn, accept_turn, accepts; /* the last turn in which somebody waited */
    struct tunnel *free, *ended;
    struct end *waiting;
    unsigned pool_len;
    int pool[POOL_PIPES][2];
    char buffer[COPY_BYTES];
};

static struct end *sink_of(struct end *end)
{
    return &end->tunnel->ends[end == end->tunnel->ends];
}

static bool watch(struct floor *floor, struct end *end)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = end};
    return epoll_ctl(floor->epoll_fd, EPOLL_CTL_ADD, end->fd, &event) == 0;
}

/* ---- pipes ---- */

static bool pipe_take(struct floor *floor, struct end *end)
{
    if (floor->pool_len > 0)
        memcpy(end->pipe, floor->pool[--floor->pool_len], sizeof end->pipe);
    else if (pipe2(end->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
        return false;
    else
        fcntl(end->pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* refused: a smaller one works, too */
    end->has_pipe = true;
    return true;
}

static void pipe_give(struct floor *floor, struct end *end)
{
    if (!end->has_pipe)
        return;
    if (end->held == 0 && floor->pool_len < POOL_PIPES) {
        memcpy(floor->pool[floor->pool_len++], end->pipe, sizeof end->pipe);
        return;
    }
    close(end->pipe[0]);
    close(end->pipe[1]);
}

/* ---- bytes ---- */

static void tunnel_end(struct floor *floor, struct tunnel *tunnel)
{
    tunnel->state = TUNNEL_ENDED;
    for (int i = 0; i < 2; i++) {
        pipe_give(floor, &tunnel->ends[i]);
        if (tunnel->ends[i].fd >= 0)
            close(tunnel->ends[i].fd);
    }
    tunnel->next = floor->ended;
    floor->ended = tunnel;
}

/* These three return what they moved, 0 at the end, or -1 with errno. */
static ssize_t end_copy(struct floor *floor, struct end *end)
{
    struct end *sink = sink_of(end);
    ssize_t count = recv(end->fd, floor->buffer, COPY_BYTES, 0);
    if (count <= 0)
        return count;
    end->full_reads = count == COPY_BYTES ? end->full_reads + 1 : 0;
    if (count < COPY_BYTES && !end->has_hung_up)
        end->can_read = false;
    ssize_t sent = send(sink->fd, floor->buffer, (size_t)count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return -1;
    size_t taken = sent < 0 ? 0 : (size_t)sent, left = (size_t)count - taken;
    if (left == 0)
        return count;
    sink->can_write = false;
    errno = ENOBUFS;
    if (!pipe_take(floor, end) || write(end->pipe[1], floor->buffer + taken, left) != (ssize_t)left)
        return -1;
    end->held = (uint32_t)left;
    return count;
}

static ssize_t end_flush(struct end *end)
{
    ssize_t count = splice(end->pipe[0], NULL, sink_of(end)->fd, NULL, end->held,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count > 0)
        end->held -= (uint32_t)count;
    else if (count < 0 && errno == EAGAIN)
        sink_of(end)->can_write = false;
    return count;
}

static ssize_t end_splice(struct end *end)
{
    ssize_t count =
        splice(end->fd, NULL, end->pipe[1], NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count > 0)
        end->held = (uint32_t)count;
    return count;
}

static ssize_t end_read(struct floor *floor, struct end *end)
{
    if (end->has_pipe || (end->full_reads >= PROMOTE_AFTER && pipe_take(floor, end)))
        return end_splice(end);
    return end_copy(floor, end);
}

static void end_fin(struct floor *floor, struct end *end)
{
    end->is_ended = true;
    if (sink_of(end)->is_ended)
        tunnel_end(floor, end->tunnel);
    else
        shutdown(sink_of(end)->fd, SHUT_WR);
}

static bool end_can_move(struct end *end)
{
    return sink_of(end)->can_write && (end->held > 0 || (end->can_read && !end->is_ended));
}

static void end_move(struct floor *floor, struct end *end)
{
    size_t moved = 0;
    while (moved < PIPE_BYTES && end_can_move(end)) {
        bool is_flush = end->held > 0;
        ssize_t count = is_flush ? end_flush(end) : end_read(floor, end);
        if (count < 0 && errno != EAGAIN) {
            tunnel_end(floor, end->tunnel);
            return;
        }
        if (is_flush)
            continue;
        if (count == 0) {
            end_fin(floor, end);
            return;
        }
        if (count < 0)
            end->can_read = false;
        else
            moved += (size_t)count;
    }
    if (end->is_waiting || !end_can_move(end))
        return;
    end->is_waiting = true;
    end->next_waiting = floor->waiting;
    floor->waiting = end;
}

static void tunnel_move(struct floor *floor, struct tunnel *tunnel)
{
    for (int i = 0; i < 2 && tunnel->state == TUNNEL_OPEN; i++)
        end_move(floor, &tunnel->ends[i]);
}

/* ---- opening ---- */

static bool head_parse(const char *head, size_t len, struct sockaddr_in *ret_target)
{
    char host[INET_ADDRSTRLEN];
    uint16_t port;
    struct sockaddr_in target = {.sin_family = AF_INET};
    if (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0 ||
        sscanf(head, "CONNECT %15[0-9.]:%hu HTTP/1.", host, &port) != 2 ||
        inet_pton(AF_INET, host, &target.sin_addr) != 1 ||
        ntohl(target.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        return false;
    target.sin_port = htons(port);
    *ret_target = target;
    return true;
}

static bool target_dial(struct floor *floor, struct end *target, const struct sockaddr_in *address)
{
    int on = 1;
    target->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (target->fd < 0)
        return false;
    setsockopt(target->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(target->fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
        errno != EINPROGRESS)
        return false;
    return watch(floor, target);
}

static void tunnel_read_head(struct floor *floor, struct tunnel *tunnel)
{
    struct sockaddr_in address;
    ssize_t count = recv(tunnel->ends[0].fd, floor->buffer, COPY_BYTES - 1, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    floor->buffer[count > 0 ? count : 0] = '\0';
    tunnel->ends[0].can_read = tunnel->ends[0].has_hung_up;
    tunnel->state = TUNNEL_DIALLING;
    if (count <= 0 || !head_parse(floor->buffer, (size_t)count, &address) ||
        !target_dial(floor, &tunnel->ends[1], &address))
        tunnel_end(floor, tunnel);
}

static void tunnel_answer(struct floor *floor, struct tunnel *tunnel)
{
    static const char answer[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    const struct end *target = &tunnel->ends[1];
    if (!target->can_write && !target->has_hung_up)
        return;
    tunnel->state = TUNNEL_OPEN;
    if (target->has_hung_up || send(tunnel->ends[0].fd, answer, sizeof answer - 1, MSG_NOSIGNAL) !=
                                   (ssize_t)sizeof answer - 1)
        tunnel_end(floor, tunnel);
}

static void tunnel_create(struct floor *floor, int fd)
{
    struct tunnel *tunnel = floor->free;
    if (tunnel)
        floor->free = tunnel->next;
    else if (!(tunnel = malloc(sizeof *tunnel))) {
        close(fd);
        return;
    }
    *tunnel = (struct tunnel){.ends = {{.tunnel = tunnel, .fd = fd}, {.tunnel = tunnel, .fd = -1}}};
    if (watch(floor, &tunnel->ends[0]))
        tunnel_read_head(floor, tunnel);
    else
        tunnel_end(floor, tunnel);
}

/* One at first, more while the queue stays filled: an accept that finds nobody costs a call. */
static void accept_some(struct floor *floor)
{
    bool is_filled = floor->turn - floor->accept_turn == 1;
    unsigned doubled = 2 * floor->accepts;
    floor->accepts = !is_filled ? 1 : doubled < ACCEPTS_A_TURN ? doubled : ACCEPTS_A_TURN;
    floor->accept_turn = floor->turn;
    for (unsigned left = floor->accepts; left > 0; left--) {
        int fd = accept4(floor->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        tunnel_create(floor, fd);
    }
}

/* ---- the loop ---- */

static void end_event(struct floor *floor, struct end *end, uint32_t events)
{
    struct tunnel *tunnel = end->tunnel;
    if (tunnel->state == TUNNEL_ENDED)
        return;
    end->has_hung_up |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    end->can_read |= (events & EPOLLIN) || end->has_hung_up;
    end->can_write |= (events & (EPOLLOUT | EPOLLERR)) != 0;
    if (tunnel->state == TUNNEL_HEAD)
        tunnel_read_head(floor, tunnel);
    else if (tunnel->state == TUNNEL_DIALLING && end == &tunnel->ends[1])
        tunnel_answer(floor, tunnel);
    tunnel_move(floor, tunnel);
}

static void floor_go_on(struct floor *floor)
{
    struct end *end = floor->waiting;
    floor->waiting = NULL;
    while (end) {
        struct end *next = end->next_waiting;
        end->is_waiting = false;
        if (end->tunnel->state == TUNNEL_OPEN)
            end_move(floor, end);
        end = next;
    }
}

static void floor_recycle(struct floor *floor)
{
    struct tunnel *tunnel = floor->ended;
    floor->ended = NULL;
    while (tunnel) {
        struct tunnel *next = tunnel->next;
        bool is_listed = tunnel->ends[0].is_waiting || tunnel->ends[1].is_waiting;
        struct tunnel **list = is_listed ? &floor->ended : &floor->free;
        tunnel->next = *list;
        *list = tunnel;
        tunnel = next;
    }
}

static int floor_run(struct floor *floor)
{
    struct epoll_event events[EVENTS_A_TURN];
    for (;;) {
        int count = epoll_wait(floor->epoll_fd, events, EVENTS_A_TURN, floor->waiting ? 0 : -1);
        if (count < 0 && errno != EINTR)
            return -errno;
        floor->turn++;
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                end_event(floor, events[i].data.ptr, events[i].events);
            else
                accept_some(floor);
        }
        floor_go_on(floor);
        floor_recycle(floor);
    }
}

static int floor_listen(struct floor *floor, uint16_t port)
{
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN};
    floor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    floor->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (floor->epoll_fd < 0 || floor->listen_fd < 0 ||
        setsockopt(floor->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(floor->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(floor->listen_fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof on) < 0 ||
        bind(floor->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(floor->listen_fd, BACKLOG) < 0 ||
        epoll_ctl(floor->epoll_fd, EPOLL_CTL_ADD, floor->listen_fd, &event) < 0)
        return -errno;
    return 0;
}

int main(int argc, char **argv)
{
    static struct floor floor = {.accepts = 1};
    long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (port < 1 || port > 65535) {
        fprintf(stderr, "usage: floor PORT (on 127.0.0.1, to 127.0.0.0/8)\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* splice knows no MSG_NOSIGNAL */
    int error = floor_listen(&floor, (uint16_t)port);
    if (error == 0)
        error = floor_run(&floor);
    fprintf(stderr, "floor: %s\n", strerror(-error));
    return 1;
}
