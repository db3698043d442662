/* What the machine allows this process, and what adit makes of it. */
#ifndef WORKER_PROCESS_LIMITS_H
#define WORKER_PROCESS_LIMITS_H

#include <stdint.h>

struct process_limits {
    uint64_t descriptors; /* RLIMIT_NOFILE */
    uint32_t connections; /* client connections in all */
    unsigned admin_connections;
    unsigned pipes; /* for splice, in all */
};

/* Makes sure that 0, 1 and 2 are open, so that no socket ever becomes stdin or stderr. */
void process_open_standard_descriptors(void);
/* Makes room in the kernel's table of this process's descriptors, as many as there may be, up to
 * 65,536. Before there are threads: a table that grows under several of them waits for every
 * processor (20 ms at 64, 128, 256 ... descriptors), and all tunnels with it. */
void process_widen_descriptors(uint64_t descriptors);
/* Raises RLIMIT_NOFILE to the hard limit, reads what concerns us. Opens a file: before confinement.
 */
void process_limits_read(struct process_limits *ret_limits);
/* Connections of the admin page that fit into so many descriptors. Pure. */
unsigned process_limits_admin(uint64_t descriptors);
/* Client connections that fit beside them and the pipes into so many descriptors. Pure. */
uint32_t process_limits_connections(uint64_t descriptors, unsigned pipes);
/* Pipes for so many descriptors. `soft_pages` is pipe-user-pages-soft: 0 means no limit, -1 not
 * known. Pure. */
unsigned process_limits_pipes(uint64_t descriptors, long soft_pages);
/* Cores this process may run on, and no more than its cgroup lets it use: 1 to
 * COMMAND_LINE_WORKERS_MAX. Opens files: before confinement. */
unsigned process_count_cores(void);

#endif
