/* Greeting (each end's greeting may be under way), then open or failed. While it is open, `ready`
 * is the inner stream's: what the one can do, the other can.
 */
#include "xor_stream.h"

#include "loop/loop.h"
#include "net/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum { PIECE_BYTES = 4096 };

struct xor_stream {
    struct stream stream;
    struct stream *inner;
    struct loop *loop;
    struct garbage garbage;
    uint8_t key;
    bool has_greeted;
    bool is_greeted;
    bool is_end_due; /* an end of writing was asked for during the handshake */
};

static struct xor_stream *xor_of(const struct stream *stream)
{
    return container_of(stream, struct xor_stream, stream);
}

static bool xor_is_open(const struct xor_stream * xor)
{
    return xor->has_greeted && xor->is_greeted;
}

static void xor_bytes(const struct xor_stream * xor, uint8_t *to, const uint8_t *from,
                      size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] ^ xor->key;
}

/* ---- the handshake ---- */

static void xor_fail(struct xor_stream * xor, int error)
{
    xor->stream.broken_by = (uint8_t)-error;
    xor->stream.ready |= STREAM_BROKEN | STREAM_READABLE | STREAM_WRITABLE;
}

static void xor_want_of_inner(struct xor_stream * xor)
{
    unsigned wanted = xor->stream.wanted;

    if (!xor_is_open(xor))
        wanted = xor->has_greeted ? STREAM_READABLE : STREAM_READABLE | STREAM_WRITABLE;
    stream_want(xor->inner, wanted);
}

static void xor_greet(struct xor_stream * xor)
{
    static const char greeting = XOR_GREETING;
    char heard = 0;
    ssize_t count = 0;

    if (!xor->has_greeted && (xor->inner->ready &STREAM_WRITABLE)) {
        count = stream_write(xor->inner, &greeting, 1);
        xor->has_greeted = count == 1;
    }
    if (count >= 0 && !xor->is_greeted && (xor->inner->ready &STREAM_READABLE)) {
        count = stream_read(xor->inner, &heard, 1);
        xor->is_greeted = count == 1 && heard == XOR_GREETING;
        if (count >= 0 && !xor->is_greeted)
            count = -EPROTO;
    }
    if (count < 0 && count != -EAGAIN)
        xor_fail(xor, (int)count);
    if (xor_is_open(xor) && xor->is_end_due)
        stream_shutdown_write(xor->inner);
}

static void xor_follow(struct xor_stream * xor)
{
    if (xor->stream.broken_by != 0)
        return;
    if (!xor_is_open(xor))
        xor_greet(xor);
    if (xor_is_open(xor))
        xor->stream.ready = xor->inner->ready;
    xor_want_of_inner(xor);
}

static void xor_inner_ready(struct stream *inner, void *self)
{
    struct xor_stream * xor = self;
    struct stream *stream = &xor->stream;

    (void)inner;
    xor_follow(xor);
    if (stream->ready & (stream->wanted | STREAM_BROKEN))
        stream->on_ready(stream, stream->self);
}

/* ---- the stream ---- */

/* Why no byte moves; 0: they do. */
static int xor_obstacle(const struct xor_stream * xor)
{
    if (xor->stream.broken_by != 0)
        return -xor->stream.broken_by;
    return xor_is_open(xor) ? 0 : -EAGAIN;
}

static ssize_t xor_take(struct stream *stream, void *buffer, size_t size,
                        ssize_t (*take)(struct stream *, void *, size_t))
{
    struct xor_stream * xor = xor_of(stream);
    int error = xor_obstacle(xor);

    if (error < 0)
        return error;
    ssize_t count = take(xor->inner, buffer, size);
    if (count > 0)
        xor_bytes(xor, buffer, buffer, (size_t)count);
    stream->ready = xor->inner->ready;
    return count;
}

static ssize_t xor_read(struct stream *stream, void *buffer, size_t size)
{
    return xor_take(stream, buffer, size, stream_read);
}

