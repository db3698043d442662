/* Time, events, faults, memory, descriptors of the simulated kernel.
 *
 * Time passes in sim_wait (epoll_wait): to the next event or to the caller's timeout, whichever
 * comes first; besides, each call costs a microsecond, so that a busy program can't stop the clock.
 * Events of one moment happen in the order in which they were planned: a run is the same each time.
 */
#include "sim_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EVENTS_MAX = 512, BLOCKS_MAX = 2048, NS_PER_US = 1000, NS_PER_MS = 1000000 };

/* Loop time begins here, so that "0" and "a while ago" are bugs that show. */
static const uint64_t start_ns = 5000ull * 1000 * NS_PER_MS;

struct event {
    uint64_t at_ns;
    uint64_t order;
    void (*run)(void *self);
    void *self;
};

struct block {
    void *memory;
    size_t size;
    unsigned step;
};

static struct {
    bool is_running;
    struct sim_plan plan;
    uint64_t random;
    unsigned step;
    unsigned injected;
    bool are_benign, are_local;
    unsigned char trace[SIM_STEPS_MAX];

    uint64_t now_ns;
    uint64_t order;
    struct event events[EVENTS_MAX];
    unsigned event_count;
    bool is_quiet;
    unsigned waits;

    struct sim_file *files[SIM_FDS];

    struct block blocks[BLOCKS_MAX];
    size_t allocated, peak;
} sim;

static const char *const call_names[] = {
#define SIM_CALL(suffix, ...) #suffix,
#include "sim_calls.def"
#undef SIM_CALL
};
static_assert(ARRAY_LENGTH(call_names) == SIM_CALL_COUNT, "a name a call");

static const int call_faults[][12] = {
#define SIM_CALL(suffix, ...) {__VA_ARGS__, 0},
#include "sim_calls.def"
#undef SIM_CALL
};
static_assert(ARRAY_LENGTH(call_faults) == SIM_CALL_COUNT, "a row a call");

static const char *const fault_names[] = {
    "short",  "again",       "reset",        "event",       "at-once",        "mark",
    "lookup", "ares-memory", "ares-refused", "ares-silent", "ares-malformed",
};
static_assert(ARRAY_LENGTH(fault_names) == SIM_FAULT_END - SIM_FAULT_SHORT, "a name a fault");

void sim_die(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "sim: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (at step %u)\n", sim.step);
    abort();
}

/* ---- the whole ---- */

void sim_start(const struct sim_plan *plan)
{
    SIM_CHECK(!sim.is_running, "started twice");
    sim.plan = *plan;
    sim.random = plan->seed * 0x9e3779b97f4a7c15u + 1;
    sim.step = 0;
    sim.injected = 0;
    sim.are_benign = sim.are_local = true;
    sim.now_ns = start_ns;
    sim.order = 0;
    sim.event_count = 0;
    sim.is_quiet = false;
    sim.waits = 0;
    sim.allocated = sim.peak = 0;
    sim.is_running = true;
}

void sim_finish(void)
{
    sim.is_running = false;
    for (unsigned i = 0; i < SIM_FDS; i++) {
        if (sim.files[i] != NULL)
            sim_fd_close(SIM_FD_FIRST + (int)i);
    }
    sim_tcp_reset_all();
    sim_pipes_reset();
    memset(sim.blocks, 0, sizeof(sim.blocks));
}

bool sim_is_running(void)
{
    return sim.is_running;
}

/* xorshift64* */
uint64_t sim_random(void)
{
    sim.random ^= sim.random >> 12;
    sim.random ^= sim.random << 25;
    sim.random ^= sim.random >> 27;
    return sim.random * 0x2545f4914f6cdd1du;
}

/* ---- faults ---- */

unsigned sim_steps(void)
{
    return sim.step;
}

enum sim_call sim_step_call(unsigned step)
{
    return sim.trace[step];
}

const char *sim_call_name(enum sim_call call)
{
    return call_names[call];
}

const int *sim_call_faults(enum sim_call call)
{
    return call_faults[call];
}

const char *sim_fault_name(int fault)
{
    if (fault >= SIM_FAULT_SHORT && fault < SIM_FAULT_END)
        return fault_names[fault - SIM_FAULT_SHORT];
    return strerrorname_np(fault);
}

int sim_fault_parse(const char *name)
{
    for (int fault = 1; fault < SIM_FAULT_END; fault++) {
        const char *known = sim_fault_name(fault);

        if (known != NULL && strcmp(known, name) == 0)
            return fault;
    }
    return 0;
}

