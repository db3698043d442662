/* Quotas of cgroups, in folders that look like /proc and /sys/fs/cgroup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "system/cpu_quota.h"

#include "base/contract.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 6 };

static const struct {
    const char *what;
    unsigned expected;
    const char *files[FILES_MAX][2];
} rows[] = {
    {"no /proc at all", 0, {{NULL, NULL}}},
    {"no cgroups", 0, {{"/proc/self/cgroup", ""}}},
    {"a container of its own namespace",
     2,
     {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "150000 100000\n"}}},
    {"no quota", 0, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "max 100000\n"}}},
    {"less than one processor",
     1,
     {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "1000 100000\n"}}},
    {"a unit, in a slice that has less",
     3,
     {{"/proc/self/cgroup", "0::/system.slice/adit.service\n"},
      {"/sys/fs/cgroup/system.slice/adit.service/cpu.max", "800000 100000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n"}}},
    {"a unit that has less than its slice",
     4,
     {{"/proc/self/cgroup", "0::/system.slice/adit.service\n"},
      {"/sys/fs/cgroup/system.slice/adit.service/cpu.max", "400000 100000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "600000 100000\n"}}},
    {"a unit that has less than the machine, in a slice without a quota",
     4,
     {{"/proc/self/cgroup", "0::/system.slice/adit.service\n"},
      {"/sys/fs/cgroup/system.slice/adit.service/cpu.max", "400000 100000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n"}}},
    {"a container that is told the host's path",
     2,
     {{"/proc/self/cgroup", "0::/docker/0123\n"}, {"/sys/fs/cgroup/cpu.max", "200000 100000\n"}}},
    {"version 1",
     2,
     {{"/proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/b\n3:cpuset:/c\n"},
      {"/sys/fs/cgroup/cpu/b/cpu.cfs_quota_us", "100001\n"},
      {"/sys/fs/cgroup/cpu/b/cpu.cfs_period_us", "100000\n"},
      {"/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "1\n"}}},
    {"version 1 without a quota",
     0,
     {{"/proc/self/cgroup", "1:cpu:/\n"},
      {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
      {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}},
    {"another period",
     4,
     {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "20000 5000\n"}}},
    {"what makes no sense",
     0,
     {{"/proc/self/cgroup", "0::/\nnonsense\n:\n"}, {"/sys/fs/cgroup/cpu.max", "100000 0\n"}}},
};

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    return remove(path);
}

static void make_folders(const char *path)
{
    char folder[256];

    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        mkdir(folder, 0700);
    }
}

static void write_file(const char *root, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s", root, name);
    make_folders(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_quotas(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char root[] = "/tmp/adit-unit-XXXXXX";

        assert_non_null(mkdtemp(root));
        for (size_t j = 0; j < FILES_MAX && rows[i].files[j][0] != NULL; j++)
            write_file(root, rows[i].files[j][0], rows[i].files[j][1]);
        if (cpu_quota_read(root) != rows[i].expected)
            fail_msg("%s: %u", rows[i].what, cpu_quota_read(root));
        assert_int_equal(nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quotas)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
