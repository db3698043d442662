/* Notices when /etc/hosts or /etc/resolv.conf changes, however that is done: written in place,
 * renamed over, removed, made again, or replaced as a symbolic link; also at any step of the path
 * that a link leads along, whether that step exists already or not. (A mount over a name is not
 * noticed.)
 */
#ifndef PROCESS_FILE_WATCH_H
#define PROCESS_FILE_WATCH_H

#include "base/contract.h"

#include <limits.h>
#include <stdbool.h>

struct file_watch;

enum watched_file { WATCHED_HOSTS, WATCHED_RESOLV_CONF, WATCHED_FILE_COUNT };

/* Returns 0 or a negative errno; after an error nothing is noticed, but the files can be opened. */
int file_watch_create(struct file_watch **ret_watch) MUST_CHECK;
void file_watch_destroy(struct file_watch *watch);
/* Returns the descriptor that becomes readable when something happened. */
int file_watch_fd(const struct file_watch *watch);
/* Reads what happened. Returns true when it may concern one of the files. */
bool file_watch_take(struct file_watch *watch);
/* Why something can't be watched. */
struct watch_problem {
    int error; /* 0: nothing is wrong; -ENOSPC: the user's watches are used up */
    char path[PATH_MAX];
};

/* Watches what the names lead to now; must be called before the files are opened. Returns the first
 * problem; whatever has no problem is watched all the same. */
void file_watch_renew(struct file_watch *watch, struct watch_problem *ret_problem);

const char *watched_file_path(enum watched_file file);
/* Opens a regular file for reading. Returns the descriptor or a negative errno; -ENOENT for
 * /dev/null, too. */
int watched_file_open(enum watched_file file) MUST_CHECK;
/* True when that error is more than that the file does not exist. */
bool watched_file_is_unread(int error);

#endif