static bool is_benign(enum sim_call call, int fault)
{
    switch (call) {
    case SIM_CALL_SOCKET_OPTION:
    case SIM_CALL_PIPE:
    case SIM_CALL_PIPE_READ:
    case SIM_CALL_PIPE_SIZE:
    case SIM_CALL_MEMORY_INFO:
    case SIM_CALL_EPOLL_WAIT:
    case SIM_CALL_CLOSE:
    case SIM_CALL_EVENT_READ:
        return true;
    case SIM_CALL_SPLICE_IN:
        /* Where splice does not work at all, it fails with its first call: copy then. */
        if (fault == EINVAL || fault == ENOMEM)
            return true;
        break;
    default:
        break;
    }
    return fault == SIM_FAULT_SHORT || fault == SIM_FAULT_AGAIN || fault == SIM_FAULT_AT_ONCE ||
           fault == SIM_FAULT_EVENT || fault == SIM_FAULT_MARK;
}

static bool is_local(enum sim_call call)
{
    switch (call) {
    case SIM_CALL_MALLOC:
    case SIM_CALL_EPOLL_WAIT:
    case SIM_CALL_SOCKET:
    case SIM_CALL_BIND:
    case SIM_CALL_CONNECT:
    case SIM_CALL_PIPE:
    case SIM_CALL_PIPE_SIZE:
    case SIM_CALL_SOCKET_OPTION:
    case SIM_CALL_RESOLVER_ASK:
    case SIM_CALL_RESOLVER_ANSWER:
        return true;
    default:
        return false;
    }
}

static int draw_fault(enum sim_call call)
{
    unsigned count = 0;

    if (sim_random() % 10000 >= sim.plan.fault_rate)
        return 0;
    while (call_faults[call][count] != 0)
        count++;
    return count == 0 ? 0 : call_faults[call][sim_random() % count];
}

int sim_step(enum sim_call call)
{
    int fault = 0;

    sim.step++;
    SIM_CHECK(sim.step < SIM_STEPS_MAX, "too many steps: a livelock?");
    sim.trace[sim.step] = (unsigned char)call;
    sim_pass_us(1);
    if (sim.step == sim.plan.fault_step)
        fault = sim.plan.fault;
    else if (sim.plan.fault_rate > 0)
        fault = draw_fault(call);
    if (fault == 0)
        return 0;
    sim.injected++;
    sim.are_benign &= is_benign(call, fault);
    sim.are_local &= is_local(call);
    if (sim.plan.is_verbose)
        fprintf(stderr, "  step %u: %s %s\n", sim.step, sim_call_name(call), sim_fault_name(fault));
    if (fault != SIM_FAULT_EVENT)
        return fault;
    sim_run_next_event();
    return 0;
}

unsigned sim_faults_injected(void)
{
    return sim.injected;
}

bool sim_faults_are_benign(void)
{
    return sim.are_benign;
}

bool sim_faults_are_local(void)
{
    return sim.are_local;
}

/* ---- memory ---- */

static struct block *block_of(void *memory)
{
    size_t start = ((uintptr_t)memory >> 4) * 0x9e3779b97f4a7c15u % BLOCKS_MAX;

    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        struct block *block = &sim.blocks[(start + i) % BLOCKS_MAX];

        if (block->memory == memory)
            return block;
        if (block->memory == NULL)
            break;
    }
    return NULL;
}

static struct block *free_block_for(void *memory)
{
    size_t start = ((uintptr_t)memory >> 4) * 0x9e3779b97f4a7c15u % BLOCKS_MAX;

    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        struct block *block = &sim.blocks[(start + i) % BLOCKS_MAX];

        if (block->memory == NULL || block->memory == &sim)
            return block;
    }
    sim_die("too many blocks of memory");
}

void sim_memory_note(void *memory, size_t size)
{
    *free_block_for(memory) = (struct block){memory, size, sim.step};
    sim.allocated += size;
    if (sim.allocated > sim.peak)
        sim.peak = sim.allocated;
}

/* A block that was made before the simulation began is not ours: harmless. The mark that stays
 * behind keeps the probing of block_of whole. */
size_t sim_memory_forget(void *memory)
{
    struct block *block = block_of(memory);

    if (block == NULL)
        return 0;
    size_t size = block->size;
    sim.allocated -= size;
    *block = (struct block){&sim, 0, 0};
    return size;
}

size_t sim_allocated_bytes(void)
{
    return sim.allocated;
}

size_t sim_allocated_peak(void)
{
    return sim.peak;
}

void sim_print_leaks(void)
{
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        const struct block *block = &sim.blocks[i];

        if (block->memory != NULL && block->memory != &sim)
            fprintf(stderr, "  %zu bytes allocated at step %u\n", block->size, block->step);
    }
    for (unsigned i = 0; i < SIM_FDS; i++) {
        if (sim.files[i] != NULL)
            fprintf(stderr, "  descriptor %d, kind %d\n", SIM_FD_FIRST + (int)i,
                    (int)sim.files[i]->kind);
    }
}

