/* What the linker calls instead of libc (--wrap): the simulated kernel while a simulation runs,
 * libc otherwise. Each wrapper is a step, at which a fault may be injected (sim_calls.def).
 *
 * Faults of a kernel are consistent with what follows: a short read or a vain one is followed by an
 * edge, a reset is a reset for the rest of the connection's life, EINTR from close has closed.
 */
#include "sim_wrap.h"
#include "sim_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int fail(int error)
{
    errno = error;
    return -1;
}

static ssize_t result(ssize_t count)
{
    return count < 0 ? fail((int)-count) : count;
}

static bool is_ours(int fd)
{
    return sim_is_running() && fd >= SIM_FD_FIRST;
}

static struct sim_file *file_of(int fd, const char *call)
{
    struct sim_file *file = sim_file_at(fd);

    SIM_CHECK(file != NULL, "%s on descriptor %d, which is not open", call, fd);
    return file;
}

static struct sim_tcp *tcp_of(int fd, const char *call)
{
    struct sim_file *file = file_of(fd, call);

    SIM_CHECK(file->kind == SIM_TCP, "%s on descriptor %d, which is no socket", call, fd);
    return file->tcp;
}

/* ---- memory ---- */

void *__wrap_malloc(size_t size)
{
    if (!sim_is_running())
        return __real_malloc(size);
    if (sim_step(SIM_CALL_MALLOC)) {
        errno = ENOMEM;
        return NULL;
    }
    void *memory = __real_malloc(size);
    sim_memory_note(memory, size);
    return memory;
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (!sim_is_running())
        return __real_calloc(count, size);
    void *memory = __wrap_malloc(count * size);
    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

void __wrap_free(void *memory)
{
    if (sim_is_running() && memory != NULL)
        sim_memory_forget(memory);
    __real_free(memory);
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (!sim_is_running())
        return __real_realloc(memory, size);
    void *larger = __wrap_malloc(size);
    if (larger == NULL || memory == NULL)
        return larger;
    size_t before = sim_memory_forget(memory);
    SIM_CHECK(before > 0, "realloc of memory that is not ours");
    memcpy(larger, memory, before < size ? before : size);
    __real_free(memory);
    return larger;
}

char *__wrap_strdup(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = __wrap_malloc(size);

    return copy == NULL ? NULL : memcpy(copy, string, size);
}

char *__wrap_strndup(const char *string, size_t length)
{
    size_t size = strnlen(string, length);
    char *copy = __wrap_calloc(1, size + 1);

    return copy == NULL ? NULL : memcpy(copy, string, size);
}

/* Each object by itself, so that each can fail, leak, or be used after its end. */
void *__wrap_slab_take(struct slab *slab, size_t size)
{
    (void)slab;
    return __wrap_calloc(1, size);
}

void __wrap_slab_give(void *object)
{
    __wrap_free(object);
}

/* ---- time ---- */

/* The wall clock of the simulation: 2026-01-01 00:00:00 UTC when the loop's clock shows 0. */
static const time_t wall_offset_s = 1767225600;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!sim_is_running())
        return __real_clock_gettime(clock, now);
    uint64_t ns = sim_now_ns();
    bool is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    now->tv_sec = (time_t)(ns / 1000000000) + (is_wall ? wall_offset_s : 0);
    now->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    if (!sim_is_running())
        return __real_getrandom(buffer, size, flags);
    memset(buffer, 0x5a, size);
    return (ssize_t)size;
}

/* ---- epoll, eventfd ---- */

