/* What a cgroup lets this process have of the processors: a container's `--cpus`, a unit's
 * CPUQuota=. */
#ifndef SYSTEM_CPU_QUOTA_H
#define SYSTEM_CPU_QUOTA_H

#include "base/contract.h"

/* Whole processors, rounded up; 0: no quota, or none that can be read. The smallest one on the way
 * from this process's cgroup to the root counts, of version 1 and 2 alike.
 *
 * `root` stands before /proc/self/cgroup and /sys/fs/cgroup: "" but in tests. Opens files: before
 * confinement. */
unsigned cpu_quota_read(const char *root) MUST_CHECK;

#endif
