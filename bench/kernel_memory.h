/*
 * What the kernel holds for sockets, files and epoll, on the whole machine.
 */
#ifndef BENCH_KERNEL_MEMORY_H
#define BENCH_KERNEL_MEMORY_H

#include <stdint.h>

/* Objects in use, and pages that hold TCP data. 0, or a negative errno (-EACCES: root alone may
 * look) that leaves *ret_bytes alone. */
int kernel_memory(uint64_t *ret_bytes);

#endif