int __wrap_epoll_create1(int flags)
{
    if (!sim_is_running())
        return __real_epoll_create1(flags);
    int fault = sim_step(SIM_CALL_EPOLL_CREATE);
    if (fault)
        return fail(fault);
    struct sim_file *file = sim_file_make(SIM_EPOLL);
    file->epoll = sim_epoll_make();
    return sim_fd_open(file);
}

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (!is_ours(epoll_fd))
        return __real_epoll_ctl(epoll_fd, operation, fd, event);
    int fault = sim_step(operation == EPOLL_CTL_DEL ? SIM_CALL_EPOLL_DEL : SIM_CALL_EPOLL_ADD);
    if (fault)
        return fail(fault);
    return (int)result(sim_epoll_control(file_of(epoll_fd, "epoll_ctl")->epoll, operation, fd,
                                         file_of(fd, "epoll_ctl"), event));
}

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int count, int timeout_ms)
{
    if (!is_ours(epoll_fd))
        return __real_epoll_wait(epoll_fd, events, count, timeout_ms);
    int fault = sim_step(SIM_CALL_EPOLL_WAIT);
    if (fault)
        return fail(fault);
    return sim_wait(file_of(epoll_fd, "epoll_wait")->epoll, events, count, timeout_ms);
}

int __wrap_eventfd(unsigned initial, int flags)
{
    if (!sim_is_running())
        return __real_eventfd(initial, flags);
    int fault = sim_step(SIM_CALL_EVENTFD);
    if (fault)
        return fail(fault);
    struct sim_file *file = sim_file_make(SIM_EVENTFD);
    file->counter = initial;
    file->is_nonblocking = flags & EFD_NONBLOCK;
    return sim_fd_open(file);
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    if (!is_ours(fd))
        return __real_read(fd, buffer, size);
    struct sim_file *file = file_of(fd, "read");
    if (file->kind == SIM_TCP)
        return __wrap_recv(fd, buffer, size, 0);
    if (file->kind == SIM_PIPE_READ) {
        int fault = sim_step(SIM_CALL_PIPE_READ);
        return fault ? fail(fault) : result(sim_pipe_read(file->pipe, buffer, size));
    }
    SIM_CHECK(file->kind == SIM_EVENTFD, "read of a file of kind %d", (int)file->kind);
    int fault = sim_step(SIM_CALL_EVENT_READ);
    if (fault)
        return fail(fault);
    if (file->counter == 0)
        return fail(EAGAIN);
    memcpy(buffer, &file->counter, sizeof(file->counter));
    file->counter = 0;
    return sizeof(file->counter);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
    if (!is_ours(fd))
        return __real_write(fd, bytes, length);
    struct sim_file *file = file_of(fd, "write");
    if (file->kind == SIM_TCP)
        return __wrap_send(fd, bytes, length, 0);
    SIM_CHECK(file->kind == SIM_EVENTFD, "write to a file of kind %d", (int)file->kind);
    uint64_t amount;
    sim_step(SIM_CALL_EVENT_WRITE);
    memcpy(&amount, bytes, sizeof(amount));
    file->counter += amount;
    sim_file_wake(file, EPOLLIN);
    return sizeof(amount);
}

/* ---- sockets ---- */

int __wrap_socket(int family, int type, int protocol)
{
    static const struct sim_tcp_sizes sizes = {65536, 65536};

    if (!sim_is_running())
        return __real_socket(family, type, protocol);
    int fault = sim_step(SIM_CALL_SOCKET);
    if (fault)
        return fail(fault);
    if ((type & 0xf) == SOCK_DGRAM)
        return sim_fd_open(sim_file_make(SIM_DATAGRAM));
    struct sim_file *file = sim_file_make(SIM_TCP);
    file->tcp = sim_tcp_make(sizes);
    file->is_nonblocking = type & SOCK_NONBLOCK;
    sim_tcp_attach(file->tcp, file);
    return sim_fd_open(file);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    if (!is_ours(fd))
        return __real_bind(fd, address, length);
    int fault = sim_step(SIM_CALL_BIND);
    return fault ? fail(fault) : 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    if (!is_ours(fd))
        return __real_connect(fd, address, length);
    int fault = sim_step(SIM_CALL_CONNECT);
    if (fault && fault != SIM_FAULT_AT_ONCE)
        return fail(fault);
    if (file_of(fd, "connect")->kind == SIM_DATAGRAM)
        return 0;
    SIM_CHECK(file_of(fd, "connect")->is_nonblocking, "a connect that blocks");
    return (int)result(sim_tcp_connect(tcp_of(fd, "connect"), address, fault));
}

