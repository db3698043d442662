/* A pipe costs two descriptors and up to 1 MiB of kernel memory. It is lent for one move of bytes
 * and comes back empty, so one pipe can serve all directions of a thread. A direction keeps its
 * pipe only while its sink has not taken everything, so there may be more than one. Their number is
 * bounded, and those that nobody needs any more are closed soon.
 *
 * A pipe with bytes in it never returns to the pool, because these bytes would come out in the
 * tunnel that borrows it next.
 */
#include "tunnel/pipe_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void pipe_pool_init(struct pipe_pool *pool, unsigned limit)
{
    list_init(&pool->idle);
    pool->count = 0;
    pool->limit = limit;
}

static void pipe_destroy(struct pipe_pool *pool, struct pipe *pipe)
{
    close(pipe->read_fd);
    close(pipe->write_fd);
    free(pipe);
    pool->count--;
}

void pipe_pool_finish(struct pipe_pool *pool)
{
    for (struct list *next, *link = pool->idle.next; link != &pool->idle; link = next) {
        next = link->next;
        pipe_destroy(pool, container_of(link, struct pipe, link));
    }
    REQUIRE(pool->count == 0);
}

/* A smaller pipe would be slower than copying, so one that can't be made large is an error. */
static int open_pipe(int ret_fds[2])
{
    int fds[2] = {-1, -1};

    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return -errno;
    if (fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES) < 0) {
        int error = -errno;
        close(fds[0]);
        close(fds[1]);
        return error;
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

static int pipe_create(struct pipe **ret_pipe)
{
    struct pipe *pipe = calloc(1, sizeof(*pipe));
    int fds[2] = {-1, -1};

    if (pipe == NULL)
        return -ENOMEM;
    int error = open_pipe(fds);
    if (error < 0) {
        free(pipe);
        return error;
    }
    pipe->read_fd = fds[0];
    pipe->write_fd = fds[1];
    *ret_pipe = pipe;
    return 0;
}

/* Lends the pipe that was used last, so that the others stay idle and can be closed. */
int pipe_pool_take(struct pipe_pool *pool, struct pipe **ret_pipe)
{
    if (!list_is_empty(&pool->idle)) {
        *ret_pipe = container_of(pool->idle.previous, struct pipe, link);
        list_remove(&(*ret_pipe)->link);
        return 0;
    }
    if (pool->count == pool->limit)
        return -EAGAIN;
    int error = pipe_create(ret_pipe);
    if (error == 0)
        pool->count++;
    return error;
}

void pipe_pool_give_back(struct pipe_pool *pool, struct pipe *pipe, uint64_t now_ms)
{
    if (pipe->length > 0) {
        pipe_destroy(pool, pipe);
        return;
    }
    pipe->idle_since_ms = now_ms;
    list_append(&pool->idle, &pipe->link);
}

bool pipe_pool_is_rich(const struct pipe_pool *pool)
{
    return pool->idle.next != pool->idle.previous;
}

void pipe_pool_shrink(struct pipe_pool *pool, uint64_t since_ms)
{
    /* The list is in the order of last use, the most recently used last: that one is kept. */
    for (struct list *next, *link = pool->idle.next; link != pool->idle.previous; link = next) {
        struct pipe *oldest = container_of(link, struct pipe, link);

        next = link->next;
        if (oldest->idle_since_ms > since_ms)
            return;
        list_remove(&oldest->link);
        pipe_destroy(pool, oldest);
    }
}
