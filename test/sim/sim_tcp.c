/* TCP between two ends in one memory: a send queue, which is what the peer has not acknowledged,
 * and a receive queue, which is what the application has not read.
 *
 * Bytes go from one to the other at once, as far as there is room (over loopback it is no
 * different). The surprises are Linux's, and sim_differential.c holds us to them: shutdown is an
 * edge to one's own watcher; a reset leaves what was received readable, but destroys what the
 * sender had not got rid of; behind a FIN an error is not read any more; room to write is an edge
 * only for who has met the end; splice stops for good at an urgent mark, recv stops once and goes
 * on, and unless urgent bytes are read inline it skips the byte.
 */
#include "sim_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ENDS_MAX = 256, ROUTES_MAX = 32, LISTENERS_MAX = 4, BACKLOG_MAX = 128, HOLD_US = 1000 };

struct ring {
    unsigned char *bytes;
    size_t allocated, size, start, length;
};

enum tcp_state { TCP_STATE_CLOSED, TCP_STATE_SYN_SENT, TCP_STATE_OPEN };

struct sim_tcp {
    enum tcp_state state;
    struct sim_tcp *peer;
    struct ring send, receive;
    int error;
    bool has_shut_write; /* FIN is in the send queue, or sent */
    bool is_fin_sent;
    bool has_fin;     /* the peer's */
    bool is_dead;     /* was connected, and is not any more */
    bool lacks_space; /* the writer met the end of the send buffer */
    bool is_receive_held, is_send_held, is_stalled, is_corked;
    bool is_orphan; /* the application closed it */
    bool was_reset;
    const struct sim_route *route;
    struct sim_file *file;
    struct sim_tcp_actor actor;
    struct sockaddr_storage names[2]; /* own, peer's */
    size_t sent_total, read_total;    /* bytes of either stream that entered and left the queues */
    bool has_urgent;                  /* sent one; the peer has not heard of it */
    size_t urgent_at;                 /* its place in the stream */
    bool has_mark;                    /* the peer's */
    size_t mark_at;
    bool reads_urgent_inline;
};

struct sim_listener {
    struct sim_file *file;
    struct sockaddr_storage address;
    struct sim_tcp *waiting[BACKLOG_MAX];
    unsigned count;
};

static struct {
    struct sim_tcp ends[ENDS_MAX];
    unsigned end_count;
    struct sim_route routes[ROUTES_MAX];
    unsigned route_count;
    struct sim_listener listeners[LISTENERS_MAX];
    unsigned dials_completed;
} tcp;

/* ---- rings ---- */

static void ring_init(struct ring *ring, size_t size)
{
    if (ring->allocated < size) {
        __real_free(ring->bytes);
        ring->bytes = __real_malloc(size);
        SIM_CHECK(ring->bytes != NULL, "out of real memory");
        ring->allocated = size;
    }
    ring->size = size;
    ring->start = ring->length = 0;
}

static size_t ring_put(struct ring *ring, const unsigned char *bytes, size_t length)
{
    size_t room = ring->size - ring->length;
    size_t count = length < room ? length : room;
    size_t at = (ring->start + ring->length) % ring->size;
    size_t first = count < ring->size - at ? count : ring->size - at;

    memcpy(ring->bytes + at, bytes, first);
    memcpy(ring->bytes, bytes + first, count - first);
    ring->length += count;
    return count;
}

static size_t ring_take(struct ring *ring, unsigned char *bytes, size_t size)
{
    size_t count = size < ring->length ? size : ring->length;
    size_t first = count < ring->size - ring->start ? count : ring->size - ring->start;

    memcpy(bytes, ring->bytes + ring->start, first);
    memcpy(bytes + first, ring->bytes, count - first);
    ring->start = (ring->start + count) % ring->size;
    ring->length -= count;
    return count;
}

static void ring_move(struct ring *to, struct ring *from)
{
    while (from->length > 0 && to->length < to->size) {
        size_t straight = from->size - from->start;
        size_t count = ring_put(to, from->bytes + from->start,
                                from->length < straight ? from->length : straight);

        from->start = (from->start + count) % from->size;
        from->length -= count;
    }
}

/* ---- ends ---- */

struct sim_tcp *sim_tcp_make(struct sim_tcp_sizes sizes)
{
    SIM_CHECK(tcp.end_count < ENDS_MAX, "too many TCP ends");
    struct sim_tcp *end = &tcp.ends[tcp.end_count++];