static socklen_t address_length(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void give_address(const struct sockaddr_storage *from, struct sockaddr *to,
                         socklen_t *length)
{
    if (to == NULL)
        return;
    memcpy(to, from, *length < address_length(from) ? *length : address_length(from));
    *length = address_length(from);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    if (!is_ours(fd))
        return __real_accept4(fd, address, length, flags);
    int fault = sim_step(SIM_CALL_ACCEPT);
    if (fault)
        return fail(fault);
    struct sim_tcp *end = sim_listener_take(file_of(fd, "accept4"));
    if (end == NULL)
        return fail(EAGAIN);
    struct sim_file *file = sim_file_make(SIM_TCP);
    file->tcp = end;
    file->is_nonblocking = flags & SOCK_NONBLOCK;
    sim_tcp_attach(end, file);
    give_address(sim_tcp_name(end, true), address, length);
    return sim_fd_open(file);
}

static int socket_name(int fd, struct sockaddr *address, socklen_t *length, bool is_peer)
{
    int fault = sim_step(SIM_CALL_SOCKET_NAME);

    if (fault)
        return fail(fault);
    give_address(sim_tcp_name(tcp_of(fd, "getsockname"), is_peer), address, length);
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    if (!is_ours(fd))
        return __real_getsockname(fd, address, length);
    return socket_name(fd, address, length, false);
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    if (!is_ours(fd))
        return __real_getpeername(fd, address, length);
    return socket_name(fd, address, length, true);
}

/* Both ends learn of it: what stood between them forgot the connection. */
static void reset_both(struct sim_tcp *end)
{
    struct sim_tcp *peer = sim_tcp_peer(end);

    sim_tcp_break(end, ECONNRESET);
    if (peer != NULL)
        sim_tcp_break(peer, ECONNRESET);
}

/* Makes the fault true for the connection. 0: go on with `*length` bytes; else the errno. */
static int strike(struct sim_tcp *end, int fault, bool is_read, size_t *length)
{
    switch (fault) {
    case 0:
        return 0;
    case SIM_FAULT_SHORT:
        *length = *length > 1 ? 1 : *length;
        return 0;
    case SIM_FAULT_AGAIN:
        if (is_read)
            sim_tcp_hold_receive(end);
        else
            sim_tcp_hold_send(end);
        return 0;
    case SIM_FAULT_RESET:
        reset_both(end);
        return 0;
    case SIM_FAULT_MARK:
        *length = sim_tcp_has_fin(end) ? 0 : *length;
        return 0;
    case EPIPE:
    case ETIMEDOUT:
        sim_tcp_break(end, fault);
        sim_tcp_take_error(end);
        return fault;
    default:
        return fault;
    }
}

/* After a short call: the rest becomes possible later. */
static void hold_rest(struct sim_tcp *end, int fault, bool is_read)
{
    if (fault != SIM_FAULT_SHORT)
        return;
    if (is_read) {
        sim_tcp_hold_receive(end);
    } else {
        sim_tcp_hold_send(end);
        sim_tcp_poll(end); /* notes that somebody waits for room */
    }
}

ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
    if (!is_ours(fd))
        return __real_recv(fd, buffer, size, flags);
    SIM_CHECK(flags == 0 || flags == MSG_PEEK || flags == MSG_TRUNC, "recv with flags %#x", flags);
    struct sim_tcp *end = tcp_of(fd, "recv");
    int fault = sim_step(flags == MSG_PEEK    ? SIM_CALL_PEEK
                         : flags == MSG_TRUNC ? SIM_CALL_SKIP
                                              : SIM_CALL_RECV);
    int error = strike(end, fault, true, &size);
    if (error)
        return fail(error);
    if (flags == MSG_PEEK)
        return result(sim_tcp_peek(end, buffer, size));
    ssize_t count = sim_tcp_read(end, buffer, size);
    if (flags == 0)
        hold_rest(end, fault, true);
    return result(count);
}

ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags)
{
    if (!is_ours(fd))
        return __real_send(fd, bytes, length, flags);
    SIM_CHECK(flags & MSG_NOSIGNAL, "send without MSG_NOSIGNAL");
    bool is_urgent = flags & MSG_OOB;
    struct sim_tcp *end = tcp_of(fd, "send");
    int fault = sim_step(SIM_CALL_SEND);
    int error = strike(end, fault, false, &length);
    if (error)
        return fail(error);
    ssize_t count =
        is_urgent ? sim_tcp_write_urgent(end, bytes, length) : sim_tcp_write(end, bytes, length);
    hold_rest(end, fault, false);
    return result(count);
}

