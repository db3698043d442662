/*
 * Objects in use of all slab caches (/proc/slabinfo) and TCP's pages of /proc/net/sockstat.
 *
 * Not Slab of /proc/meminfo: freed objects keep their slabs for a while, so whoever is measured
 * first would pay for those who come later.
 *
 * It is the machine's, not a process's: the difference of two readings holds both ends of every
 * connection and whatever else the machine did meanwhile. bench/run takes off what the same row
 * costs without a proxy.
 */
#include "kernel_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static int slabs_read(uint64_t *ret_bytes)
{
    char line[512];
    uint64_t bytes = 0;
    FILE *file = fopen("/proc/slabinfo", "re");
    if (!file)
        return -errno;
    while (fgets(line, sizeof line, file)) {
        unsigned long long active, size;
        if (sscanf(line, "%*s %llu %*u %llu", &active, &size) == 2)
            bytes += active * size;
    }
    fclose(file);
    *ret_bytes = bytes;
    return 0;
}

static int tcp_pages_read(uint64_t *ret_pages)
{
    char line[256];
    unsigned long long pages;
    bool is_found = false;
    FILE *file = fopen("/proc/net/sockstat", "re");
    if (!file)
        return -errno;
    while (!is_found && fgets(line, sizeof line, file))
        is_found = sscanf(line, "TCP: inuse %*u orphan %*u tw %*u alloc %*u mem %llu", &pages) == 1;
    fclose(file);
    if (!is_found)
        return -ENODATA;
    *ret_pages = pages;
    return 0;
}

int kernel_memory(uint64_t *ret_bytes)
{
    uint64_t slab_bytes, tcp_pages;
    int failed = slabs_read(&slab_bytes);
    if (!failed)
        failed = tcp_pages_read(&tcp_pages);
    if (!failed)
        *ret_bytes = slab_bytes + tcp_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return failed;
}
