/* TCP as a stream, on one edge-triggered watch.
 *
 * `ready` saves asking the kernel: an event sets a bit, and a call that came back short clears it.
 *
 * The surprises: a short read does not mean that the queue is empty once the FIN has arrived (no
 * further edge will come), nor at an urgent mark (reading stops there with bytes behind it). In
 * these cases only EAGAIN or 0 clears the bit. The code that opens the socket must have made urgent
 * bytes ordinary ones (SO_OOBINLINE) before any can come, because a mark that arrives between an
 * event and the read is met before an event tells of it. Splice would stop at such a mark for good,
 * so once one was seen, kernel_read_fd does not give out the descriptor any more.
 *
 * The kernel tells an error only once, to the call that comes first: a read, a write, or
 * stream_error. Therefore it is kept in `broken_by`.
 */
#include "net/tcp_stream.h"

#include "loop/loop.h"
#include "loop/slab.h"
#include "net/stream.h"

#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum tcp_bits {
    TCP_URGENT_SEEN = 1,
};

/* A socket that is writable takes at least this many bytes. */
static const size_t room_of_a_segment = 4 * 1024;

struct tcp_stream {
    union {
        struct stream stream;
        struct garbage garbage; /* once it is closed */
    };
    struct watch watch;
    struct loop *loop;
};
/* An idle tunnel has two of them, and they are a large part of what it costs. */
static_assert(sizeof(struct tcp_stream) <= 56, "a stream is small");

static struct tcp_stream *tcp_of(const struct stream *stream)
{
    return container_of(stream, struct tcp_stream, stream);
}

static void tcp_events(struct watch *watch, uint32_t events)
{
    struct stream *stream = &container_of(watch, struct tcp_stream, watch)->stream;
    unsigned bits = 0;

    if (events & EPOLLIN)
        bits |= STREAM_READABLE;
    if (events & EPOLLOUT)
        bits |= STREAM_WRITABLE;
    if (events & EPOLLPRI)
        bits |= STREAM_READABLE;
    if (events & (EPOLLRDHUP | EPOLLHUP))
        bits |= STREAM_PEER_CLOSED | STREAM_READABLE;
    if (events & EPOLLERR)
        bits |= STREAM_BROKEN | STREAM_READABLE | STREAM_WRITABLE;
    if (events & EPOLLPRI)
        stream->kind_bits |= TCP_URGENT_SEEN;
    stream->ready |= (uint8_t)bits;
    if (bits & (stream->wanted | STREAM_BROKEN))
        stream->on_ready(stream, stream->self);
}

/* Keeps what a call failed with, and returns it as -errno. */
static int tcp_failed(struct stream *stream)
{
    if (errno != EAGAIN)
        stream->broken_by = (uint8_t)errno;
    return -errno;
}

static int tcp_error(struct stream *stream)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (stream->broken_by == 0) {
        if (getsockopt(tcp_of(stream)->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
        stream->broken_by = (uint8_t)error;
    }
    return -stream->broken_by;
}

static ssize_t tcp_read(struct stream *stream, void *buffer, size_t size)
{
    ssize_t count = recv(tcp_of(stream)->watch.fd, buffer, size, 0);

    if (count < 0) {
        stream->ready &= (uint8_t)~STREAM_READABLE;
        return tcp_failed(stream);
    }
    bool is_short = (size_t)count < size;
    bool may_hide_more =
        (stream->ready & STREAM_PEER_CLOSED) || (stream->kind_bits & TCP_URGENT_SEEN);
    if (count == 0 || (is_short && !may_hide_more))
        stream->ready &= (uint8_t)~STREAM_READABLE;
    return count;
}

static ssize_t tcp_peek(struct stream *stream, void *buffer, size_t size)
{
    ssize_t count = recv(tcp_of(stream)->watch.fd, buffer, size, MSG_PEEK);

    if (count <= 0)
        stream->ready &= (uint8_t)~STREAM_READABLE;
    return count < 0 ? tcp_failed(stream) : count;
}

static int tcp_skip(struct stream *stream, void *buffer, size_t length)
{
    while (length > 0) {
        /* The call may skip fewer bytes, at an urgent mark. MSG_TRUNC: nothing is copied. */
        ssize_t count = recv(tcp_of(stream)->watch.fd, buffer, length, MSG_TRUNC);

        if (count <= 0)
            return count < 0 && errno != EAGAIN ? -errno : -EIO;
        length -= (size_t)count;
    }
    return 0;
}

static ssize_t tcp_write(struct stream *stream, const void *bytes, size_t length)
{
    ssize_t count = send(tcp_of(stream)->watch.fd, bytes, length, MSG_NOSIGNAL);

    if (count < 0) {
        stream->ready &= (uint8_t)~STREAM_WRITABLE;
        return tcp_failed(stream);
    }
    if ((size_t)count < length)
        stream->ready &= (uint8_t)~STREAM_WRITABLE;
    return count;
}

/* Returns what the kernel's sk_stream_is_writeable does: whether at least a third of the buffer is
 * free. */
static bool is_roomy(size_t room, size_t used)
{
    return room >= used / 2;
}

/* Room that is too little to make the socket writable is not used. A sender that fills the buffer
 * again after each segment that is acknowledged would move the same bytes in many small pieces, at
 * twice the CPU. An eighth of the room is left for what the kernel accounts for a segment beside
 * its bytes. */
static size_t tcp_room(struct stream *stream)
{
    int fd = tcp_of(stream)->watch.fd;
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(memory);
    struct pollfd asked = {.fd = fd, .events = POLLOUT};

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0)
        return SIZE_MAX;
    size_t limit = memory[SK_MEMINFO_SNDBUF];
    size_t used = memory[SK_MEMINFO_WMEM_QUEUED];
    size_t room = used < limit ? limit - used : 0;
    /* The kernel tells of new room only after a call found none. This poll is such a call: when it
     * finds none, an event will come. */
    if (!is_roomy(room, used) && poll(&asked, 1, 0) == 0) {
        stream->ready &= (uint8_t)~STREAM_WRITABLE;
        return 0;
    }
    return room > room_of_a_segment ? room - room / 8 : room_of_a_segment;
}