int __wrap_shutdown(int fd, int how)
{
    if (!is_ours(fd))
        return __real_shutdown(fd, how);
    struct sim_tcp *end = tcp_of(fd, "shutdown");
    int fault = sim_step(SIM_CALL_SHUTDOWN);
    if (fault == SIM_FAULT_RESET)
        reset_both(end);
    else if (fault == ENOTCONN)
        sim_tcp_break(end, ETIMEDOUT);
    return (int)result(sim_tcp_shutdown(end, how));
}

int __wrap_close(int fd)
{
    if (!is_ours(fd))
        return __real_close(fd);
    int fault = sim_step(SIM_CALL_CLOSE);
    sim_fd_close(fd);
    return fault ? fail(fault) : 0;
}

static int set_linger(struct sim_file *file, const struct linger *linger)
{
    int fault = sim_step(SIM_CALL_LINGER);

    if (fault)
        return fail(fault);
    SIM_CHECK(!linger->l_onoff || linger->l_linger == 0, "only a linger time of 0 is simulated");
    file->is_linger_zero = linger->l_onoff;
    return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    if (!is_ours(fd))
        return __real_setsockopt(fd, level, name, value, length);
    if (level == SOL_SOCKET && name == SO_LINGER)
        return set_linger(file_of(fd, "setsockopt"), value);
    if (level == SOL_SOCKET && name == SO_OOBINLINE) {
        sim_step(SIM_CALL_URGENT_INLINE);
        sim_tcp_read_urgent_inline(tcp_of(fd, "setsockopt"), *(const int *)value);
        return 0;
    }
    file_of(fd, "setsockopt");
    int fault = sim_step(SIM_CALL_SOCKET_OPTION);
    return fault ? fail(fault) : 0;
}

static int memory_info(const struct sim_tcp *end, uint32_t *values, size_t size)
{
    int fault = sim_step(SIM_CALL_MEMORY_INFO);

    if (fault)
        return fail(fault);
    memset(values, 0, size);
    values[SK_MEMINFO_SNDBUF] = (uint32_t)sim_tcp_send_size(end);
    values[SK_MEMINFO_WMEM_QUEUED] = (uint32_t)sim_tcp_send_used(end);
    return 0;
}

int __wrap_poll(struct pollfd *asked, nfds_t count, int timeout_ms)
{
    if (count != 1 || !is_ours(asked->fd))
        return __real_poll(asked, count, timeout_ms);
    SIM_CHECK(timeout_ms == 0, "poll with a timeout of %d", timeout_ms);
    sim_step(SIM_CALL_POLL);
    uint32_t now = sim_file_poll(file_of(asked->fd, "poll"));
    asked->revents = (short)(now & ((uint32_t)asked->events | EPOLLERR | EPOLLHUP));
    return asked->revents != 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    if (!is_ours(fd))
        return __real_getsockopt(fd, level, name, value, length);
    if (level == SOL_SOCKET && name == SO_MEMINFO)
        return memory_info(tcp_of(fd, "getsockopt"), value, *length);
    SIM_CHECK(level == SOL_SOCKET && name == SO_ERROR, "getsockopt %d %d", level, name);
    sim_step(SIM_CALL_SOCKET_ERROR);
    *(int *)value = sim_tcp_take_error(tcp_of(fd, "getsockopt"));
    return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    int *value = va_arg(arguments, int *);
    va_end(arguments);
    if (!is_ours(fd))
        return __real_ioctl(fd, request, value);
    SIM_CHECK(request == SIOCOUTQ, "ioctl %#lx", request);
    int fault = sim_step(SIM_CALL_OUTQ);
    if (fault)
        return fail(fault);
    *value = (int)sim_tcp_unsent(tcp_of(fd, "ioctl"));
    return 0;
}

