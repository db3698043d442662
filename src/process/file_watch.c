/* inotify watches inodes, and a name may come to mean another inode in many ways: any folder on the
 * way to it may be replaced, any link may be changed, and none of them need exist yet. So the way
 * is walked as the kernel walks it, one name at a time and through links, and every step is
 * watched: the folder that was searched, for the one name that was looked up there. At the end the
 * file itself is watched (a container's file may be bind-mounted over the name and written from
 * outside). The way may end early, at a name that does not exist; the watch on its folder then
 * tells when the name appears.
 *
 * A step is watched before it is looked at, so nothing slips in between. Whatever concerns a step
 * makes the owner renew, and the whole way is walked again. Adding a watch for an inode that has
 * one returns the same number; what no step needs any more is removed.
 */
#include "process/file_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *const watched_paths[] = {"/etc/hosts", "/etc/resolv.conf"};
static_assert(ARRAY_LENGTH(watched_paths) == WATCHED_FILE_COUNT, "a path for every file");

enum {
    FOLDER_EVENTS = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_ONLYDIR,
    FILE_EVENTS = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF,
    WATCH_STEPS_MAX = 64, /* of all ways together; three links deep they have about twenty */
    WATCH_LINKS_MAX = 40, /* on one way, as in the kernel */
    EVENTS_BYTES = 4096,
};

struct watch_step {
    int number;              /* inotify's */
    char name[NAME_MAX + 1]; /* in that folder; "": the file itself */
};

struct file_watch {
    int fd;
    struct watch_step steps[WATCH_STEPS_MAX];
    size_t step_count;
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

static bool concerns_us(const struct file_watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_IGNORED) /* told before: a deletion, an unmount */
        return false;
    if (event->mask & (IN_Q_OVERFLOW | IN_UNMOUNT))
        return true;
    for (size_t i = 0; i < watch->step_count; i++)
        if (watch->steps[i].number == event->wd &&
            strcmp(watch->steps[i].name, event->len > 0 ? event->name : "") == 0)
            return true;
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

/* -- walking */

struct walk {
    struct file_watch *watch;
    struct watch_problem *problem;
    char folder[PATH_MAX]; /* without links in it; "" is the root */
    char rest[PATH_MAX];   /* what is still to be looked up from there */
    unsigned links;
};

static void walk_report(struct walk *walk, const char *path, int error)
{
    if (walk->problem->error != 0)
        return;
    walk->problem->error = error;
    snprintf(walk->problem->path, sizeof(walk->problem->path), "%s", path);
}

/* Adds a watch on `path` for one name in it; an empty name stands for the file itself. */
static void add_step(struct walk *walk, const char *path, const char *name)
{
    struct file_watch *watch = walk->watch;
    uint32_t events = name[0] != '\0' ? FOLDER_EVENTS : FILE_EVENTS;

    if (watch->step_count == WATCH_STEPS_MAX) {
        walk_report(walk, path, -ELOOP);
        return;
    }
    /* IN_MASK_ADD, because both files may lead through one folder or to one inode. */
    int number = inotify_add_watch(watch->fd, path, events | IN_MASK_ADD);
    if (number < 0) {
        if (errno != ENOENT && errno != ENOTDIR) /* gone meanwhile: the step before tells */
            walk_report(walk, path, -errno);
        return;
    }
    struct watch_step *step = &watch->steps[watch->step_count++];
    step->number = number;
    snprintf(step->name, sizeof(step->name), "%s", name);
}

/* Takes the next name of the way. Returns false when there is none left. */
static bool walk_take_name(struct walk *walk, char name[NAME_MAX + 1])
{
    const char *start = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(start, "/");

    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(name, start, length);
    name[length] = '\0';
    memmove(walk->rest, start + length, strlen(start + length) + 1);
    return true;
}

static void leave_folder(struct walk *walk)
{
    char *slash = strrchr(walk->folder, '/');

    if (slash != NULL)
        *slash = '\0';
}

/* Makes the way go on where the link leads. Returns false when the path becomes too long. */
static bool follow(struct walk *walk, const char *target)
{
    char rest[PATH_MAX];
    int length = snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest);

    if (length >= PATH_MAX || ++walk->links > WATCH_LINKS_MAX)
        return false;
    memcpy(walk->rest, rest, (size_t)length + 1);
    if (target[0] == '/')
        walk->folder[0] = '\0';
    return true;
}

/* Goes one name further. Returns false when the way ends here. */
static bool walk_step(struct walk *walk)
{
    char name[NAME_MAX + 1];
    char path[PATH_MAX];
    char target[PATH_MAX];

    if (!walk_take_name(walk, name))
        return false;
    if (strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        leave_folder(walk);
        return true;
    }
    add_step(walk, walk->folder[0] != '\0' ? walk->folder : "/", name);
    if (snprintf(path, sizeof(path), "%s/%s", walk->folder, name) >= PATH_MAX)
        return false;
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length >= 0) {
        target[length] = '\0';
        return follow(walk, target);
    }
    if (errno != EINVAL) /* it is not there, or we may not look */
        return false;
    if (walk->rest[strspn(walk->rest, "/")] == '\0') {
        add_step(walk, path, "");
        return false;
    }
    memcpy(walk->folder, path, strlen(path) + 1);
    return true;
}

static bool is_needed(const struct file_watch *watch, int number)
{
    for (size_t i = 0; i < watch->step_count; i++)
        if (watch->steps[i].number == number)
            return true;
    return false;
}

void file_watch_renew(struct file_watch *watch, struct watch_problem *ret_problem)
{
    int before[WATCH_STEPS_MAX];
    size_t before_count = watch->step_count;

    for (size_t i = 0; i < before_count; i++)
        before[i] = watch->steps[i].number;
    ret_problem->error = 0;
    watch->step_count = 0;
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        struct walk walk = {.watch = watch, .problem = ret_problem};

        snprintf(walk.rest, sizeof(walk.rest), "%s", watched_paths[i]);
        while (walk_step(&walk))
            continue;
    }
    for (size_t i = 0; i < before_count; i++)
        /* The kernel has already removed the watches of deleted inodes. Removing such a one fails,
         * which is harmless. */
        if (!is_needed(watch, before[i]))
            inotify_rm_watch(watch->fd, before[i]);
}

const char *watched_file_path(enum watched_file file)
{
    return watched_paths[file];
}

/* Returns 0 when the file may be read, or -errno. */
static int check_contents(int fd)
{
    struct stat about;
    char byte;

    if (fstat(fd, &about) < 0)
        return -errno;
    if (S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 3))
        return -ENOENT; /* /dev/null: somebody wants it to be empty */
    if (S_ISDIR(about.st_mode))
        return -EISDIR;
    if (!S_ISREG(about.st_mode))
        return -EINVAL;
    return pread(fd, &byte, 1, 0) < 0 ? -errno : 0;
}

bool watched_file_is_unread(int error)
{
    return error < 0 && error != -ENOENT && error != -ENOTDIR;
}

int watched_file_open(enum watched_file file)
{
    /* Non-blocking: a fifo under that name must not hang the supervisor. */
    int fd = open(watched_paths[file], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return -errno;
    int error = check_contents(fd);
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}
