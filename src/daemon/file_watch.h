/* Notices that /etc/hosts or /etc/resolv.conf changed, however it was done: written in place,
 * renamed over, removed, made again, a symbolic link set anew, or the file behind the link changed.
 */
#ifndef DAEMON_FILE_WATCH_H
#define DAEMON_FILE_WATCH_H

#include "base/contract.h"

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
/* Watches what the names lead to now. To be called before the files are opened. */
void file_watch_renew(struct file_watch *watch);

const char *watched_file_path(enum watched_file file);
/* Open for reading, a regular file, or -errno. */
int watched_file_open(enum watched_file file) MUST_CHECK;

#endif
