/* What the machine allows this process, and what adit makes of it. */
#ifndef WORKER_PROCESS_LIMITS_H
#define WORKER_PROCESS_LIMITS_H

#include <stdint.h>

struct process_limits {
    uint64_t descriptors;       /* RLIMIT_NOFILE */
    uint32_t connections;       /* client connections of all threads together */
    unsigned admin_connections; /* of the admin page */
    unsigned pipes;             /* for splice, of all threads together */
};

/* Makes sure that 0, 1 and 2 are open, so that no socket ever becomes stdin or stderr. */
void process_open_standard_descriptors(void);
/* Makes room in the kernel's table of this process's descriptors for as many as there may be, up to
 * 65,536. To be called before there are threads: when the table of a process with several threads
 * grows, the kernel waits for every processor (20 ms at 64, 128, 256 ... descriptors), and all
 * tunnels wait with it. */
void process_widen_descriptors(uint64_t descriptors);
/* Raises RLIMIT_NOFILE to its hard limit and finds out the limits. It opens a file, so it must run
 * before the process is confined. */
void process_limits_read(struct process_limits *ret_limits);
/* Returns how many connections the admin page may have of so many descriptors. Pure. */
unsigned process_limits_admin(uint64_t descriptors);
/* Returns how many client connections fit into so many descriptors, beside the admin page's
 * connections and the pipes. Pure. */
uint32_t process_limits_connections(uint64_t descriptors, unsigned pipes);
/* Returns how many pipes fit into so many descriptors. `soft_pages` is the kernel's setting
 * pipe-user-pages-soft: 0 says that there is no limit, -1 that it is not known. Pure. */
unsigned process_limits_pipes(uint64_t descriptors, long soft_pages);
/* Returns how many cores this process may run on, but no more than its cgroup lets it use: 1 to
 * COMMAND_LINE_WORKERS_MAX. It opens files, so it must run before the process is confined. */
unsigned process_count_cores(void);

#endif
