/*
 * Slab of /proc/meminfo and TCP's mem of /proc/net/sockstat.
 *
 * It is the machine's, not a process's: the difference of two readings holds both ends of every
 * connection and whatever else the machine did meanwhile. bench/run takes off what the same row
 * costs without a proxy.
 */
#include "kernel_memory.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* The number that `format` finds in one of the lines of `path`. */
static int line_number(const char *path, const char *format, unsigned long long *ret_number)
{
    char line[256];
    int found = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, format, ret_number) == 1;
    fclose(file);
    return found ? 0 : -ENODATA;
}

int kernel_memory(uint64_t *ret_bytes)
{
    unsigned long long slab_kib, tcp_pages;
    int failed = line_number("/proc/meminfo", "Slab: %llu kB", &slab_kib);
    if (!failed)
        failed = line_number("/proc/net/sockstat",
                             "TCP: inuse %*u orphan %*u tw %*u alloc %*u mem %llu", &tcp_pages);
    if (!failed)
        *ret_bytes = slab_kib * 1024 + tcp_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return failed;
}