/* ---- time and events ---- */

uint64_t sim_now_ns(void)
{
    return sim.now_ns;
}

uint64_t sim_now_ms(void)
{
    return sim.now_ns / NS_PER_MS;
}

void sim_pass_us(uint64_t us)
{
    sim.now_ns += us * NS_PER_US;
}

void sim_after(uint64_t delay_us, void (*run)(void *self), void *self)
{
    SIM_CHECK(sim.event_count < EVENTS_MAX, "too many events");
    sim.events[sim.event_count++] =
        (struct event){sim.now_ns + delay_us * NS_PER_US, sim.order++, run, self};
}

static struct event *next_event(void)
{
    struct event *best = NULL;

    for (unsigned i = 0; i < sim.event_count; i++) {
        struct event *event = &sim.events[i];

        if (best == NULL || event->at_ns < best->at_ns ||
            (event->at_ns == best->at_ns && event->order < best->order))
            best = event;
    }
    return best;
}

bool sim_run_next_event(void)
{
    struct event *event = next_event();

    if (event == NULL)
        return false;
    struct event taken = *event;
    *event = sim.events[--sim.event_count];
    if (taken.at_ns > sim.now_ns)
        sim.now_ns = taken.at_ns;
    taken.run(taken.self);
    return true;
}

int sim_wait(struct sim_epoll *epoll, struct epoll_event *events, int count, int64_t timeout_ms)
{
    uint64_t until_ns = timeout_ms < 0 ? UINT64_MAX : sim.now_ns + (uint64_t)timeout_ms * NS_PER_MS;

    sim.waits++;
    sim_pass_us(10);
    sim.is_quiet = false;
    for (;;) {
        struct event *event = next_event();

        while (event != NULL && event->at_ns <= sim.now_ns) {
            sim_run_next_event();
            event = next_event();
        }
        int found = sim_epoll_collect(epoll, events, count);
        if (found > 0)
            return found;
        if (event != NULL && event->at_ns <= until_ns) {
            sim_run_next_event();
            continue;
        }
        sim.is_quiet = until_ns == UINT64_MAX;
        if (!sim.is_quiet && until_ns > sim.now_ns)
            sim.now_ns = until_ns;
        return 0;
    }
}

bool sim_is_quiet(void)
{
    return sim.is_quiet;
}

unsigned sim_waits(void)
{
    return sim.waits;
}

/* ---- descriptors ---- */

struct sim_file *sim_file_make(enum sim_file_kind kind)
{
    struct sim_file *file = __real_calloc(1, sizeof(*file));

    SIM_CHECK(file != NULL, "out of real memory");
    file->kind = kind;
    return file;
}

int sim_fd_open(struct sim_file *file)
{
    for (unsigned i = 0; i < SIM_FDS; i++) {
        if (sim.files[i] == NULL) {
            sim.files[i] = file;
            file->references++;
            return SIM_FD_FIRST + (int)i;
        }
    }
    sim_die("too many descriptors");
}

struct sim_file *sim_file_at(int fd)
{
    if (fd < SIM_FD_FIRST || fd >= SIM_FD_FIRST + SIM_FDS)
        return NULL;
    return sim.files[fd - SIM_FD_FIRST];
}

int sim_fd_duplicate(int fd)
{
    return sim_fd_open(sim_file_at(fd));
}

static void file_end(struct sim_file *file)
{
    sim_file_forget(file);
    switch (file->kind) {
    case SIM_TCP:
        sim_tcp_attach(file->tcp, NULL);
        sim_tcp_close(file->tcp, file->is_linger_zero);
        break;
    case SIM_LISTENER:
        sim_listener_close(file);
        break;
    case SIM_EPOLL:
        sim_epoll_free(file->epoll);
        break;
    case SIM_PIPE_READ:
    case SIM_PIPE_WRITE:
        sim_pipe_close(file->pipe, file->kind == SIM_PIPE_WRITE);
        break;
    case SIM_EVENTFD:
    case SIM_DATAGRAM:
    case SIM_NULL:
        break;
    }
    __real_free(file);
}

int sim_fd_close(int fd)
{
    struct sim_file *file = sim_file_at(fd);

    SIM_CHECK(file != NULL, "close of descriptor %d, which is not open", fd);
    sim.files[fd - SIM_FD_FIRST] = NULL;
    if (--file->references == 0)
        file_end(file);
    return 0;
}

unsigned sim_open_descriptors(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SIM_FDS; i++)
        count += sim.files[i] != NULL;
    return count;
}
