/* inotify watches inodes, and a name may come to mean another inode in many ways. So for each file
 * three things are watched: the folder /etc (the name is made, renamed over, removed), the folder
 * of what the name leads to (a resolver that rewrites /run/.../resolv.conf), and that file itself
 * (a container's file that is bind-mounted over the name and written from outside).
 *
 * Adding a watch for an inode that has one returns the same number, so renewing is adding all
 * again; what is no longer meant is removed. A link that leads into a folder that does not exist
 * yet is noticed with the next change in /etc only.
 */
#include "daemon/file_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const file_paths[] = {"/etc/hosts", "/etc/resolv.conf"};
static_assert(ARRAY_LENGTH(file_paths) == WATCHED_FILE_COUNT, "a path for every file");

enum {
    FOLDER_EVENTS =
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_MODIFY,
    FILE_EVENTS = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF,
    /* /etc, and for each file the folder and the inode that its name leads to */
    WATCHES_MAX = 1 + 2 * WATCHED_FILE_COUNT,
    EVENTS_BYTES = 4096,
};

struct file_watch {
    int fd;
    int watches[WATCHES_MAX]; /* inotify's numbers; -1: none */
    /* What the names lead to now: of a folder's events only these names matter. */
    char target_names[WATCHED_FILE_COUNT][NAME_MAX + 1];
};

int file_watch_create(struct file_watch **ret_watch)
{
    struct file_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return -ENOMEM;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        int error = -errno;
        free(watch);
        return error;
    }
    for (size_t i = 0; i < WATCHES_MAX; i++)
        watch->watches[i] = -1;
    *ret_watch = watch;
    return 0;
}

void file_watch_destroy(struct file_watch *watch)
{
    close(watch->fd);
    free(watch);
}

int file_watch_fd(const struct file_watch *watch)
{
    return watch->fd;
}

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static bool concerns_us(const struct file_watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_IGNORED)
        return false;
    if (event->len == 0) /* of a file itself, or the queue ran over */
        return true;
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        if (strcmp(event->name, base_name(file_paths[i])) == 0 ||
            strcmp(event->name, watch->target_names[i]) == 0)
            return true;
    }
    return false;
}

bool file_watch_take(struct file_watch *watch)
{
    _Alignas(struct inotify_event) char events[EVENTS_BYTES];
    bool is_concerned = false;

    for (;;) {
        ssize_t length = read(watch->fd, events, sizeof(events));

        if (length <= 0)
            return is_concerned;
        for (ssize_t offset = 0; offset < length;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + offset);

            is_concerned |= concerns_us(watch, event);
            offset += (ssize_t)(sizeof(*event) + event->len);
        }
    }
}

static void watch_target(struct file_watch *watch, enum watched_file file, int ret_watches[2])
{
    char *target = realpath(file_paths[file], NULL);

    ret_watches[0] = -1;
    ret_watches[1] = -1;
    watch->target_names[file][0] = '\0';
    if (target == NULL)
        return;
    /* IN_MASK_ADD: both files may lead to one inode or folder. */
    ret_watches[0] = inotify_add_watch(watch->fd, target, FILE_EVENTS | IN_MASK_ADD);
    char *name = strrchr(target, '/') + 1;
    strncpy(watch->target_names[file], name, NAME_MAX);
    *name = '\0'; /* leaves the folder */
    ret_watches[1] = inotify_add_watch(watch->fd, target, FOLDER_EVENTS | IN_MASK_ADD);
    free(target);
}

static bool contains(const int *numbers, size_t count, int number)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

void file_watch_renew(struct file_watch *watch)
{
    int watches[WATCHES_MAX];

    watches[0] = inotify_add_watch(watch->fd, "/etc", FOLDER_EVENTS | IN_MASK_ADD);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        watch_target(watch, (enum watched_file)i, watches + 1 + 2 * i);
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        int old = watch->watches[i];

        /* The kernel has removed those of deleted inodes itself; the error then says so. */
        if (old >= 0 && !contains(watches, WATCHES_MAX, old))
            inotify_rm_watch(watch->fd, old);
    }
    memcpy(watch->watches, watches, sizeof(watches));
}

const char *watched_file_path(enum watched_file file)
{
    return file_paths[file];
}

int watched_file_open(enum watched_file file)
{
    struct stat about;
    /* Non-blocking: a fifo under that name must not hang the supervisor. */
    int fd = open(file_paths[file], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}
