/* Two states: lingering (everything is set, `deadline` is armed, the stream is
 * observed) and not (`stream` is NULL).
 *
 * What is dropped may hold a password, so it is wiped.
 */
#include "net/linger.h"

#include "net/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { LINGER_READ_SIZE = 16 * 1024 };

static const size_t linger_bytes_most = 1024 * 1024;

void linger_cancel(struct lingering *lingering)
{
    if (lingering->stream == NULL)
        return;
    deadline_cancel(lingering->loop, &lingering->deadline);
    lingering->stream = NULL;
}

static void linger_end(struct lingering *lingering)
{
    linger_cancel(lingering);
    lingering->ended(lingering);
}

static void linger_passed(struct deadline *deadline)
{
    linger_end(container_of(deadline, struct lingering, deadline));
}

/* Returns what stream_read does, but the bytes are wiped. */
static ssize_t linger_drop(struct stream *stream)
{
    char scratch[LINGER_READ_SIZE];
    ssize_t count = stream_read(stream, scratch, sizeof(scratch));

    if (count > 0)
        explicit_bzero(scratch, (size_t)count);
    return count;
}

/* Drops what is there. Returns false when lingering is over: the peer has ended, or has sent more
 * than anybody has to read. */
static bool linger_goes_on(struct lingering *lingering, bool *ret_is_heard)
{
    struct stream *stream = lingering->stream;

    while (stream->ready & STREAM_READABLE) {
        ssize_t count = linger_drop(stream);

        if (count == -EAGAIN)
            break;
        if (count > 0)
            lingering->dropped += (size_t)count;
        if (count <= 0 || lingering->dropped >= linger_bytes_most)
            return false;
        *ret_is_heard = true;
    }
    /* The peer is done and all of it was read: closing can't destroy the answer. */
    return !(stream->ready & STREAM_PEER_CLOSED);
}

static void linger_ready(struct stream *stream, void *self)
{
    struct lingering *lingering = self;
    bool is_heard = false;

    (void)stream;
    if (!linger_goes_on(lingering, &is_heard)) {
        linger_end(lingering);
        return;
    }
    if (is_heard || !deadline_is_set(&lingering->deadline)) {
        uint64_t at_ms = loop_now_ms(lingering->loop) + LINGER_SILENCE_MS;

        deadline_set(lingering->loop, &lingering->deadline,
                     at_ms < lingering->until_ms ? at_ms : lingering->until_ms);
    }
}

void linger_begin(struct lingering *lingering, struct loop *loop, struct stream *stream,
                  void (*ended)(struct lingering *lingering))
{
    *lingering = (struct lingering){
        .loop = loop,
        .stream = stream,
        .until_ms = loop_now_ms(loop) + LINGER_MOST_MS,
        .ended = ended,
    };
    deadline_init(&lingering->deadline, linger_passed);
    if (stream_shutdown_write(stream) < 0) {
        linger_end(lingering);
        return;
    }
    stream_observe(stream, linger_ready, lingering);
    stream_want(stream, STREAM_READABLE);
    linger_ready(stream, lingering);
}
