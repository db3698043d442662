/* The simulated kernel held against the real one: the same script runs on both, over a pair of
 * connected sockets that one edge-triggered epoll set watches, and must leave the same transcript.
 *
 * Scripts are drawn by seed: writes, urgent ones too, reads, FIN, resets, closes and splices at
 * either end, urgent bytes read inline or not, with a look at epoll after each. Amounts stay far
 * below any buffer, whose sizes are no business of ours; how a full buffer behaves has scripts of
 * its own, which note what happens and not how many bytes it took.
 */
#include "sim_kernel.h"
#include "sim_wrap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRANSCRIPT_SIZE = 65536, SEEDS = 2000, OPERATIONS = 24, BULK = 1 << 20, LATE_MS = 20000 };

/* The calls under test, of either kernel. */
struct kernel {
    const char *name;
    int (*epoll_create1)(int);
    int (*epoll_ctl)(int, int, int, struct epoll_event *);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
    ssize_t (*recv)(int, void *, size_t, int);
    ssize_t (*send)(int, const void *, size_t, int);
    int (*shutdown)(int, int);
    int (*close)(int);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
    int (*getsockopt)(int, int, int, void *, socklen_t *);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*pipe2)(int[2], int);
    ssize_t (*splice)(int, off64_t *, int, off64_t *, size_t, unsigned);
    void (*make_pair)(int ret_fds[2]);
    void (*hurry)(const int fds[2]);
};

struct bench {
    const struct kernel *kernel;
    int epoll, ends[2], pipe[2];
    int wait_ms; /* the real one may need a moment */
    bool is_shut[2];
    uint32_t seen[2]; /* the events before */
    uint64_t random;
    char *text;
    size_t length;
};

