/* With Linux 6.2 and later, the size of /proc/self/fd is the number of descriptors; with older
 * kernels, they must be listed, which takes longer.
 */
#include "observe/process_figures.h"

#include "observe/logfmt.h"
#include "system/clock.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void process_meter_open(struct process_meter *meter)
{
    *meter = (struct process_meter){
        .statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
        .fd_folder_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .started_wall_ms = clock_wall_ms(),
    };
}

void process_meter_close(struct process_meter *meter)
{
    if (meter->statm_fd >= 0)
        close(meter->statm_fd);
    if (meter->fd_folder_fd >= 0)
        close(meter->fd_folder_fd);
}

static uint64_t read_resident(int statm_fd)
{
    char text[128];
    ssize_t length = pread(statm_fd, text, sizeof(text) - 1, 0);
    char *second;

    if (length <= 0)
        return 0;
    text[length] = '\0';
    (void)strtoull(text, &second, 10);
    return strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* As getdents64 has them. */
struct figure_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static uint64_t list_fds(int folder_fd)
{
    _Alignas(struct figure_entry) char bytes[16384];
    uint64_t count = 0;
    long length;

    if (lseek(folder_fd, 0, SEEK_SET) < 0)
        return 0;
    while ((length = syscall(SYS_getdents64, folder_fd, bytes, sizeof(bytes))) > 0) {
        for (const char *at = bytes; at < bytes + length;) {
            const struct figure_entry *entry = (const void *)at;
            count += entry->name[0] != '.';
            at += entry->length;
        }
    }
    return count;
}

static uint64_t count_fds(int folder_fd)
{
    struct stat status;

    if (folder_fd < 0 || fstat(folder_fd, &status) < 0)
        return 0;
    return status.st_size > 0 ? (uint64_t)status.st_size : list_fds(folder_fd);
}

static uint64_t ms_of(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_usec / 1000;
}

void process_meter_read(const struct process_meter *meter, struct process_figures *ret_figures)
{
    struct rlimit limit = {0};
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    *ret_figures = (struct process_figures){
        .cpu_ms = ms_of(&usage.ru_utime) + ms_of(&usage.ru_stime),
        .resident_bytes = read_resident(meter->statm_fd),
        .open_fds = count_fds(meter->fd_folder_fd),
        .max_fds = limit.rlim_cur,
        .started_wall_ms = meter->started_wall_ms,
    };
}
