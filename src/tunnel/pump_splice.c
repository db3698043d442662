/* Splicing: the kernel moves pages from the source's queue to the sink's through a 1 MiB pipe.
 *
 * A pipe holds what one move has read and not yet written. No more is read than the sink has room
 * for, so the pipe is empty again after each pump_splice_move, and the next direction can have it.
 * Only when the kernel takes less than it had room for, a rest stays in the pipe, and the pipe
 * stays with the direction.
 *
 * The surprise is EAGAIN when filling: it can mean "source empty" or "pipe full". So a pipe is
 * filled only when it is empty; then EAGAIN means the source. And a result of 0 can mean "at an
 * urgent mark, with the FIN somewhere behind it", so only recv tells where the stream ends.
 * SPLICE_F_MORE is not used, because it holds back the last bytes.
 */
#include "net/stream.h"
#include "observe/log.h"
#include "tunnel/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void pump_splice_flush(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    struct stream *sink = half_sink(relay, from);

    while (half->pipe->length > 0) {
        ssize_t count = splice(half->pipe->read_fd, NULL, stream_kernel_write_fd(sink), NULL,
                               half->pipe->length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (count < 0 && errno == EAGAIN) {
            sink->ready &= (uint8_t)~STREAM_WRITABLE;
            return;
        }
        if (count <= 0) {
            relay_sink_failed(relay, from, count < 0 ? -errno : -EIO);
            return;
        }
        half_count(relay, from, (size_t)count);
        half->pipe->length -= (size_t)count;
    }
    half_return_pipe(relay_env_of(relay), half);
}

/* True for errors of splice itself, not of the connection: the bytes are still in the source, where
 * a copy finds them. */
static bool pump_splice_is_refused(int error)
{
    return error == EINVAL || error == ENOMEM || error == ENOSYS || error == EPERM ||
           error == EOPNOTSUPP;
}

static ssize_t pump_splice_refuse(struct relay *relay, unsigned from, int error)
{
    relay->halves[from].is_pipe_refused = true;
    counter_add(relay->env->counters, COUNTER_PIPES_REFUSED, 1);
    log_notice(relay->env->log, LOG_TOPIC_PIPES, "a splice pipe was refused (%s); copying instead",
               strerrordesc_np(error));
    return pump_copy(relay, from);
}

/* The kernel took less than it had room for. When the thread's bound on stashes allows it, the rest
 * goes into a stash, as the rest of a copy does, and the pipe is free again. */
static void pump_splice_keep_rest(struct relay *relay, unsigned from)
{
    struct relay_env *env = relay_env_of(relay);
    struct half *half = &relay->halves[from];
    size_t length = half->pipe->length;

    if (length > COPY_BULK_BYTES || env->stashed + length > env->limits.stash_bytes)
        return;
    ssize_t count = read(half->pipe->read_fd, env->buffer, length);
    if (count <= 0)
        return;
    half->pipe->length -= (size_t)count;
    if (half->pipe->length == 0)
        half_return_pipe(env, half);
    if (stash_put(relay, from, env->buffer, (size_t)count) < 0)
        relay->is_out_of_memory = true;
}

/* Moves up to `size` bytes through the empty pipe that the direction was lent. */
static ssize_t pump_splice_move(struct relay *relay, unsigned from, size_t size)
{
    struct half *half = &relay->halves[from];
    struct stream *source = half_source(relay, from);
    ssize_t count = splice(stream_kernel_read_fd(source), NULL, half->pipe->write_fd, NULL, size,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    int error = count < 0 ? errno : 0;

    if (count > 0) {
        half->pipe->length = (size_t)count;
        pump_splice_flush(relay, from);
        if (half->pipe != NULL)
            pump_splice_keep_rest(relay, from);
        return count;
    }
    half_return_pipe(relay_env_of(relay), half);
    if (pump_splice_is_refused(error))
        return pump_splice_refuse(relay, from, error);
    if (count == 0)
        return pump_copy(relay, from);
    source->ready &= (uint8_t)~STREAM_READABLE;
    return -error;
}

ssize_t pump_splice(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    struct stream *sink = half_sink(relay, from);

    REQUIRE(half->pipe == NULL);
    if (stream_kernel_read_fd(half_source(relay, from)) < 0 || stream_kernel_write_fd(sink) < 0) {
        half->is_pipe_refused = true;
        return pump_copy(relay, from);
    }
    size_t room = stream_room(sink);
    if (room == 0)
        return -EAGAIN;
    int error = pipe_pool_take(&relay_env_of(relay)->pool, &half->pipe);
    if (error == -EAGAIN)
        return pump_copy(relay, from);
    if (error < 0)
        return pump_splice_refuse(relay, from, -error);
    return pump_splice_move(relay, from,
                            half_read_size(relay, from, room < PIPE_BYTES ? room : PIPE_BYTES));
}

void half_return_pipe(struct relay_env *env, struct half *half)
{
    struct pipe *pipe = half->pipe;

    half->pipe = NULL;
    if (pipe != NULL)
        relay_env_return_pipe(env, pipe);
}