static int tcp_shutdown_write(struct stream *stream)
{
    return shutdown(tcp_of(stream)->watch.fd, SHUT_WR) < 0 ? -errno : 0;
}

static void tcp_free(struct garbage *garbage)
{
    slab_give(container_of(garbage, struct tcp_stream, garbage));
}

static void tcp_close(struct stream *stream, bool is_reset)
{
    struct tcp_stream *tcp = tcp_of(stream);

    if (is_reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        /* Failing leaves an orderly close: nothing better could be done. */
        setsockopt(tcp->watch.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    watch_close(&tcp->watch);
    loop_free_later(tcp->loop, &tcp->garbage, tcp_free);
}

static void tcp_want(struct stream *stream, unsigned wanted)
{
    stream->wanted = (uint8_t)wanted;
}

static int tcp_kernel_read_fd(const struct stream *stream)
{
    return stream->kind_bits & TCP_URGENT_SEEN ? -1 : tcp_of(stream)->watch.fd;
}

static int tcp_kernel_write_fd(const struct stream *stream)
{
    return tcp_of(stream)->watch.fd;
}

static size_t tcp_unacknowledged(const struct stream *stream)
{
    int count = 0;

    if (ioctl(tcp_of(stream)->watch.fd, SIOCOUTQ, &count) < 0 || count < 0)
        return SIZE_MAX;
    return (size_t)count;
}

static void tcp_bound_queue(struct stream *stream, size_t bytes)
{
    int size = bytes < INT_MAX ? (int)bytes : INT_MAX;

    setsockopt(tcp_of(stream)->watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void tcp_keep_alive(int fd)
{
    int on = 1;
    int idle_s = 60;
    int interval_s = 10;
    int probes = 6;

    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void tcp_grew_old(struct stream *stream)
{
    tcp_keep_alive(tcp_of(stream)->watch.fd);
}

static const struct stream_kind tcp_kind = {
    .read = tcp_read,
    .peek = tcp_peek,
    .skip = tcp_skip,
    .write = tcp_write,
    .room = tcp_room,
    .shutdown_write = tcp_shutdown_write,
    .close = tcp_close,
    .want = tcp_want,
    .error = tcp_error,
    .kernel_read_fd = tcp_kernel_read_fd,
    .kernel_write_fd = tcp_kernel_write_fd,
    .unacknowledged = tcp_unacknowledged,
    .bound_queue = tcp_bound_queue,
    .grew_old = tcp_grew_old,
};

int tcp_stream_create(struct loop *loop, int fd, unsigned ready_bits, struct stream **ret_stream)
{
    struct tcp_stream *tcp = slab_take(loop_slab(loop), sizeof(*tcp));

    if (tcp == NULL)
        return -ENOMEM;
    *tcp = (struct tcp_stream){
        .stream = {.kind = &tcp_kind, .ready = (uint8_t)ready_bits},
        .watch = {.fd = -1},
        .loop = loop,
    };
    int error = watch_open(loop, &tcp->watch, fd, tcp_events);
    if (error < 0) {
        slab_give(tcp);
        return error;
    }
    *ret_stream = &tcp->stream;
    return 0;
}
