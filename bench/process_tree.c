/*
 * Reads what a proxy's processes have used.
 *
 * CPU comes from each process's CPU clock (clock_getcpuclockid): nanoseconds, all threads, those
 * that have ended too. /proc/PID/stat has clock ticks of 10 ms only, and
 * /proc/PID/task/.../schedstat forgets ended threads, which is wrong for a proxy with a thread per
 * tunnel. Children that were reaped are left with ticks (cutime and cstime of their parent).
 *
 * The tree is found anew at every reading, because a proxy may fork while it is measured.
 */
#include "process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 8192

struct process {
    pid_t pid;
    pid_t parent;
    uint64_t reaped_ticks;
    bool is_member;
};

static bool process_read_stat(pid_t pid, struct process *ret_process)
{
    char path[64];
    char line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    /* The command's name stands in parentheses and may hold anything, parentheses too. */
    char *rest = got ? strrchr(line, ')') : NULL;
    if (!rest)
        return false;
    int parent;
    unsigned long long cutime, cstime;
    if (sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %llu %llu", &parent,
               &cutime, &cstime) != 3)
        return false;
    *ret_process = (struct process){.pid = pid, .parent = parent, .reaped_ticks = cutime + cstime};
    return true;
}

static size_t process_list(struct process *processes)
{
    DIR *dir = opendir("/proc");
    size_t count = 0;
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) && count < PROCESSES_MAX;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && process_read_stat(pid, &processes[count]))
            count++;
    }
    closedir(dir);
    return count;
}

static bool process_is_member(const struct process *processes, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++) {
        if (processes[i].pid == pid)
            return processes[i].is_member;
    }
    return false;
}

/* Marks root and its descendants; returns how many. Pids wrap, so order says nothing. */
static uint32_t process_mark(struct process *processes, size_t count, pid_t root)
{
    uint32_t members = 0;
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        for (size_t i = 0; i < count; i++) {
            struct process *process = &processes[i];
            if (process->is_member ||
                (process->pid != root && !process_is_member(processes, count, process->parent)))
                continue;
            process->is_member = true;
            is_changed = true;
            members++;
        }
    }
    return members;
}

static uint64_t process_cpu_ns(const struct process *process)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(process->pid, &clock) == 0)
        clock_gettime(clock, &used);
    uint64_t tick_ns = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);
    return (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec +
           process->reaped_ticks * tick_ns;
}

static int process_add_pss(pid_t pid, uint64_t *bytes)
{
    char path[64];
    char line[256];
    unsigned long long kib;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Pss: %llu kB", &kib) == 1)
            *bytes += kib * 1024;
    }
    int failed = ferror(file) ? -EACCES : 0;
    fclose(file);
    return failed;
}

static int process_add_descriptors(pid_t pid, uint32_t *count)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    for (struct dirent *entry; (entry = readdir(dir));)
        *count += entry->d_name[0] != '.';
    closedir(dir);
    return 0;
}

static int process_add_memory(pid_t pid, struct process_usage *usage)
{
    int failed = process_add_pss(pid, &usage->pss_bytes);
    if (!failed)
        failed = process_add_descriptors(pid, &usage->descriptors);
    /* A zombie, or one that has just gone: it has no memory any more. */
    return failed == -ESRCH || failed == -ENOENT ? 0 : failed;
}

static int process_tree_read(pid_t root, bool is_memory_wanted, struct process_usage *ret_usage)
{
    struct process *processes = calloc(PROCESSES_MAX, sizeof *processes);
    struct process_usage usage = {0};
    int failed = 0;
    if (!processes)
        return -ENOMEM;
    size_t count = process_list(processes);
    usage.processes = process_mark(processes, count, root);
    if (usage.processes == 0)
        failed = -ESRCH;
    for (size_t i = 0; i < count && !failed; i++) {
        if (!processes[i].is_member)
            continue;
        usage.cpu_ns += process_cpu_ns(&processes[i]);
        if (is_memory_wanted)
            failed = process_add_memory(processes[i].pid, &usage);
    }
    free(processes);
    if (!failed)
        *ret_usage = usage;
    return failed;
}

int process_tree_cpu(pid_t root, struct process_usage *ret_usage)
{
    return process_tree_read(root, false, ret_usage);
}

int process_tree_memory(pid_t root, struct process_usage *ret_usage)
{
    return process_tree_read(root, true, ret_usage);
}