static ssize_t xor_peek(struct stream *stream, void *buffer, size_t size)
{
    return xor_take(stream, buffer, size, stream_peek);
}

static int xor_skip(struct stream *stream, void *buffer, size_t length)
{
    return stream_skip(xor_of(stream)->inner, buffer, length);
}

static ssize_t xor_write(struct stream *stream, const void *bytes, size_t length)
{
    struct xor_stream * xor = xor_of(stream);
    uint8_t piece[PIECE_BYTES];
    size_t written = 0;
    ssize_t count = xor_obstacle(xor);

    while (count >= 0 && written < length && (xor->inner->ready &STREAM_WRITABLE)) {
        size_t size = length - written < sizeof(piece) ? length - written : sizeof(piece);

        xor_bytes(xor, piece, (const uint8_t *)bytes + written, size);
        count = stream_write(xor->inner, piece, size);
        written += count > 0 ? (size_t)count : 0;
    }
    if (xor_is_open(xor) && xor->stream.broken_by == 0)
        stream->ready = xor->inner->ready;
    if (written > 0)
        return (ssize_t)written;
    return count < 0 ? count : -EAGAIN;
}

static size_t xor_room(struct stream *stream)
{
    return stream_room(xor_of(stream)->inner);
}

static int xor_shutdown_write(struct stream *stream)
{
    struct xor_stream * xor = xor_of(stream);
    int error = xor_obstacle(xor);

    xor->is_end_due = error == -EAGAIN;
    if (error < 0)
        return xor->is_end_due ? 0 : error;
    return stream_shutdown_write(xor->inner);
}

static void xor_free(struct garbage *garbage)
{
    free(container_of(garbage, struct xor_stream, garbage));
}

static void xor_close(struct stream *stream, bool is_reset)
{
    struct xor_stream * xor = xor_of(stream);

    stream_close(xor->inner, is_reset);
    loop_free_later(xor->loop, &xor->garbage, xor_free);
}

static void xor_want(struct stream *stream, unsigned wanted)
{
    stream->wanted = (uint8_t)wanted;
    xor_want_of_inner(xor_of(stream));
}

static int xor_error(struct stream *stream)
{
    return stream->broken_by != 0 ? -stream->broken_by : stream_error(xor_of(stream)->inner);
}

/* Whoever spliced past us would see the other end's bytes as they are on the way. */
static int xor_kernel_fd(const struct stream *stream)
{
    (void)stream;
    return -1;
}

static size_t xor_unacknowledged(const struct stream *stream)
{
    return stream_unacknowledged(xor_of(stream)->inner);
}

static void xor_bound_queue(struct stream *stream, size_t bytes)
{
    stream_bound_queue(xor_of(stream)->inner, bytes);
}

static void xor_grew_old(struct stream *stream)
{
    stream_grew_old(xor_of(stream)->inner);
}

static const struct stream_kind xor_kind = {
    .read = xor_read,
    .peek = xor_peek,
    .skip = xor_skip,
    .write = xor_write,
    .room = xor_room,
    .shutdown_write = xor_shutdown_write,
    .close = xor_close,
    .want = xor_want,
    .error = xor_error,
    .kernel_read_fd = xor_kernel_fd,
    .kernel_write_fd = xor_kernel_fd,
    .unacknowledged = xor_unacknowledged,
    .bound_queue = xor_bound_queue,
    .grew_old = xor_grew_old,
};

int xor_stream_create(struct loop *loop, struct stream *inner, uint8_t key,
                      struct stream **ret_stream)
{
    struct xor_stream * xor = calloc(1, sizeof(*xor));

    if (xor == NULL)
        return -ENOMEM;
    xor->stream.kind = &xor_kind;
    xor->inner = inner;
    xor->loop = loop;
    xor->key = key;
    stream_observe(inner, xor_inner_ready, xor);
    xor_follow(xor);
    *ret_stream = &xor->stream;
    return 0;
}
