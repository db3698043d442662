/* Between the files of the simulated kernel. */
#ifndef SIM_SIM_INTERNAL_H
#define SIM_SIM_INTERNAL_H

#include "sim_kernel.h"

#include <stdlib.h>

/* Ends the program when the simulated kernel was used wrongly. */
#define SIM_CHECK(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_die(__VA_ARGS__);                                                                  \
    } while (0)
void sim_die(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *memory);

/* ---- descriptors ---- */

enum sim_file_kind {
    SIM_TCP,
    SIM_LISTENER,
    SIM_EPOLL,
    SIM_EVENTFD,
    SIM_PIPE_READ,
    SIM_PIPE_WRITE,
    SIM_DATAGRAM, /* only its connect: is there a route? */
    SIM_NULL
};

struct sim_pipe;
struct sim_epoll;

struct sim_file {
    enum sim_file_kind kind;
    unsigned references;
    bool is_nonblocking;
    bool is_linger_zero;
    struct sim_tcp *tcp;
    struct sim_pipe *pipe;
    struct sim_epoll *epoll;
    struct sim_listener *listener;
    uint64_t counter;
};

/* The new descriptor. */
int sim_fd_open(struct sim_file *file);
struct sim_file *sim_file_make(enum sim_file_kind kind);
/* NULL: not one of ours that is open. */
struct sim_file *sim_file_at(int fd);
int sim_fd_duplicate(int fd);
int sim_fd_close(int fd);

/* ---- epoll ---- */

struct sim_epoll *sim_epoll_make(void);
int sim_epoll_control(struct sim_epoll *epoll, int operation, int fd, struct sim_file *file,
                      const struct epoll_event *event);
int sim_epoll_collect(struct sim_epoll *epoll, struct epoll_event *events, int count);
void sim_epoll_free(struct sim_epoll *epoll);
/* What waits for `mask` (0: whatever) of `file` becomes ready. */
void sim_file_wake(struct sim_file *file, uint32_t mask);
void sim_file_forget(struct sim_file *file);
uint32_t sim_file_poll(struct sim_file *file);

/* ---- time ---- */

uint64_t sim_now_ns(void);
void sim_pass_us(uint64_t us);
/* Waits for events of `epoll`; timeout in ms, -1: for ever. */
int sim_wait(struct sim_epoll *epoll, struct epoll_event *events, int count, int64_t timeout_ms);
bool sim_run_next_event(void);

/* ---- memory ---- */

void sim_memory_note(void *memory, size_t size);
/* The size of the block, 0 if it is not one of ours. */
size_t sim_memory_forget(void *memory);

/* ---- TCP ---- */

struct sim_tcp *sim_tcp_make(struct sim_tcp_sizes sizes);
void sim_tcp_attach(struct sim_tcp *end, struct sim_file *file);
void sim_tcp_connect_pair(struct sim_tcp *a, struct sim_tcp *b);
uint32_t sim_tcp_poll(struct sim_tcp *end);
int sim_tcp_connect(struct sim_tcp *end, const struct sockaddr *address, bool at_once);
int sim_tcp_take_error(struct sim_tcp *end);
/* As if a reset arrived now (ECONNRESET), or the kernel gave up (another errno). */
void sim_tcp_break(struct sim_tcp *end, int error);
/* Reading (writing) gives EAGAIN for a millisecond. False when that can't happen any more. */
bool sim_tcp_hold_receive(struct sim_tcp *end);
void sim_tcp_hold_send(struct sim_tcp *end);
/* While corked, what is written stays where it is. */
void sim_tcp_cork(struct sim_tcp *end, bool is_corked);
size_t sim_tcp_readable(const struct sim_tcp *end);
/* Reading for splice, which never goes beyond an urgent mark, and what it finds before one. */
ssize_t sim_tcp_read_to_mark(struct sim_tcp *end, void *buffer, size_t size);
size_t sim_tcp_readable_to_mark(const struct sim_tcp *end);
size_t sim_tcp_send_size(const struct sim_tcp *end);
/* A full one while sending is held. */
size_t sim_tcp_send_used(const struct sim_tcp *end);
void sim_tcp_read_urgent_inline(struct sim_tcp *end, bool is_inline);
bool sim_tcp_has_fin(const struct sim_tcp *end);
const struct sockaddr_storage *sim_tcp_name(const struct sim_tcp *end, bool is_peer);
void sim_tcp_reset_all(void);
uint32_t sim_listener_poll(struct sim_file *file);
void sim_listener_close(struct sim_file *file);
/* The accepted end, NULL when none waits. */
struct sim_tcp *sim_listener_take(struct sim_file *file);

/* ---- pipes ---- */

struct sim_pipe *sim_pipe_make(void);
void sim_pipe_close(struct sim_pipe *pipe, bool is_writer);
uint32_t sim_pipe_poll(struct sim_pipe *pipe, bool is_writer);
int sim_pipe_resize(struct sim_pipe *pipe, size_t size);
size_t sim_pipe_size(const struct sim_pipe *pipe);
ssize_t sim_pipe_splice_in(struct sim_pipe *pipe, struct sim_tcp *from, size_t length);
ssize_t sim_pipe_read(struct sim_pipe *pipe, void *buffer, size_t size);
ssize_t sim_pipe_splice_out(struct sim_pipe *pipe, struct sim_tcp *to, size_t length);
void sim_pipes_reset(void);

#endif