static void real_pair(int ret_fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int on = 1, listener = __real_socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(__real_bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(__real_getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ret_fds[0] = __real_socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(__real_connect(ret_fds[0], (struct sockaddr *)&address, length), 0);
    ret_fds[1] = __real_accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(ret_fds[1] >= 0);
    __real_fcntl(ret_fds[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 2; i++)
        __real_setsockopt(ret_fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    __real_close(listener);
}

/* An acknowledgement that is late brings its edge late. */
static void real_hurry(const int fds[2])
{
    int on = 1;

    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            __real_setsockopt(fds[i], IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }
}

static void sim_hurry(const int fds[2])
{
}

static void sim_pair(int ret_fds[2])
{
    sim_tcp_pair(ret_fds, (struct sim_tcp_sizes){65536, 65536});
}

#define KERNEL(prefix)                                                                             \
    .epoll_create1 = prefix##epoll_create1, .epoll_ctl = prefix##epoll_ctl,                        \
    .epoll_wait = prefix##epoll_wait, .recv = prefix##recv, .send = prefix##send,                  \
    .shutdown = prefix##shutdown, .close = prefix##close, .setsockopt = prefix##setsockopt,        \
    .getsockopt = prefix##getsockopt, .poll = prefix##poll, .pipe2 = prefix##pipe2,                \
    .splice = prefix##splice

static const struct kernel kernels[] = {
    {.name = "real", KERNEL(__real_), .make_pair = real_pair, .hurry = real_hurry},
    {.name = "sim", KERNEL(__wrap_), .make_pair = sim_pair, .hurry = sim_hurry},
};

static uint64_t draw(struct bench *bench, uint64_t limit)
{
    bench->random = bench->random * 6364136223846793005u + 1442695040888963407u;
    return (bench->random >> 33) % limit;
}

static void note(struct bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct bench *bench, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    bench->length += (size_t)vsnprintf(bench->text + bench->length, TRANSCRIPT_SIZE - bench->length,
                                       format, arguments);
    va_end(arguments);
    assert_true(bench->length < TRANSCRIPT_SIZE);
}

static void note_result(struct bench *bench, ssize_t count)
{
    if (count < 0)
        note(bench, " %s", strerrorname_np(errno));
    else
        note(bench, " %zd", count);
}

static void watch_end(struct bench *bench, int end)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                                .data.u32 = (uint32_t)end};
    note(bench, "watch %d:", end);
    note_result(bench,
                bench->kernel->epoll_ctl(bench->epoll, EPOLL_CTL_ADD, bench->ends[end], &event));
}

/* Once an end has sent its FIN, the FIN's acknowledgement is an edge that brings nothing new, and
 * may be 40 ms late. So from then on an end's events count only if they add to those before.
 */
static void forget_late_edges(struct bench *bench, uint32_t seen[2])
{
    for (int i = 0; i < 2; i++) {
        uint32_t before = bench->seen[i];

        if (seen[i] == 0)
            continue;
        if (seen[i] != EPOLLOUT)
            bench->seen[i] = seen[i];
        if (bench->is_shut[i] && (seen[i] & ~(before | EPOLLOUT)) == 0)
            seen[i] = 0;
    }
}

/* Events by end, since the order of two ready files says nothing. Until none comes any more: where
 * the real kernel is late for one end, it may have been in time for the other. */
static void look(struct bench *bench)
{
    struct epoll_event events[4];
    uint32_t seen[2] = {0, 0};
    int count;

    do {
        count = bench->kernel->epoll_wait(bench->epoll, events, 4, bench->wait_ms);
        for (int i = 0; i < count; i++)
            seen[events[i].data.u32] |= events[i].events;
    } while (count > 0 && bench->wait_ms > 0);
    forget_late_edges(bench, seen);
    note(bench, " | %x %x\n", seen[0], seen[1]);
}

static void bench_open(struct bench *bench, const struct kernel *kernel, uint64_t seed)
{
    *bench = (struct bench){.kernel = kernel, .random = seed * 77 + 5};
    bench->text = test_malloc(TRANSCRIPT_SIZE);
    bench->text[0] = 0;
    bench->epoll = kernel->epoll_create1(0);
    kernel->make_pair(bench->ends);
    assert_int_equal(kernel->pipe2(bench->pipe, O_NONBLOCK), 0);
}

static void bench_close(struct bench *bench)
{
    for (int i = 0; i < 2; i++) {
        if (bench->ends[i] >= 0)
            bench->kernel->close(bench->ends[i]);
        bench->kernel->close(bench->pipe[i]);
    }
    bench->kernel->close(bench->epoll);
}

static void do_send(struct bench *bench, int end)
{
    char bytes[300] = {0};
    size_t length = 1 + draw(bench, sizeof(bytes));
    int urgent = draw(bench, 4) == 0 ? MSG_OOB : 0;

    note(bench, "send %d %zu%s:", end, length, urgent ? " urgent" : "");
    note_result(bench, bench->kernel->send(bench->ends[end], bytes, length, MSG_NOSIGNAL | urgent));
}

static void do_receive(struct bench *bench, int end)
{
    char bytes[400];
    size_t size = 1 + draw(bench, sizeof(bytes));
    uint64_t choice = draw(bench, 4);
    int flags = choice == 0 ? MSG_PEEK : choice == 1 ? MSG_TRUNC : 0;

    note(bench, "receive %d %zu %x:", end, size, flags);
    note_result(bench, bench->kernel->recv(bench->ends[end], bytes, size, flags));
}

static void do_splice_in(struct bench *bench, int end)
{
    note(bench, "splice in %d:", end);
    ssize_t count = bench->kernel->splice(bench->ends[end], NULL, bench->pipe[1], NULL, 4096,
                                          SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    note_result(bench, count);
}

static void do_splice_out(struct bench *bench, int end)
{
    note(bench, "splice out %d:", end);
    ssize_t count = bench->kernel->splice(bench->pipe[0], NULL, bench->ends[end], NULL, 4096,
                                          SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    note_result(bench, count);
}

static void do_close(struct bench *bench, int end, bool is_reset)
{
    struct linger linger = {.l_onoff = 1};

    note(bench, "close %d%s:", end, is_reset ? " with a reset" : "");
    if (is_reset)
        bench->kernel->setsockopt(bench->ends[end], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    note_result(bench, bench->kernel->close(bench->ends[end]));
    bench->ends[end] = -1;
}

/* With both ends of a full buffer it is an operation of its own: to ask in vain is to wait. */
static void do_poll(struct bench *bench, int end)
{
    struct pollfd asked = {.fd = bench->ends[end], .events = POLLIN | POLLOUT | POLLPRI};

    bench->kernel->poll(&asked, 1, 0);
    note(bench, "poll %d: %x", end, (unsigned)asked.revents);
}

static void do_ask_error(struct bench *bench, int end)
{
    int error = -1;
    socklen_t length = sizeof(error);

    bench->kernel->getsockopt(bench->ends[end], SOL_SOCKET, SO_ERROR, &error, &length);
    note(bench, "error %d: %d", end, error);
}

static void operate(struct bench *bench)
{
    int end = (int)draw(bench, 2);
    uint64_t what = draw(bench, 100);

    bench->kernel->hurry(bench->ends);
    if (bench->ends[end] < 0)
        end = 1 - end;
    if (bench->ends[end] < 0)
        note(bench, "nothing:");
    else if (what < 30)
        do_send(bench, end);
    else if (what < 55)
        do_receive(bench, end);
    else if (what < 65)
        do_splice_in(bench, end);
    else if (what < 75)
        do_splice_out(bench, end);
    else if (what < 85) {
        note(bench, "shutdown %d:", end);
        note_result(bench, bench->kernel->shutdown(bench->ends[end], SHUT_WR));
        bench->is_shut[end] = true;
    } else if (what < 90) {
        do_ask_error(bench, end);
    } else if (what < 92)
        do_poll(bench, end);
    else
        do_close(bench, end, what >= 96);
    look(bench);
}

static void random_script(struct bench *bench)
{
    watch_end(bench, 0);
    watch_end(bench, 1);
    for (int end = 0; end < 2; end++) {
        int is_inline = (int)draw(bench, 2);

        note(bench, " inline %d", is_inline);
        bench->kernel->setsockopt(bench->ends[end], SOL_SOCKET, SO_OOBINLINE, &is_inline,
                                  sizeof(is_inline));
    }
    look(bench);
    for (int i = 0; i < OPERATIONS; i++)
        operate(bench);
}

/* Bytes written until EAGAIN, read until EAGAIN, with the edges; amounts are left out. */
static void full_buffer_script(struct bench *bench)
{
    static char bytes[65536];
    size_t sent = 0, received = 0;
    ssize_t count;

    watch_end(bench, 0);
    watch_end(bench, 1);
    look(bench);
    while ((count = bench->kernel->send(bench->ends[0], bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0)
        sent += (size_t)count;
    note(bench, "full:");
    note_result(bench, count);
    look(bench);
    look(bench);
    while ((count = bench->kernel->recv(bench->ends[1], bytes, sizeof(bytes), 0)) > 0 ||
           received < sent)
        received += count > 0 ? (size_t)count : 0;
    note(bench, "all came: %d", received == sent);
    look(bench);
    note(bench, "room again:");
    note(bench, " %d", bench->kernel->send(bench->ends[0], bytes, 10, MSG_NOSIGNAL) == 10);
    look(bench);
}

/* Not quite full: no write came short, and still room is an edge, for poll asked for it in vain. */
static void poll_in_vain_script(struct bench *bench)
{
    static char bytes[4096];
    struct pollfd asked = {.fd = bench->ends[0], .events = POLLOUT};
    bool is_short = false;
    size_t sent = 0, received = 0;

    watch_end(bench, 0);
    look(bench);
    while (bench->kernel->poll(&asked, 1, 0) == 1 && !is_short) {
        ssize_t count = bench->kernel->send(bench->ends[0], bytes, sizeof(bytes), MSG_NOSIGNAL);

        is_short = count < (ssize_t)sizeof(bytes);
        sent += is_short ? 0 : sizeof(bytes);
    }
    note(bench, "short: %d", is_short);
    look(bench);
    while (received < sent) {
        ssize_t count = bench->kernel->recv(bench->ends[1], bytes, sizeof(bytes), 0);

        received += count > 0 ? (size_t)count : 0;
    }
    note(bench, "all came");
    look(bench);
}

/* A reset with bytes in the sender's queue destroys them; with a FIN they come. */
static void overtaking_script(struct bench *bench, bool is_reset)
{
    static char bytes[BULK];
    size_t sent = 0, received = 0;
    ssize_t count;

    while ((count = bench->kernel->send(bench->ends[0], bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0)
        sent += (size_t)count;
    do_close(bench, 0, is_reset);
    for (int tries = 0; tries < LATE_MS; tries++) {
        count = bench->kernel->recv(bench->ends[1], bytes, sizeof(bytes), 0);
        if (count == 0 || (count < 0 && errno != EAGAIN))
            break;
        if (count > 0)
            received += (size_t)count;
        else
            usleep(1000);
    }
    note(bench, "end:");
    note_result(bench, count);
    note(bench, " all came: %d\n", received == sent);
}

/* Until what was sent has come to `end`; later than LATE_MS is not at all. */
static void wait_for_bytes(struct bench *bench, int end)
{
    char byte;

    for (int tries = 0; tries < LATE_MS; tries++) {
        if (bench->kernel->recv(bench->ends[end], &byte, 1, MSG_PEEK) == 1)
            return;
        usleep(1000);
    }
}

static void pipe_script(struct bench *bench)
{
    /* One byte at a time fills the pipe by its slots, and EAGAIN then is the pipe's. */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(bench->kernel->send(bench->ends[0], "x", 1, MSG_NOSIGNAL), 1);
        wait_for_bytes(bench, 1);
        do_splice_in(bench, 1);
    }
    do_receive(bench, 1);
    do_splice_out(bench, 1);
    do_splice_out(bench, 1);
    do_splice_in(bench, 1);
    note(bench, "\n");
}

static void script(struct bench *bench, int which)
{
    switch (which) {
    case 0:
        full_buffer_script(bench);
        break;
    case 1:
        overtaking_script(bench, false);
        break;
    case 2:
        overtaking_script(bench, true);
        break;
    case 3:
        pipe_script(bench);
        break;
    case 4:
        poll_in_vain_script(bench);
        break;
    default:
        random_script(bench);
    }
}

static void transcribe(struct bench benches[2], int which, uint64_t seed, int real_wait_ms)
{
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            sim_start(&(struct sim_plan){0});
        bench_open(&benches[i], &kernels[i], seed);
        benches[i].wait_ms = i == 0 ? real_wait_ms : 0;
        script(&benches[i], which);
        bench_close(&benches[i]);
        if (i == 1)
            sim_finish();
    }
}

/* On a busy machine the real kernel may be late; before the two count as different it gets time. */
static void compare(int which, uint64_t seed)
{
    static const int waits_ms[] = {0, 5, 50, 250};
    bool is_same = false;

    for (size_t try = 0; try < ARRAY_LENGTH(waits_ms) && !is_same; try++) {
        struct bench benches[2];
        bool is_last = try + 1 == ARRAY_LENGTH(waits_ms);

        transcribe(benches, which, seed, waits_ms[try]);
        is_same = strcmp(benches[0].text, benches[1].text) == 0;
        if (!is_same && is_last)
            print_error("seed %llu\n-- real\n%s-- sim\n%s", (unsigned long long)seed,
                        benches[0].text, benches[1].text);
        test_free(benches[0].text);
        test_free(benches[1].text);
    }
    assert_true(is_same);
}

static void random_scripts_agree(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        compare(5, seed);
}

static void full_buffer_agrees(void **state)
{
    compare(0, 1);
}

static void poll_in_vain_agrees(void **state)
{
    compare(4, 1);
}

static void fin_behind_bytes_agrees(void **state)
{
    compare(1, 1);
}

static void reset_over_bytes_agrees(void **state)
{
    compare(2, 1);
}

static void full_pipe_agrees(void **state)
{
    compare(3, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_scripts_agree),    cmocka_unit_test(full_buffer_agrees),
        cmocka_unit_test(fin_behind_bytes_agrees), cmocka_unit_test(reset_over_bytes_agrees),
        cmocka_unit_test(full_pipe_agrees),        cmocka_unit_test(poll_in_vain_agrees),
    };

    /* splice raises it, as the program under test knows. */
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
