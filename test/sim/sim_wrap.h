/* The two sides of each wrapped call: __wrap_x serves it, __real_x is libc's. meson.build lists
 * them for the linker. */
#ifndef SIM_SIM_WRAP_H
#define SIM_SIM_WRAP_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#define BOTH(type, name, ...)                                                                      \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __real_##name(__VA_ARGS__)

BOTH(void *, malloc, size_t);
BOTH(void *, calloc, size_t, size_t);
BOTH(void *, realloc, void *, size_t);
BOTH(void, free, void *);
BOTH(char *, strdup, const char *);
BOTH(char *, strndup, const char *, size_t);
struct slab;
BOTH(void *, slab_take, struct slab *, size_t);
BOTH(void, slab_give, void *);
BOTH(int, clock_gettime, clockid_t, struct timespec *);
BOTH(ssize_t, getrandom, void *, size_t, unsigned);
BOTH(int, epoll_create1, int);
BOTH(int, epoll_ctl, int, int, int, struct epoll_event *);
BOTH(int, epoll_wait, int, struct epoll_event *, int, int);
BOTH(int, eventfd, unsigned, int);
BOTH(ssize_t, read, int, void *, size_t);
BOTH(ssize_t, write, int, const void *, size_t);
BOTH(int, socket, int, int, int);
BOTH(int, bind, int, const struct sockaddr *, socklen_t);
BOTH(int, connect, int, const struct sockaddr *, socklen_t);
BOTH(int, accept4, int, struct sockaddr *, socklen_t *, int);
BOTH(int, getsockname, int, struct sockaddr *, socklen_t *);
BOTH(int, getpeername, int, struct sockaddr *, socklen_t *);
BOTH(ssize_t, recv, int, void *, size_t, int);
BOTH(ssize_t, send, int, const void *, size_t, int);
BOTH(int, shutdown, int, int);
BOTH(int, close, int);
BOTH(int, setsockopt, int, int, int, const void *, socklen_t);
BOTH(int, getsockopt, int, int, int, void *, socklen_t *);
BOTH(int, poll, struct pollfd *, nfds_t, int);
BOTH(int, ioctl, int, unsigned long, ...);
BOTH(int, pipe2, int[2], int);
BOTH(int, fcntl, int, int, ...);
BOTH(int, fcntl64, int, int, ...); /* what fcntl becomes with 64-bit file offsets */
BOTH(ssize_t, splice, int, off64_t *, int, off64_t *, size_t, unsigned);
BOTH(int, open, const char *, int, ...);
BOTH(int, open64, const char *, int, ...);

#undef BOTH

#endif
