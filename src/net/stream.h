/* One ordered byte stream. TCP is the first kind; TLS, an HTTP/2 stream and the tests' fake are
 * others.
 *
 * A stream has one observer at a time (set by whoever owns the stream at the moment) and tells it
 * when something becomes possible. `ready` is what is known to be possible now: it is set by events
 * and cleared by a read or write that found the end of it. So nobody reads just to see EAGAIN.
 *
 * Contract: the observer is told of *changes* only. After taking over a stream, or after it begins
 * to want something, look at `ready` before waiting.
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
    STREAM_URGENT = 16,     /* urgent data was seen: splice would stop at its mark for good */
};

struct stream;

struct stream_kind {
    /* Bytes read (> 0), 0 at the peer's end, -EAGAIN, or -errno. */
    ssize_t (*read)(struct stream *stream, void *buffer, size_t size);
    /* As read, but the bytes stay; a short count says nothing about what is behind. */
    ssize_t (*peek)(struct stream *stream, void *buffer, size_t size);
    /* Takes `length` bytes that were seen by peek; `buffer`, of that size, may be overwritten. 0 or
     * -errno, never -EAGAIN. */
    int (*skip)(struct stream *stream, void *buffer, size_t length);
    /* Bytes taken (> 0), -EAGAIN, or -errno (-EPIPE, -ECONNRESET). Never raises SIGPIPE. */
    ssize_t (*write)(struct stream *stream, const void *bytes, size_t length);
    /* How many bytes a write takes now without leaving a rest, cautiously; 0: too few, and
     * STREAM_WRITABLE comes when there is more. SIZE_MAX: as many as one likes, with a rest. */
    size_t (*room)(struct stream *stream);
    /* Sends FIN behind what was written. 0 or -errno. */
    int (*shutdown_write)(struct stream *stream);
    /* Ends the stream and frees it at the end of the turn. With `is_reset` the peer sees a reset,
     * and whatever it has not acknowledged is lost. */
    void (*close)(struct stream *stream, bool is_reset);
    /* Which of STREAM_READABLE and STREAM_WRITABLE the observer waits for; the others may come,
     * too. */
    void (*want)(struct stream *stream, unsigned wanted);
    /* The descriptor when bytes may bypass us (splice), else -1. */
    int (*kernel_fd)(const struct stream *stream);
    /* Bytes written that the peer has not acknowledged; SIZE_MAX when that can't be found out. */
    size_t (*unacknowledged)(const struct stream *stream);
    /* Switches keepalive on (60 s idle, 10 s apart, 6 probes). Best effort. */
    void (*keep_alive)(struct stream *stream);
};

struct stream {
    const struct stream_kind *kind;
    void (*on_ready)(struct stream *stream, void *observer);
    void *observer;
    uint8_t ready;  /* enum stream_ready bits */
    uint8_t wanted; /* private to the kind */
};

static inline void stream_observe(struct stream *stream, void (*on_ready)(struct stream *, void *),
                                  void *observer)
{
    stream->on_ready = on_ready;
    stream->observer = observer;
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

static inline int stream_kernel_fd(const struct stream *stream)
{
    return stream->kind->kernel_fd(stream);
}

static inline size_t stream_unacknowledged(const struct stream *stream)
{
    return stream->kind->unacknowledged(stream);
}

static inline void stream_keep_alive(struct stream *stream)
{
    stream->kind->keep_alive(stream);
}

#endif
