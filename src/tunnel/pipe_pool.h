/* The splice pipes of one thread: 1 MiB each, bounded in number, lent to whoever moves bulk. */
#ifndef TUNNEL_PIPE_POOL_H
#define TUNNEL_PIPE_POOL_H

#include "base/contract.h"
#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

#define PIPE_BYTES (1024 * 1024)

struct pipe {
    struct list link;      /* in the pool's idle or lent list */
    int read_fd, write_fd; /* both non-blocking */
    size_t length;         /* bytes inside */
    uint64_t last_used_ms; /* kept by the borrower */
    void *borrower;
};

struct pipe_pool {
    struct list idle;
    struct list lent;
    unsigned count; /* of both */
    unsigned limit;
};

void pipe_pool_init(struct pipe_pool *pool, unsigned limit);
/* No pipe may be lent. */
void pipe_pool_finish(struct pipe_pool *pool);
/* 0; -EAGAIN: all are lent; else what the kernel said (-EPERM, -EMFILE, ...). */
int pipe_pool_take(struct pipe_pool *pool, void *borrower, uint64_t now_ms,
                   struct pipe **ret_pipe) MUST_CHECK;
/* A pipe that holds bytes is closed instead of kept. */
void pipe_pool_give_back(struct pipe_pool *pool, struct pipe *pipe, uint64_t now_ms);
/* Closes idle pipes that were last used at `since_ms` or before; keeps one. */
void pipe_pool_shrink(struct pipe_pool *pool, uint64_t since_ms);

#endif
