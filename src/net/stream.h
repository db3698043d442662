/* One ordered byte stream. TCP is the first kind; TLS, an HTTP/2 stream and the tests' fake are
 * others. What only one kind has stands in the header of that kind (net/tcp_stream.h), not here.
 *
 * A stream has one observer at a time (set by whoever owns the stream at the moment) and tells it
 * when something becomes possible. `ready` is what is known to be possible now: events set it, and
 * a read or write that finds that nothing more is possible clears it. So no call is made only to
 * see EAGAIN.
 *
 * Contract: the observer is told of *changes* only. After taking over a stream, or after it begins
 * to want something, look at `ready` before waiting.
 *
 * A handshake (TCP's of one that is dialled, TLS's) comes before the first byte. While it goes on,
 * the stream is neither readable nor writable, and reading and writing return -EAGAIN. An observer
 * that waits for its end wants STREAM_WRITABLE, which comes when it is done. STREAM_BROKEN, which
 * is always told, says that it failed, and stream_error says why. An observer that only reads and
 * writes need not know about it: an end of writing that is asked for meanwhile is sent after the
 * handshake. The owner bounds how long it may last.
 *
 * A kind may wrap another stream, as TLS wraps TCP. From its creation on the outer stream owns the
 * inner one: it alone observes it, wants from it and closes it (with the same `is_reset`), and
 * nothing else touches it. Events go from the inside to the outside: the inner stream tells the
 * outer one, which updates its own `ready` and tells its observer. That observer may close the
 * outer stream from within; the memory of both lives until the end of the turn.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum stream_ready {
    STREAM_READABLE = 1,
    STREAM_WRITABLE = 2,
    STREAM_PEER_CLOSED = 4, /* the peer sent its FIN (bytes may still wait before it) */
    STREAM_BROKEN = 8,      /* reset or error; what arrived before can still be read */
};

struct stream;

struct stream_kind {
    /* Returns the number of bytes read (> 0), 0 at the peer's end, -EAGAIN, or -errno. */
    ssize_t (*read)(struct stream *stream, void *buffer, size_t size);
    /* As read, but the bytes stay; a short count says nothing about what is behind. */
    ssize_t (*peek)(struct stream *stream, void *buffer, size_t size);
    /* Takes `length` bytes that were seen by peek; `buffer`, of that size, may be overwritten.
     * Returns 0 or -errno, never -EAGAIN. */
    int (*skip)(struct stream *stream, void *buffer, size_t length);
    /* Returns the number of bytes taken (> 0), -EAGAIN, or -errno (-EPIPE, -ECONNRESET). Never
     * raises SIGPIPE. */
    ssize_t (*write)(struct stream *stream, const void *bytes, size_t length);
    /* Returns how many bytes a write takes now without leaving a rest (a cautious guess). 0 means
     * too few; STREAM_WRITABLE comes when there is more. SIZE_MAX means that the kind has no such
     * number: write, and expect a rest. */
    size_t (*room)(struct stream *stream);
    /* Sends FIN behind what was written. Returns 0 or -errno. */
    int (*shutdown_write)(struct stream *stream);
    /* Ends the stream and frees it at the end of the turn. With `is_reset` the peer sees a reset,
     * and whatever it has not acknowledged is lost. */
    void (*close)(struct stream *stream, bool is_reset);
    /* Which of STREAM_READABLE and STREAM_WRITABLE the observer waits for; the others may come,
     * too. */
    void (*want)(struct stream *stream, unsigned wanted);
    /* Returns why the stream broke: -errno, each time the same; or 0 when the reason is not known.
     * Contract: called only on a stream that is broken. Reading may show a plain end from then on.
     */
    int (*error)(struct stream *stream);
    /* Return the descriptors whose bytes may bypass us (splice), on their way in and out; or -1
     * when none may, now or later. */
    int (*kernel_read_fd)(const struct stream *stream);
    int (*kernel_write_fd)(const struct stream *stream);
    /* Returns how many written bytes the peer has not acknowledged, or SIZE_MAX when that can't be
     * found out. */
    size_t (*unacknowledged)(const struct stream *stream);
    /* From now on the system keeps only about so many written bytes for a slow reader, not
     * megabytes. Best effort. */
    void (*bound_queue)(struct stream *stream, size_t bytes);
    /* Tells the stream that it has lived for longer than most do, so that it does now what
     * short-lived ones do not need (a TCP stream that was dialled switches keepalive on). Best
     * effort. */
    void (*grew_old)(struct stream *stream);
};

struct stream {
    const struct stream_kind *kind;
    void (*on_ready)(struct stream *stream, void *self);
    void *self;        /* what the observer gets back */
    uint8_t ready;     /* enum stream_ready bits */
    uint8_t wanted;    /* private to the kind, and so are: */
    uint8_t kind_bits; /* what it likes */
    uint8_t broken_by; /* why, once that is known: errno */
};

static inline void stream_observe(struct stream *stream, void (*on_ready)(struct stream *, void *),
                                  void *self)
{
    stream->on_ready = on_ready;
    stream->self = self;
}

static inline ssize_t stream_read(struct stream *stream, void *buffer, size_t size)
{
    return stream->kind->read(stream, buffer, size);
}

static inline ssize_t stream_peek(struct stream *stream, void *buffer, size_t size)
{
    return stream->kind->peek(stream, buffer, size);
}

static inline int stream_skip(struct stream *stream, void *buffer, size_t length)
{
    return stream->kind->skip(stream, buffer, length);
}

static inline ssize_t stream_write(struct stream *stream, const void *bytes, size_t length)
{
    return stream->kind->write(stream, bytes, length);
}

static inline size_t stream_room(struct stream *stream)
{
    return stream->kind->room(stream);
}

static inline int stream_shutdown_write(struct stream *stream)
{
    return stream->kind->shutdown_write(stream);
}

static inline void stream_close(struct stream *stream, bool is_reset)
{
    stream->kind->close(stream, is_reset);
}

static inline void stream_want(struct stream *stream, unsigned wanted)
{
    stream->kind->want(stream, wanted);
}

static inline int stream_error(struct stream *stream)
{
    return stream->kind->error(stream);
}

static inline int stream_kernel_read_fd(const struct stream *stream)
{
    return stream->kind->kernel_read_fd(stream);
}

static inline int stream_kernel_write_fd(const struct stream *stream)
{
    return stream->kind->kernel_write_fd(stream);
}

static inline size_t stream_unacknowledged(const struct stream *stream)
{
    return stream->kind->unacknowledged(stream);
}

static inline void stream_bound_queue(struct stream *stream, size_t bytes)
{
    stream->kind->bound_queue(stream, bytes);
}

static inline void stream_grew_old(struct stream *stream)
{
    stream->kind->grew_old(stream);
}

#endif
