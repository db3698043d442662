/* Splicing: the kernel moves pages from the source's queue to the sink's through a 1 MiB pipe.
 *
 * The surprise is EAGAIN when filling: it can mean "source empty" or "pipe full". So a pipe is
 * filled only when it is empty, and then it means the source. And 0 can mean "at an urgent mark,
 * with the FIN somewhere behind it": only recv knows the end. No SPLICE_F_MORE: it holds back the
 * last bytes.
 */
#include "net/stream.h"
#include "observe/log.h"
#include "tunnel/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void pump_splice_flush(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    struct stream *sink = half_sink(relay, from);

    while (half->pipe->length > 0) {
        ssize_t count = splice(half->pipe->read_fd, NULL, stream_kernel_fd(sink), NULL,
                               half->pipe->length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (count < 0 && errno == EAGAIN) {
            sink->ready &= (uint8_t)~STREAM_WRITABLE;
            return;
        }
        if (count <= 0) {
            relay_sink_failed(relay, from);
            return;
        }
        half_count(relay, from, (size_t)count);
        half->pipe->length -= (size_t)count;
        half->pipe->last_used_ms = loop_now_ms(relay->env->loop);
    }
}

/* Errors of splice itself, not of the connection: the bytes are still there, for a copy. */
static bool is_refusal(int error)
{
    return error == EINVAL || error == ENOMEM || error == ENOSYS || error == EPERM ||
           error == EOPNOTSUPP;
}

static void refuse_pipe(struct relay *relay, struct half *half, int error)
{
    half_demote(relay_env_of(relay), half);
    half->is_pipe_refused = true;
    counter_add(relay->env->counters, COUNTER_PIPES_REFUSED, 1);
    log_notice(relay->env->log, LOG_TOPIC_PIPES, "a splice pipe was refused (%s); copying instead",
               strerrordesc_np(error));
}

ssize_t pump_splice(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];
    struct stream *source = half_source(relay, from);

    REQUIRE(half->pipe->length == 0);
    ssize_t count =
        splice(stream_kernel_fd(source), NULL, half->pipe->write_fd, NULL,
               half_read_size(relay, from, PIPE_BYTES), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count < 0 && is_refusal(errno)) {
        refuse_pipe(relay, half, errno);
        return pump_copy(relay, from);
    }
    if (count == 0)
        return pump_copy(relay, from);
    if (count < 0) {
        source->ready &= (uint8_t)~STREAM_READABLE;
        return -errno;
    }
    half->pipe->length = (size_t)count;
    half->pipe->last_used_ms = loop_now_ms(relay->env->loop);
    pump_splice_flush(relay, from);
    return count;
}

static const uint64_t quiet_ms = 1000;

void half_promote(struct relay *relay, unsigned from)
{
    struct relay_env *env = relay_env_of(relay);
    struct half *half = &relay->halves[from];
    uint64_t now_ms = loop_now_ms(env->loop);

    half->full_reads = 0;
    if (stream_kernel_fd(half_source(relay, from)) < 0 ||
        stream_kernel_fd(half_sink(relay, from)) < 0) {
        half->is_pipe_refused = true;
        return;
    }
    int error = pipe_pool_take(&env->pool, half, now_ms, &half->pipe);
    if (error == 0) {
        if (!deadline_is_set(&env->tick))
            deadline_set(env->loop, &env->tick, now_ms + quiet_ms);
        return;
    }
    /* All lent: the next full reads ask again. Anything else is the kernel's no: copy from now on.
     */
    if (error == -EAGAIN)
        return;
    refuse_pipe(relay, half, -error);
}

void half_demote(struct relay_env *env, struct half *half)
{
    if (half->pipe == NULL)
        return;
    pipe_pool_give_back(&env->pool, half->pipe, loop_now_ms(env->loop));
    half->pipe = NULL;
}
