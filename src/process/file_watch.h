/* Notices that /etc/hosts or /etc/resolv.conf changed, however it was done: written in place,
 * renamed over, removed, made again, a symbolic link set anew, or anything on the way that a link
 * leads, be it there already or not. (What is mounted over a name tells nobody.)
 */
#ifndef PROCESS_FILE_WATCH_H
#define PROCESS_FILE_WATCH_H

#include "base/contract.h"

#include <limits.h>
#include <stdbool.h>

struct file_watch;

enum watched_file { WATCHED_HOSTS, WATCHED_RESOLV_CONF, WATCHED_FILE_COUNT };

/* 0 or -errno: then nothing is noticed, but the files can be opened. */
int file_watch_create(struct file_watch **ret_watch) MUST_CHECK;
void file_watch_destroy(struct file_watch *watch);
/* Becomes readable when something happened. */
int file_watch_fd(const struct file_watch *watch);
/* Takes what happened; true if it may concern one of the files. */
bool file_watch_take(struct file_watch *watch);
/* Why something can't be watched. */
struct watch_problem {
    int error; /* 0: nothing is wrong; -ENOSPC: the user's watches are used up */
    char path[PATH_MAX];
};

/* Watches what the names lead to now. To be called before the files are opened. The first problem;
 * the rest is watched all the same. */
void file_watch_renew(struct file_watch *watch, struct watch_problem *ret_problem);

const char *watched_file_path(enum watched_file file);
/* Open for reading, a regular file that can be read, or -errno; -ENOENT for /dev/null, too. */
int watched_file_open(enum watched_file file) MUST_CHECK;
/* Whether that error is more than a file that is not there. */
bool watched_file_is_unread(int error);

#endif
