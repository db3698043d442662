/* A quota is so many microseconds of processor time in each period: 150000 of 100000 are one and a
 * half processors, for which two threads are right.
 *
 * /proc/self/cgroup has a line per hierarchy, ID:CONTROLLERS:PATH; version 2's is `0::PATH`. PATH
 * is as seen from the cgroup namespace. A container without one is told the host's path, which does
 * not exist below its own /sys/fs/cgroup; its quota then stands at the top. So each step of the
 * path up to the top is asked, and those that do not exist say nothing.
 */
#include "system/cpu_quota.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTA_LINE_SIZE = PATH_MAX + 64 };

/* Reads two numbers from one file (version 2), or one number each from two files. Returns false
 * when they are not there, or are `max` or -1.
 */
static bool read_numbers(const char *folder, const char *name, long long *ret_first,
                         long long *ret_second)
{
    char path[QUOTA_LINE_SIZE * 2];
    char line[64] = "";
    char *end;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
        return false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is_read = fgets(line, sizeof(line), file) != NULL;
    fclose(file);
    if (!is_read)
        return false;
    *ret_first = strtoll(line, &end, 10);
    if (end == line || *ret_first <= 0)
        return false;
    if (ret_second != NULL)
        *ret_second = strtoll(end, NULL, 10);
    return ret_second == NULL || *ret_second > 0;
}

static void quota_note(unsigned *quota, long long time, long long period)
{
    long long processors = time / period + (time % period > 0);

    if (processors < UINT_MAX && (*quota == 0 || (unsigned)processors < *quota))
        *quota = (unsigned)processors;
}

/* Takes the quota of one cgroup into account. */
static void ask_folder(const char *folder, bool is_v2, unsigned *quota)
{
    long long time;
    long long period;

    if (is_v2 ? read_numbers(folder, "cpu.max", &time, &period)
              : read_numbers(folder, "cpu.cfs_quota_us", &time, NULL) &&
                    read_numbers(folder, "cpu.cfs_period_us", &period, NULL))
        quota_note(quota, time, period);
}

/* Takes into account the cgroup `path` below `mount` and all cgroups above it. */
static void ask_upwards(const char *mount, char *path, bool is_v2, unsigned *quota)
{
    char folder[QUOTA_LINE_SIZE * 2];
    char *slash;

    do {
        if (snprintf(folder, sizeof(folder), "%s%s", mount, path) < (int)sizeof(folder))
            ask_folder(folder, is_v2, quota);
        slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
    } while (slash != NULL);
}

static bool names_cpu(const char *controllers)
{
    for (const char *word = controllers; *word != '\0';) {
        size_t length = strcspn(word, ",");

        if (length == 3 && memcmp(word, "cpu", 3) == 0)
            return true;
        word += length + (word[length] == ',');
    }
    return false;
}

/* Version 1 is mounted under the name of its controllers. Where that is not `cpu` alone, `cpu` is a
 * link to it.
 */
static void ask_hierarchy(const char *root, char *line, unsigned *quota)
{
    char mount[PATH_MAX];
    char *controllers = strchr(line, ':');
    char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

    if (path == NULL)
        return;
    *path++ = '\0';
    controllers++;
    path[strcspn(path, "\n")] = '\0';
    bool is_v2 = controllers[0] == '\0';
    if (!is_v2 && !names_cpu(controllers))
        return;
    if (snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s", root, is_v2 ? "" : "/cpu") <
        (int)sizeof(mount))
        ask_upwards(mount, path, is_v2, quota);
}

unsigned cpu_quota_read(const char *root)
{
    char line[QUOTA_LINE_SIZE];
    unsigned quota = 0;

    if (snprintf(line, sizeof(line), "%s/proc/self/cgroup", root) >= (int)sizeof(line))
        return 0;
    FILE *file = fopen(line, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        ask_hierarchy(root, line, &quota);
    fclose(file);
    return quota;
}
