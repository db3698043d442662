/* Copying: read into the thread's buffer, write it out, keep in a stash only what the sink did not
 * take. So a direction owns memory only while its reader is slower than its writer, and then at
 * most one read.
 *
 * There is a bound on what all tunnels of the thread hold together. At that bound nothing more is
 * kept, but no tunnel has to wait for another: bytes are only peeked at, and stay in the source's
 * queue until the sink has taken them. That costs one more system call per move.
 */
#include "net/stream.h"
#include "tunnel/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int stash_put(struct relay *relay, unsigned from, const char *bytes, size_t length)
{
    struct stash *stash = malloc(sizeof(*stash) + length);

    REQUIRE(relay->halves[from].stash == NULL);
    if (stash == NULL)
        return -ENOMEM;
    stash->offset = 0;
    stash->length = length;
    memcpy(stash->bytes, bytes, length);
    relay->halves[from].stash = stash;
    relay_env_of(relay)->stashed += length;
    return 0;
}

/* realloc moves what is held, too; this is only used for the first bytes of a tunnel, of which
 * there are few. */
int stash_append(struct relay *relay, unsigned from, const char *bytes, size_t length)
{
    struct stash *stash = relay->halves[from].stash;

    if (stash == NULL)
        return stash_put(relay, from, bytes, length);
    stash = realloc(stash, sizeof(*stash) + stash->offset + stash->length + length);
    if (stash == NULL)
        return -ENOMEM;
    memcpy(stash->bytes + stash->offset + stash->length, bytes, length);
    stash->length += length;
    relay->halves[from].stash = stash;
    relay_env_of(relay)->stashed += length;
    return 0;
}

/* What the flush has written already (offset) is subtracted as well, since stash_put added the
 * whole length. */
void stash_drop(struct relay *relay, unsigned from)
{
    struct half *half = &relay->halves[from];

    if (half->stash == NULL)
        return;
    relay_env_of(relay)->stashed -= half->stash->length + half->stash->offset;
    free(half->stash);
    half->stash = NULL;
}

/* Writes as much of the stash as the sink takes. Contract: the half has a stash. */
void pump_copy_flush(struct relay *relay, unsigned from)
{
    struct stash *stash = relay->halves[from].stash;
    ssize_t count =
        stream_write(half_sink(relay, from), stash->bytes + stash->offset, stash->length);

    if (count == -EAGAIN)
        return;
    if (count < 0) {
        relay_sink_failed(relay, from, (int)count);
        return;
    }
    half_count(relay, from, (size_t)count);
    stash->offset += (size_t)count;
    stash->length -= (size_t)count;
    if (stash->length == 0)
        stash_drop(relay, from);
}

static void pump_copy_write(struct relay *relay, unsigned from, const char *bytes, size_t length)
{
    ssize_t count = stream_write(half_sink(relay, from), bytes, length);

    if (count < 0 && count != -EAGAIN) {
        relay_sink_failed(relay, from, (int)count);
        return;
    }
    size_t written = count > 0 ? (size_t)count : 0;
    half_count(relay, from, written);
    if (written < length && stash_put(relay, from, bytes + written, length - written) < 0)
        relay->is_out_of_memory = true;
}

COLD static void pump_copy_note_full(struct relay *relay, struct half *half)
{
    half->moved_at = half_clock(relay);
    if (half->full_reads == PROMOTE_AFTER)
        relay_trace(relay, half == &relay->halves[RELAY_TARGET], "bulk");
}

/* Reads that fill the buffer one after another show a bulk transfer: after PROMOTE_AFTER of them
 * the half moves its bytes by splice, if it may. */
static void pump_copy_note(struct relay *relay, struct half *half, bool is_full)
{
    half->full_reads = is_full ? (uint8_t)(half->full_reads + 1) : 0;
    if (is_full)
        pump_copy_note_full(relay, half);
}

/* Removes from the source's queue only what the sink has taken. Returns what was moved, 0 at the
 * end, or -errno. When the sink fails, what was peeked is dropped, so that the source is still read
 * to its end. */
static ssize_t pump_copy_unkept(struct relay *relay, unsigned from, size_t size)
{
    struct half *half = &relay->halves[from];
    struct stream *source = half_source(relay, from);
    char *buffer = relay_env_of(relay)->buffer;
    ssize_t count = stream_peek(source, buffer, half_read_size(relay, from, size));

    if (count <= 0)
        return count;
    pump_copy_note(relay, half, (size_t)count == size);
    ssize_t written = stream_write(half_sink(relay, from), buffer, (size_t)count);
    if (written == -EAGAIN)
        return -EAGAIN;
    if (written < 0) {
        relay_sink_failed(relay, from, (int)written);
        written = count;
    } else {
        half_count(relay, from, (size_t)written);
    }
    int error = stream_skip(source, buffer, (size_t)written);
    return error < 0 ? error : written;
}

/* A half that can't use a pipe reads with the larger size, since copying is all that it will ever
 * do. */
ssize_t pump_copy(struct relay *relay, unsigned from)
{
    struct relay_env *env = relay_env_of(relay);
    struct half *half = &relay->halves[from];
    bool has_no_pipe = half->is_pipe_refused || half->full_reads >= PROMOTE_AFTER;
    size_t size = has_no_pipe ? COPY_BULK_BYTES : COPY_BYTES;

    if (!half->is_sink_ended && env->stashed + size > env->limits.stash_bytes)
        return pump_copy_unkept(relay, from, size);
    ssize_t count =
        stream_read(half_source(relay, from), env->buffer, half_read_size(relay, from, size));
    if (count <= 0)
        return count;
    pump_copy_note(relay, half, (size_t)count == size);
    if (!half->is_sink_ended)
        pump_copy_write(relay, from, env->buffer, (size_t)count);
    return count;
}