    *end = (struct sim_tcp){.send = end->send, .receive = end->receive};
    ring_init(&end->send, sizes.send);
    ring_init(&end->receive, sizes.receive);
    return end;
}

void sim_tcp_reset_all(void)
{
    tcp.end_count = 0;
    tcp.route_count = 0;
    tcp.dials_completed = 0;
    memset(tcp.listeners, 0, sizeof(tcp.listeners));
}

void sim_tcp_attach(struct sim_tcp *end, struct sim_file *file)
{
    end->file = file;
}

void sim_tcp_connect_pair(struct sim_tcp *a, struct sim_tcp *b)
{
    a->peer = b;
    b->peer = a;
    a->state = b->state = TCP_STATE_OPEN;
}

static void wake(struct sim_tcp *end, uint32_t mask)
{
    sim_file_wake(end->file, mask);
    if (end->actor.changed != NULL)
        end->actor.changed(end->actor.self);
}

static bool is_send_shut(const struct sim_tcp *end)
{
    return end->has_shut_write || end->is_dead;
}

static bool is_receive_shut(const struct sim_tcp *end)
{
    return end->has_fin || end->is_dead;
}

static bool is_writable(const struct sim_tcp *end)
{
    return !end->is_send_held && end->send.size - end->send.length >= end->send.length / 2;
}

static bool is_at_mark(const struct sim_tcp *end)
{
    return end->has_mark && end->mark_at == end->read_total && end->receive.length > 0;
}

size_t sim_tcp_readable(const struct sim_tcp *end)
{
    if (end->is_receive_held)
        return 0;
    return end->receive.length - (is_at_mark(end) && !end->reads_urgent_inline);
}

size_t sim_tcp_readable_to_mark(const struct sim_tcp *end)
{
    size_t length = end->is_receive_held ? 0 : end->receive.length;
    size_t to_mark = end->mark_at - end->read_total;

    return end->has_mark && to_mark < length ? to_mark : length;
}

size_t sim_tcp_send_size(const struct sim_tcp *end)
{
    return end->send.size;
}

size_t sim_tcp_send_used(const struct sim_tcp *end)
{
    return end->is_send_held ? end->send.size : end->send.length;
}

void sim_tcp_read_urgent_inline(struct sim_tcp *end, bool is_inline)
{
    end->reads_urgent_inline = is_inline;
}

bool sim_tcp_has_fin(const struct sim_tcp *end)
{
    return end->has_fin;
}

uint32_t sim_tcp_poll(struct sim_tcp *end)
{
    uint32_t mask = 0;

    if ((is_receive_shut(end) && is_send_shut(end)) || end->state == TCP_STATE_CLOSED)
        mask |= EPOLLHUP;
    if (is_receive_shut(end))
        mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (end->state != TCP_STATE_SYN_SENT) {
        if (sim_tcp_readable(end) > 0)
            mask |= EPOLLIN | EPOLLRDNORM;
        if (end->has_mark && !end->is_receive_held &&
            end->mark_at < end->read_total + end->receive.length)
            mask |= EPOLLPRI;
        if (is_send_shut(end) || is_writable(end))
            mask |= EPOLLOUT | EPOLLWRNORM;
        else
            end->lacks_space = true;
    }
    if (end->error != 0)
        mask |= EPOLLERR;
    return mask;
}

static void die(struct sim_tcp *end)
{
    end->state = TCP_STATE_CLOSED;
    end->is_dead = true;
    end->send.length = 0;
    end->is_receive_held = end->is_send_held = false;
}

void sim_tcp_break(struct sim_tcp *end, int error)
{
    if (end->state == TCP_STATE_CLOSED)
        return;
    if (error == ECONNRESET && end->has_fin && !end->has_shut_write)
        error = EPIPE;
    end->error = error;
    end->was_reset = true;
    die(end);
    wake(end, 0);
}

static void finish_if_both_closed(struct sim_tcp *end)
{
    struct sim_tcp *peer = end->peer;

    if (!end->is_fin_sent || !peer->is_fin_sent)
        return;
    die(end);
    die(peer);
    wake(end, 0);
    wake(peer, 0);
}

static size_t take(struct sim_tcp *end, void *buffer, size_t size)
{
    size_t count = ring_take(&end->receive, buffer, size);

    end->read_total += count;
    if (end->read_total > end->mark_at)
        end->has_mark = false;
    return count;
}

