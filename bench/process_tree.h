/*
 * What a process and all its descendants have used, read from /proc.
 */
#ifndef BENCH_PROCESS_TREE_H
#define BENCH_PROCESS_TREE_H

#include <stdint.h>
#include <sys/types.h>

struct process_usage {
    uint64_t cpu_ns;      /* user and system time, ended threads and reaped children included */
    uint64_t pss_bytes;   /* proportional set size; only from process_tree_memory */
    uint32_t descriptors; /* open ones; only from process_tree_memory */
    uint32_t processes;
};

/* Both return 0, or a negative errno (-ESRCH: no such root) and leave *ret_usage alone. */
int process_tree_cpu(pid_t root, struct process_usage *ret_usage);

/* As above with memory and descriptors, which take longer. -EACCES: a process of another user. */
int process_tree_memory(pid_t root, struct process_usage *ret_usage);

#endif