/* ---- pipes ---- */

int __wrap_pipe2(int fds[2], int flags)
{
    if (!sim_is_running())
        return __real_pipe2(fds, flags);
    int fault = sim_step(SIM_CALL_PIPE);
    if (fault)
        return fail(fault);
    struct sim_file *reader = sim_file_make(SIM_PIPE_READ), *writer = sim_file_make(SIM_PIPE_WRITE);
    reader->pipe = writer->pipe = sim_pipe_make();
    reader->is_nonblocking = writer->is_nonblocking = flags & O_NONBLOCK;
    fds[0] = sim_fd_open(reader);
    fds[1] = sim_fd_open(writer);
    return 0;
}

static int control_file(int fd, int command, void *argument)
{
    struct sim_file *file = file_of(fd, "fcntl");
    int fault;

    switch (command) {
    case F_SETPIPE_SZ:
        fault = sim_step(SIM_CALL_PIPE_SIZE);
        return fault ? fail(fault)
                     : (int)result(sim_pipe_resize(file->pipe, (size_t)(uintptr_t)argument));
    case F_GETPIPE_SZ:
        return (int)sim_pipe_size(file->pipe);
    case F_DUPFD_CLOEXEC:
        fault = sim_step(SIM_CALL_DUPLICATE);
        return fault ? fail(fault) : sim_fd_duplicate(fd);
    case F_GETFL:
        return file->is_nonblocking ? O_NONBLOCK : 0;
    default:
        sim_die("fcntl %d", command);
    }
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return is_ours(fd) ? control_file(fd, command, argument) : __real_fcntl(fd, command, argument);
}

int __wrap_fcntl64(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return is_ours(fd) ? control_file(fd, command, argument)
                       : __real_fcntl64(fd, command, argument);
}

ssize_t __wrap_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t length,
                      unsigned flags)
{
    if (!is_ours(in))
        return __real_splice(in, in_at, out, out_at, length, flags);
    struct sim_file *from = file_of(in, "splice"), *to = file_of(out, "splice");
    bool is_read = to->kind == SIM_PIPE_WRITE;
    SIM_CHECK(is_read ? from->kind == SIM_TCP : from->kind == SIM_PIPE_READ && to->kind == SIM_TCP,
              "splice between kinds %d and %d", (int)from->kind, (int)to->kind);
    struct sim_tcp *end = is_read ? from->tcp : to->tcp;
    int fault = sim_step(is_read ? SIM_CALL_SPLICE_IN : SIM_CALL_SPLICE_OUT);
    int error = strike(end, fault, is_read, &length);
    if (error)
        return fail(error);
    ssize_t count = is_read ? sim_pipe_splice_in(to->pipe, end, length)
                            : sim_pipe_splice_out(from->pipe, end, length);
    hold_rest(end, fault, is_read);
    return result(count);
}

/* ---- files: only the reserve descriptor opens one ---- */

static int open_file(const char *path)
{
    int fault = sim_step(SIM_CALL_OPEN);

    if (fault)
        return fail(fault);
    SIM_CHECK(strcmp(path, "/dev/null") == 0, "open of %s", path);
    return sim_fd_open(sim_file_make(SIM_NULL));
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    return sim_is_running() ? open_file(path) : __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    return sim_is_running() ? open_file(path) : __real_open64(path, flags, mode);
}
