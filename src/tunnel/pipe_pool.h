/* The splice pipes of one thread: 1 MiB each, bounded in number, lent for one move of bytes. */
#ifndef TUNNEL_PIPE_POOL_H
#define TUNNEL_PIPE_POOL_H

#include "base/contract.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPE_BYTES (1024 * 1024)

struct pipe {
    struct list link;      /* in the pool's list, while it is idle */
    int read_fd, write_fd; /* both non-blocking */
    size_t length;         /* bytes inside: kept by the borrower */
    uint64_t idle_since_ms;
};

struct pipe_pool {
    struct list idle;
    unsigned count; /* lent ones, too */
    unsigned limit;
};

void pipe_pool_init(struct pipe_pool *pool, unsigned limit);
/* Contract: no pipe is lent. */
void pipe_pool_finish(struct pipe_pool *pool);
/* Lends a pipe. Returns 0, -EAGAIN when all are lent, or what the kernel said (-EPERM, -EMFILE,
 * ...). */
int pipe_pool_take(struct pipe_pool *pool, struct pipe **ret_pipe) MUST_CHECK;
/* A pipe that holds bytes is closed instead of kept. */
void pipe_pool_give_back(struct pipe_pool *pool, struct pipe *pipe, uint64_t now_ms);
/* Returns whether more than one pipe is idle. */
bool pipe_pool_is_rich(const struct pipe_pool *pool);
/* Closes pipes that are idle since `since_ms` or longer; keeps one. */
void pipe_pool_shrink(struct pipe_pool *pool, uint64_t since_ms);

#endif
