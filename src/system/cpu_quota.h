/* How much processor time a cgroup grants this process: a container's `--cpus`, a unit's CPUQuota=.
 */
#ifndef SYSTEM_CPU_QUOTA_H
#define SYSTEM_CPU_QUOTA_H

#include "base/contract.h"

/* Returns the quota in whole processors, rounded up; 0 when there is none or it can't be read. The
 * smallest quota on the way from this process's cgroup to the root counts, in version 1 and 2
 * alike.
 *
 * `root` stands in front of /proc/self/cgroup and /sys/fs/cgroup; it is "" except in tests. Opens
 * files, so it must be called before confinement.
 */
unsigned cpu_quota_read(const char *root) MUST_CHECK;

#endif
