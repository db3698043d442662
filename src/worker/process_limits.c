/* Descriptors are divided in advance, so that tunnels, the admin page and pipes never take each
 * other's. A reserve and the shares of the admin page and of the pipes are taken off first. Each
 * tunnel needs two of the rest.
 *
 * Linux limits the memory of all pipes of one user. adit takes pipes of 1 MiB each until that is
 * used up, but leaves a quarter of it to other programs of the same user.
 */
#include "worker/process_limits.h"

#include "admin/http_server.h"
#include "config/command_line.h"
#include "system/cpu_quota.h"
#include "tunnel/pipe_pool.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    RESERVE_MAX = 64,   /* listeners, loops, name servers, the control socket, refusals */
    PIPES_DEFAULT = 48, /* three quarters of what Linux grants an ordinary user */
    PIPES_MAX = 256,    /* 256 MiB of the kernel's memory at worst */
    DESCRIPTORS_DEFAULT = 1024,
    PIPE_DESCRIPTORS = 2,
    PIPES_SHARE = 32,       /* a pipe per 32 descriptors: at most a sixteenth are for pipes */
    PIPE_PAGE_BYTES = 4096, /* the unit of pipe-user-pages-soft */
};

void process_open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

void process_widen_descriptors(uint64_t descriptors)
{
    /* So many descriptors take 512 KiB of the kernel's memory. A process that needs more has only
     * four more doublings ahead of it up to a million. */
    enum { WIDTH_MAX = 65536 };
    uint64_t width = descriptors < WIDTH_MAX ? descriptors : WIDTH_MAX;
    int fd = width > 0 ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)(width - 1)) : -1;

    if (fd >= 0)
        close(fd); /* the kernel does not make the table smaller again */
}

static uint64_t reserve_of(uint64_t descriptors)
{
    return descriptors / 2 < RESERVE_MAX ? descriptors / 2 : RESERVE_MAX;
}

unsigned process_limits_admin(uint64_t descriptors)
{
    return descriptors / 8 < HTTP_SERVER_CONNECTIONS_MAX ? (unsigned)(descriptors / 8)
                                                         : HTTP_SERVER_CONNECTIONS_MAX;
}

uint32_t process_limits_connections(uint64_t descriptors, unsigned pipes)
{
    uint64_t kept = reserve_of(descriptors) + process_limits_admin(descriptors) +
                    (uint64_t)PIPE_DESCRIPTORS * pipes;
    uint64_t count = (descriptors - kept) / 2;

    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

unsigned process_limits_pipes(uint64_t descriptors, long soft_pages)
{
    uint64_t pipes = PIPES_DEFAULT;

    if (soft_pages == 0)
        pipes = PIPES_MAX;
    else if (soft_pages > 0)
        pipes = (uint64_t)soft_pages * PIPE_PAGE_BYTES / PIPE_BYTES * 3 / 4;
    if (pipes > descriptors / PIPES_SHARE)
        pipes = descriptors / PIPES_SHARE;
    return pipes < PIPES_MAX ? (unsigned)pipes : PIPES_MAX;
}

static long read_soft_pages(void)
{
    char text[32];
    int fd = open("/proc/sys/fs/pipe-user-pages-soft", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    return strtol(text, NULL, 10);
}

void process_limits_read(struct process_limits *ret_limits)
{
    struct rlimit limit = {.rlim_cur = DESCRIPTORS_DEFAULT, .rlim_max = DESCRIPTORS_DEFAULT};

    /* Neither call can fail with these arguments. If one fails all the same, adit assumes the usual
     * limit. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        rlim_t soft = limit.rlim_cur;

        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            limit.rlim_cur = soft;
    }
    ret_limits->descriptors = limit.rlim_cur;
    ret_limits->admin_connections = process_limits_admin(limit.rlim_cur);
    ret_limits->pipes = process_limits_pipes(limit.rlim_cur, read_soft_pages());
    ret_limits->connections = process_limits_connections(limit.rlim_cur, ret_limits->pipes);
}

unsigned process_count_cores(void)
{
    enum { CPUS_MAX = 4096 };
    unsigned quota = cpu_quota_read("");
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    cpu_set_t *cpus = CPU_ALLOC(CPUS_MAX);
    int count = 0;

    if (cpus != NULL && sched_getaffinity(0, size, cpus) == 0)
        count = CPU_COUNT_S(size, cpus);
    CPU_FREE(cpus);
    if (count < 1)
        return 1;
    if (quota > 0 && quota < (unsigned)count)
        return quota;
    return count < COMMAND_LINE_WORKERS_MAX ? (unsigned)count : COMMAND_LINE_WORKERS_MAX;
}
