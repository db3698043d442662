/* The kernel's memory for TCP (tcp(7), tcp_mem), which all sockets of the machine share. When it
 * runs short, every connection of the machine is slow.
 */
#ifndef NET_TCP_MEMORY_H
#define NET_TCP_MEMORY_H

#include "base/contract.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_memory {
    uint64_t used; /* bytes */
    /* By the kernel's own rule: from above the second number of tcp_mem until it is below the
     * first one. */
    bool is_short;
};

/* Returns a descriptor to read from, which any number of threads may share; or -errno. */
int tcp_memory_open(void) MUST_CHECK;
/* Returns false when it can't be found out, also because `fd` is negative. */
bool tcp_memory_read(int fd, struct tcp_memory *ret_memory) MUST_CHECK;
/* Parses the text of /proc/net/protocols. Returns false when it says nothing about TCP. */
bool tcp_memory_parse(const char *text, struct tcp_memory *ret_memory) MUST_CHECK;

#endif
