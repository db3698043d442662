/* Pipes and splice. A pipe is full when its slots are taken, not when its bytes are: each splice
 * takes at least one slot for however few bytes. splice's EAGAIN does not say which side it means.
 */
#include "sim_internal.h"

#include <errno.h>
#include <string.h>

enum { PIPES_MAX = 64, SLOT_BYTES = 4096, SLOTS_DEFAULT = 16, SLOTS_MAX = 256 };

struct sim_pipe {
    bool is_used, has_reader, has_writer;
    unsigned slots, first, taken;
    size_t lengths[SLOTS_MAX];
    unsigned char *bytes; /* SLOTS_MAX slots of SLOT_BYTES, filled from each slot's end */
};

static struct sim_pipe pipes[PIPES_MAX];
static size_t held;
static unsigned made;

size_t sim_pipe_bytes(void)
{
    return held;
}

unsigned sim_pipes_made(void)
{
    return made;
}

unsigned sim_pipes_open(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < PIPES_MAX; i++)
        count += pipes[i].is_used;
    return count;
}

struct sim_pipe *sim_pipe_make(void)
{
    for (unsigned i = 0; i < PIPES_MAX; i++) {
        struct sim_pipe *pipe = &pipes[i];
        unsigned char *bytes = pipe->bytes;

        if (pipe->is_used)
            continue;
        if (bytes == NULL)
            bytes = __real_malloc((size_t)SLOTS_MAX * SLOT_BYTES);
        SIM_CHECK(bytes != NULL, "out of real memory");
        *pipe = (struct sim_pipe){
            .is_used = true,
            .has_reader = true,
            .has_writer = true,
            .slots = SLOTS_DEFAULT,
            .bytes = bytes,
        };
        made++;
        return pipe;
    }
    sim_die("too many pipes");
}

void sim_pipes_reset(void)
{
    /* The memory stays for the next run. */
    for (unsigned i = 0; i < PIPES_MAX; i++)
        pipes[i] = (struct sim_pipe){.bytes = pipes[i].bytes};
    held = 0;
    made = 0;
}

void sim_pipe_close(struct sim_pipe *pipe, bool is_writer)
{
    if (is_writer)
        pipe->has_writer = false;
    else
        pipe->has_reader = false;
    if (pipe->has_reader || pipe->has_writer)
        return;
    for (unsigned i = 0; i < pipe->taken; i++)
        held -= pipe->lengths[(pipe->first + i) % SLOTS_MAX];
    pipe->is_used = false;
}

uint32_t sim_pipe_poll(struct sim_pipe *pipe, bool is_writer)
{
    if (is_writer)
        return (pipe->taken < pipe->slots ? (uint32_t)EPOLLOUT : 0) |
               (pipe->has_reader ? 0 : (uint32_t)EPOLLERR);
    return (pipe->taken > 0 ? (uint32_t)EPOLLIN : 0) | (pipe->has_writer ? 0 : (uint32_t)EPOLLHUP);
}

int sim_pipe_resize(struct sim_pipe *pipe, size_t size)
{
    unsigned slots = 1;

    while ((size_t)slots * SLOT_BYTES < size)
        slots *= 2;
    if (slots > SLOTS_MAX)
        return -EPERM;
    if (slots < pipe->taken)
        return -EBUSY;
    pipe->slots = slots;
    return (int)(slots * SLOT_BYTES);
}

size_t sim_pipe_size(const struct sim_pipe *pipe)
{
    return (size_t)pipe->slots * SLOT_BYTES;
}

ssize_t sim_pipe_splice_in(struct sim_pipe *pipe, struct sim_tcp *from, size_t length)
{
    size_t moved = 0;

    if (!pipe->has_reader)
        return -EPIPE;
    if (pipe->taken == pipe->slots)
        return -EAGAIN;
    while (moved < length && pipe->taken < pipe->slots) {
        unsigned slot = (pipe->first + pipe->taken) % SLOTS_MAX;
        size_t room = length - moved < SLOT_BYTES ? length - moved : (size_t)SLOT_BYTES;
        unsigned char *bytes = pipe->bytes + (size_t)slot * SLOT_BYTES;

        if (moved > 0 && sim_tcp_readable_to_mark(from) == 0)
            break;
        ssize_t count = sim_tcp_read_to_mark(from, bytes, room);
        if (count <= 0)
            return moved > 0 ? (ssize_t)moved : count;
        /* At the slot's end, so that the rest of a slot is simply its last bytes. */
        memmove(bytes + SLOT_BYTES - count, bytes, (size_t)count);
        pipe->lengths[slot] = (size_t)count;
        pipe->taken++;
        moved += (size_t)count;
    }
    held += moved;
    return (ssize_t)moved;
}

ssize_t sim_pipe_read(struct sim_pipe *pipe, void *buffer, size_t size)
{
    size_t moved = 0;

    while (moved < size && pipe->taken > 0) {
        size_t in_slot = pipe->lengths[pipe->first];
        size_t count = size - moved < in_slot ? size - moved : in_slot;
        unsigned char *end = pipe->bytes + (size_t)(pipe->first + 1) * SLOT_BYTES;

        memcpy((char *)buffer + moved, end - in_slot, count);
        moved += count;
        pipe->lengths[pipe->first] -= count;
        if (pipe->lengths[pipe->first] > 0)
            break;
        pipe->first = (pipe->first + 1) % SLOTS_MAX;
        pipe->taken--;
    }
    held -= moved;
    if (moved > 0 || size == 0)
        return (ssize_t)moved;
    return pipe->has_writer ? -EAGAIN : 0;
}

ssize_t sim_pipe_splice_out(struct sim_pipe *pipe, struct sim_tcp *to, size_t length)
{
    size_t moved = 0;
    ssize_t failed = 0;

    if (pipe->taken == 0)
        return pipe->has_writer ? -EAGAIN : 0;
    /* All slots leave in one piece: none meets what the one before provoked. */
    sim_tcp_cork(to, true);
    while (moved < length && pipe->taken > 0) {
        size_t in_slot = pipe->lengths[pipe->first];
        size_t wanted = length - moved < in_slot ? length - moved : in_slot;
        unsigned char *end = pipe->bytes + (size_t)(pipe->first + 1) * SLOT_BYTES;
        ssize_t count = sim_tcp_write(to, end - in_slot, wanted);

        if (count <= 0) {
            failed = count;
            break;
        }
        moved += (size_t)count;
        pipe->lengths[pipe->first] -= (size_t)count;
        if (pipe->lengths[pipe->first] > 0)
            break;
        pipe->first = (pipe->first + 1) % SLOTS_MAX;
        pipe->taken--;
    }
    held -= moved;
    sim_tcp_cork(to, false);
    return moved > 0 ? (ssize_t)moved : failed;
}
