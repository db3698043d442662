/* A deterministic kernel in memory: what the real objects of src/ call instead of Linux.
 *
 * The linker's --wrap sends every call of libc that src/ makes to sim_wrap.c, which serves it from
 * here while a simulation runs, and from libc otherwise. Time is virtual: it passes in epoll_wait
 * only (and a microsecond a call). The other ends of the connections are actors: code that runs at
 * its virtual time, from within epoll_wait, and holds a `struct sim_tcp` instead of a descriptor.
 * Every call and every allocation is a step; at one chosen step a fault is injected.
 *
 * One simulation at a time. Nothing here is for more than one thread.
 */
#ifndef SIM_SIM_KERNEL_H
#define SIM_SIM_KERNEL_H

#include "base/contract.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#define SIM_FD_FIRST 1000
#define SIM_FDS 512
#define SIM_STEPS_MAX 100000

enum sim_call {
#define SIM_CALL(suffix, ...) SIM_CALL_##suffix,
#include "sim_calls.def"
#undef SIM_CALL
    SIM_CALL_COUNT,
};

/* What can be injected besides an errno. */
enum sim_fault {
    SIM_FAULT_SHORT = 1000, /* one byte moves, the rest becomes possible a millisecond later */
    SIM_FAULT_AGAIN,        /* EAGAIN; possible again a millisecond later, with its edge */
    SIM_FAULT_RESET,        /* a reset arrives just before the call */
    SIM_FAULT_EVENT,        /* the actors' next event happens just before the call */
    SIM_FAULT_AT_ONCE,      /* connect succeeds without EINPROGRESS */
    SIM_FAULT_MARK,         /* splice is at an urgent mark: with a FIN behind it, it says 0 */
    SIM_FAULT_LOOKUP,       /* the answer of the resolver is a failure */
    SIM_FAULT_ARES_MEMORY,
    SIM_FAULT_ARES_REFUSED,
    SIM_FAULT_ARES_SILENT,
    SIM_FAULT_ARES_MALFORMED,
    SIM_FAULT_END,
};

/* ---- the whole ---- */

struct sim_plan {
    unsigned fault_step; /* 1 is the first step; 0: none */
    int fault;           /* an errno or enum sim_fault */
    unsigned fault_rate; /* soak: of 10,000 steps so many get a random fault of their row */
    uint64_t seed;
    bool is_verbose; /* prints the faults as they are injected */
};

/* Contract: a broken rule inside (a bad descriptor, a double close) aborts with a line on stderr.
 */
void sim_start(const struct sim_plan *plan);
/* Frees everything. Ask the audit functions first. */
void sim_finish(void);
bool sim_is_running(void);
unsigned sim_steps(void);
enum sim_call sim_step_call(unsigned step);
const char *sim_call_name(enum sim_call call);
/* The faults of a row, 0-terminated. */
const int *sim_call_faults(enum sim_call call);
const char *sim_fault_name(int fault);
int sim_fault_parse(const char *name); /* 0: unknown */
/* 0: go on; else the fault to inject at this step. For the wrappers. */
int sim_step(enum sim_call call);
/* How many faults were injected, and whether all of them were such as the user must not notice:
 * partial, repeated or refused best-effort calls. */
unsigned sim_faults_injected(void);
bool sim_faults_are_benign(void);
/* All of them were a lack of something here, none touched a connection that was there already. */
bool sim_faults_are_local(void);
uint64_t sim_random(void);
unsigned sim_open_descriptors(void);
size_t sim_allocated_bytes(void);
size_t sim_allocated_peak(void);
void sim_print_leaks(void);
/* Bytes that wait in pipes now. */
size_t sim_pipe_bytes(void);
unsigned sim_pipes_made(void);
unsigned sim_pipes_open(void);

/* ---- time and events ---- */

uint64_t sim_now_ms(void);
/* `run` is called `delay_us` from now, from within epoll_wait (or at an injected SIM_FAULT_EVENT).
 */
void sim_after(uint64_t delay_us, void (*run)(void *self), void *self);
/* True if epoll_wait found nothing to wait for: no event, no deadline. */
bool sim_is_quiet(void);
/* Calls of epoll_wait so far: a run that makes too many is a livelock. */
unsigned sim_waits(void);

/* ---- TCP ---- */

struct sim_tcp;

struct sim_tcp_sizes {
    size_t send;
    size_t receive;
};

/* What an actor learns: called in the middle of anything, so it only schedules (sim_after). */
struct sim_tcp_actor {
    void (*changed)(void *self);
    void *self;
};

/* How an address behaves when it is dialled. */
struct sim_route {
    const char *address; /* as inet_ntop prints it */
    uint16_t port;
    uint64_t delay_ms;
    int error; /* 0: connects; an errno; SIM_ROUTE_BLACKHOLE */
    struct sim_tcp_sizes target, product;
    /* The target's actor gets its end. */
    void (*accepted)(void *self, struct sim_tcp *end);
    void *self;
};
#define SIM_ROUTE_BLACKHOLE (-1)
void sim_add_route(const struct sim_route *route);
/* Successful handshakes so far. */
unsigned sim_dials_completed(void);

/* A listening descriptor, for an acceptor; close it with sim_close_fd. What is accepted there reads
 * urgent bytes inline, as with adit's own listeners. */
int sim_listen(const struct sockaddr_storage *address);
void sim_close_fd(int fd);
/* A connection from `client` waits to be accepted at `listener`; the actor's end. */
struct sim_tcp *sim_dial_listener(int listener, const char *client, uint16_t port,
                                  struct sim_tcp_sizes actor, struct sim_tcp_sizes product);
/* Two connected non-blocking descriptors. */
void sim_tcp_pair(int ret_fds[2], struct sim_tcp_sizes sizes);

void sim_tcp_set_actor(struct sim_tcp *end, struct sim_tcp_actor actor);
/* As the system calls, with negative errno; never EINTR. */
ssize_t sim_tcp_read(struct sim_tcp *end, void *buffer, size_t size);
ssize_t sim_tcp_peek(struct sim_tcp *end, void *buffer, size_t size);
ssize_t sim_tcp_write(struct sim_tcp *end, const void *bytes, size_t length);
/* The last byte taken is marked urgent, as with MSG_OOB. */
ssize_t sim_tcp_write_urgent(struct sim_tcp *end, const void *bytes, size_t length);
int sim_tcp_shutdown(struct sim_tcp *end, int how);
void sim_tcp_close(struct sim_tcp *end, bool is_reset);
bool sim_tcp_is_reset(const struct sim_tcp *end);
/* While stalled, nothing that `end` sends arrives (it stays in SIOCOUTQ). */
void sim_tcp_stall(struct sim_tcp *end, bool is_stalled);
size_t sim_tcp_unsent(const struct sim_tcp *end);
/* Received and not read. */
size_t sim_tcp_waiting(const struct sim_tcp *end);
struct sim_tcp *sim_tcp_peer(struct sim_tcp *end);

#endif