/* The peer hears of the mark with the first segment that leaves after it was made. One that it
 * stands at without reading inline, with bytes behind, is passed over for the new one. */
static void pass_mark(struct sim_tcp *end)
{
    struct sim_tcp *peer = end->peer;

    if (!end->has_urgent || peer->receive.length == peer->receive.size)
        return;
    if (is_at_mark(peer) && !peer->reads_urgent_inline)
        take(peer, (char[1]){0}, 1);
    peer->has_mark = true;
    peer->mark_at = end->urgent_at;
    end->has_urgent = false;
}

/* Moves what can be moved, from the send queue of `end` to its peer. */
static void push(struct sim_tcp *end)
{
    struct sim_tcp *peer = end->peer;

    if (end->state != TCP_STATE_OPEN || end->is_stalled || end->is_corked || peer->is_receive_held)
        return;
    if (peer->is_orphan && end->send.length > 0) {
        /* Data for an application that has gone: answered with a reset. */
        die(peer);
        sim_tcp_break(end, ECONNRESET);
        return;
    }
    pass_mark(end);
    size_t before = end->send.length;
    ring_move(&peer->receive, &end->send);
    if (end->send.length < before)
        wake(peer, EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
    if (end->lacks_space && is_writable(end)) {
        end->lacks_space = false;
        wake(end, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
    }
    if (end->send.length == 0 && end->has_shut_write && !end->is_fin_sent) {
        end->is_fin_sent = true;
        peer->has_fin = true;
        wake(peer, 0);
        finish_if_both_closed(end);
    }
}

static ssize_t read_some(struct sim_tcp *end, void *buffer, size_t size)
{
    size_t count = take(end, buffer, size);

    if (end->peer != NULL)
        push(end->peer);
    return (ssize_t)count;
}

/* What reading says when it finds no bytes. */
static ssize_t read_nothing(struct sim_tcp *end)
{
    if (end->has_fin)
        return 0;
    if (end->error != 0)
        return -sim_tcp_take_error(end);
    if (end->is_dead)
        return 0;
    if (end->state == TCP_STATE_CLOSED)
        return -ENOTCONN;
    return -EAGAIN;
}

ssize_t sim_tcp_read(struct sim_tcp *end, void *buffer, size_t size)
{
    size_t to_mark = sim_tcp_readable_to_mark(end);

    if (to_mark > 0)
        return read_some(end, buffer, size < to_mark ? size : to_mark);
    if (is_at_mark(end) && !end->reads_urgent_inline && !end->is_receive_held)
        take(end, (char[1]){0}, 1);
    return sim_tcp_readable(end) > 0 ? read_some(end, buffer, size) : read_nothing(end);
}

ssize_t sim_tcp_peek(struct sim_tcp *end, void *buffer, size_t size)
{
    struct ring before = end->receive;
    bool skips = is_at_mark(end) && !end->reads_urgent_inline;
    size_t to_mark = sim_tcp_readable_to_mark(end);

    if (sim_tcp_readable(end) == 0)
        return read_nothing(end);
    if (to_mark > 0 && size > to_mark)
        size = to_mark;
    if (skips)
        ring_take(&end->receive, (unsigned char[1]){0}, 1);
    size_t count = ring_take(&end->receive, buffer, size);
    end->receive = before;
    return (ssize_t)count;
}

ssize_t sim_tcp_read_to_mark(struct sim_tcp *end, void *buffer, size_t size)
{
    size_t to_mark = sim_tcp_readable_to_mark(end);

    return to_mark > 0 ? read_some(end, buffer, size < to_mark ? size : to_mark)
                       : read_nothing(end);
}

static ssize_t write_some(struct sim_tcp *end, const void *bytes, size_t length, bool is_urgent)
{
    if (end->state == TCP_STATE_SYN_SENT)
        return -EAGAIN;
    if (end->error != 0)
        return -sim_tcp_take_error(end);
    if (is_send_shut(end) || end->state == TCP_STATE_CLOSED)
        return -EPIPE;
    size_t count = end->is_send_held ? 0 : ring_put(&end->send, bytes, length);
    if (count < length)
        end->lacks_space = true;
    if (count == 0)
        return length == 0 ? 0 : -EAGAIN;
    end->sent_total += count;
    if (is_urgent) {
        end->has_urgent = true;
        end->urgent_at = end->sent_total - 1;
    }
    push(end);
    return (ssize_t)count;
}

ssize_t sim_tcp_write(struct sim_tcp *end, const void *bytes, size_t length)
{
    return write_some(end, bytes, length, false);
}

ssize_t sim_tcp_write_urgent(struct sim_tcp *end, const void *bytes, size_t length)
{
    return write_some(end, bytes, length, true);
}

int sim_tcp_shutdown(struct sim_tcp *end, int how)
{
    SIM_CHECK(how == SHUT_WR, "shutdown %d is not simulated", how);
    int error = end->state == TCP_STATE_OPEN ? 0 : -ENOTCONN;
    if (error == 0 && !end->has_shut_write) {
        end->has_shut_write = true;
        push(end);
    }
    wake(end, 0);
    return error;
}

void sim_tcp_close(struct sim_tcp *end, bool is_reset)
{
    end->is_orphan = true;
    end->actor = (struct sim_tcp_actor){0};
    if (end->state == TCP_STATE_SYN_SENT)
        end->state = TCP_STATE_CLOSED;
    if (end->state == TCP_STATE_CLOSED)
        return;
    if (is_reset || end->receive.length > 0) {
        die(end);
        sim_tcp_break(end->peer, ECONNRESET);
        return;
    }
    end->has_shut_write = true;
    push(end);
    if (end->state == TCP_STATE_OPEN)
        push(end->peer);
}

bool sim_tcp_is_reset(const struct sim_tcp *end)
{
    return end->was_reset;
}

void sim_tcp_stall(struct sim_tcp *end, bool is_stalled)
{
    end->is_stalled = is_stalled;
    push(end);
}

void sim_tcp_cork(struct sim_tcp *end, bool is_corked)
{
    end->is_corked = is_corked;
    if (!is_corked)
        push(end);
}

size_t sim_tcp_unsent(const struct sim_tcp *end)
{
    return end->send.length + (end->has_shut_write && !end->is_fin_sent && !end->is_dead ? 1 : 0);
}

size_t sim_tcp_waiting(const struct sim_tcp *end)
{
    return end->receive.length;
}

struct sim_tcp *sim_tcp_peer(struct sim_tcp *end)
{
    return end->peer;
}

int sim_tcp_take_error(struct sim_tcp *end)
{
    int error = end->error;

    end->error = 0;
    return error;
}

void sim_tcp_set_actor(struct sim_tcp *end, struct sim_tcp_actor actor)
{
    end->actor = actor;
}

const struct sockaddr_storage *sim_tcp_name(const struct sim_tcp *end, bool is_peer)
{
    return &end->names[is_peer];
}

/* ---- holds: the injected partial and vain calls ---- */

static void release_receive(void *self)
{
    struct sim_tcp *end = self;

    if (!end->is_receive_held)
        return;
    end->is_receive_held = false;
    if (end->receive.length > 0)
        wake(end, EPOLLIN | EPOLLRDNORM);
    push(end->peer);
}

bool sim_tcp_hold_receive(struct sim_tcp *end)
{
    if (end->state != TCP_STATE_OPEN || end->has_fin)
        return false;
    end->is_receive_held = true;
    sim_after(HOLD_US, release_receive, end);
    return true;
}

static void release_send(void *self)
{
    struct sim_tcp *end = self;

    if (!end->is_send_held)
        return;
    end->is_send_held = false;
    push(end);
}

void sim_tcp_hold_send(struct sim_tcp *end)
{
    if (end->state != TCP_STATE_OPEN)
        return;
    end->is_send_held = true;
    sim_after(HOLD_US, release_send, end);
}

/* ---- dialling ---- */

static struct sockaddr_storage make_address(const char *text, uint16_t port)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else {
        SIM_CHECK(inet_pton(AF_INET6, text, &v6->sin6_addr) == 1, "bad address %s", text);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    }
    return storage;
}

static bool is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a6->sin6_port == b6->sin6_port &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

void sim_add_route(const struct sim_route *route)
{
    SIM_CHECK(tcp.route_count < ROUTES_MAX, "too many routes");
    tcp.routes[tcp.route_count++] = *route;
}

unsigned sim_dials_completed(void)
{
    return tcp.dials_completed;
}

static const struct sim_route *find_route(const struct sockaddr *address)
{
    struct sockaddr_storage wanted = {0};

    memcpy(&wanted, address,
           address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                         : sizeof(struct sockaddr_in6));
    for (unsigned i = 0; i < tcp.route_count; i++) {
        struct sockaddr_storage known = make_address(tcp.routes[i].address, tcp.routes[i].port);

        if (is_same_address(&known, &wanted))
            return &tcp.routes[i];
    }
    return NULL;
}

static void dial_succeeds(struct sim_tcp *end)
{
    const struct sim_route *route = end->route;
    struct sim_tcp *target = sim_tcp_make(route->target);

    sim_tcp_connect_pair(end, target);
    tcp.dials_completed++;
    wake(end, 0);
    route->accepted(route->self, target);
}

static void dial_ends(void *self)
{
    struct sim_tcp *end = self;

    if (end->state != TCP_STATE_SYN_SENT)
        return;
    if (end->route->error == 0)
        dial_succeeds(end);
    else
        sim_tcp_break(end, end->route->error);
}

int sim_tcp_connect(struct sim_tcp *end, const struct sockaddr *address, bool at_once)
{
    if (end->state != TCP_STATE_CLOSED)
        return end->state == TCP_STATE_SYN_SENT ? -EALREADY : -EISCONN;
    end->route = find_route(address);
    if (end->route == NULL)
        return -ENETUNREACH;
    end->names[1] = make_address(end->route->address, end->route->port);
    if (end->route->product.send > 0) {
        ring_init(&end->send, end->route->product.send);
        ring_init(&end->receive, end->route->product.receive);
    }
    end->state = TCP_STATE_SYN_SENT;
    if (at_once && end->route->error == 0) {
        dial_succeeds(end);
        return 0;
    }
    if (end->route->error != SIM_ROUTE_BLACKHOLE)
        sim_after(end->route->delay_ms * 1000, dial_ends, end);
    return -EINPROGRESS;
}

/* ---- listeners ---- */

int sim_listen(const struct sockaddr_storage *address)
{
    struct sim_file *file = sim_file_make(SIM_LISTENER);

    for (unsigned i = 0; i < LISTENERS_MAX; i++) {
        if (tcp.listeners[i].file == NULL) {
            tcp.listeners[i] = (struct sim_listener){.file = file, .address = *address};
            file->listener = &tcp.listeners[i];
            file->is_nonblocking = true;
            return sim_fd_open(file);
        }
    }
    sim_die("too many listeners");
}

uint32_t sim_listener_poll(struct sim_file *file)
{
    return file->listener->count > 0 ? EPOLLIN | EPOLLRDNORM : 0;
}

void sim_listener_close(struct sim_file *file)
{
    for (unsigned i = 0; i < file->listener->count; i++)
        sim_tcp_close(file->listener->waiting[i], true);
    *file->listener = (struct sim_listener){0};
}

struct sim_tcp *sim_listener_take(struct sim_file *file)
{
    struct sim_listener *listener = file->listener;

    if (listener->count == 0)
        return NULL;
    struct sim_tcp *end = listener->waiting[0];
    listener->count--;
    memmove(listener->waiting, listener->waiting + 1, listener->count * sizeof(end));
    return end;
}

struct sim_tcp *sim_dial_listener(int fd, const char *client, uint16_t port,
                                  struct sim_tcp_sizes actor, struct sim_tcp_sizes product)
{
    struct sim_listener *listener = sim_file_at(fd)->listener;
    struct sim_tcp *ours = sim_tcp_make(actor), *theirs = sim_tcp_make(product);

    SIM_CHECK(listener->count < BACKLOG_MAX, "too long a backlog");
    sim_tcp_connect_pair(ours, theirs);
    theirs->reads_urgent_inline = true;
    theirs->names[0] = listener->address;
    theirs->names[1] = make_address(client, port);
    listener->waiting[listener->count++] = theirs;
    sim_file_wake(listener->file, EPOLLIN);
    return ours;
}

void sim_tcp_pair(int ret_fds[2], struct sim_tcp_sizes sizes)
{
    struct sim_tcp *ends[2] = {sim_tcp_make(sizes), sim_tcp_make(sizes)};

    sim_tcp_connect_pair(ends[0], ends[1]);
    for (int i = 0; i < 2; i++) {
        struct sim_file *file = sim_file_make(SIM_TCP);

        file->tcp = ends[i];
        file->is_nonblocking = true;
        sim_tcp_attach(ends[i], file);
        ret_fds[i] = sim_fd_open(file);
    }
}

void sim_close_fd(int fd)
{
    sim_fd_close(fd);
}
