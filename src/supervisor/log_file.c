/* Opens the log file, and explains well when that fails.
 *
 * Paths such as /dev/stdout need care. They are links to an open descriptor, and to open one opens
 * the file behind it anew. A socket (such as the journal's) never allows that, and a pipe or a
 * terminal allows it to its owner only. Somebody who wrote such a path most often meant
 * `log stdout`, so the message says so.
 */
#include "supervisor/log_file.h"

#include "system/file_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_MODE = 0640, LOG_LINKS_MAX = 8 };

/* Ends the file's last line if it has no newline. Half a line may have been left by a worker that
 * ended while the disk was full; the next line must not be appended to it. */
static void log_file_end_line(int fd, const char *path)
{
    struct stat status;
    char last = '\n';

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
        return;
    int readable = open(path, O_RDONLY | O_CLOEXEC);
    if (readable < 0)
        return;
    if (pread(readable, &last, 1, status.st_size - 1) == 1 && last != '\n') {
        ssize_t ignored = write(fd, "\n", 1);
        (void)ignored;
    }
    close(readable);
}

/* With O_APPEND, writers of the same file never overwrite each other, and logrotate's copytruncate
 * works. O_NONBLOCK is for the open only: a named pipe without a reader must not block it. */
int log_file_open(const char *path)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags, LOG_MODE);

    if (fd < 0)
        return -errno;
    fcntl(fd, F_SETFL, O_APPEND);
    log_file_end_line(fd, path);
    return fd;
}

/* -- paths that are standard output or standard error */

/* Copies `path` without empty names and names that are a single dot. */
static void log_file_tidy(char place[PATH_MAX], const char *path)
{
    struct text out;

    text_init(&out, place, PATH_MAX);
    while (*path != '\0') {
        size_t length = strcspn(path + 1, "/") + 1; /* a name and the slash before it */

        if (length > 1 && !(length == 2 && path[1] == '.'))
            text_add_bytes(&out, path, length);
        path += length;
    }
}

static const char *word_of(int fd)
{
    return fd == STDOUT_FILENO ? "stdout" : "stderr";
}

static bool is_in(const char *path, const char *folder, const char *name)
{
    size_t length = strlen(folder);

    return strncmp(path, folder, length) == 0 && strcmp(path + length, name) == 0;
}

/* Returns "stdout" or "stderr" when the path always means that, or NULL. /proc/1 counts, too: in a
 * container, process 1 is adit, or it writes where adit does. */
static const char *word_by_name(const char *path)
{
    char own[32];
    const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/",
                                   "/proc/1/fd/", own};

    snprintf(own, sizeof(own), "/proc/%ld/fd/", (long)getpid());
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        const char digit[] = {(char)('0' + fd), '\0'};
        bool is_found = is_in(path, "/dev/", word_of(fd));

        for (size_t i = 0; i < ARRAY_LENGTH(folders); i++)
            is_found |= is_in(path, folders[i], digit);
        if (is_found)
            return word_of(fd);
    }
    return NULL;
}

/* Returns the same for a file that standard output or standard error happens to be now. */
static const char *word_by_file(const char *path)
{
    struct stat wanted;
    struct stat status;

    if (stat(path, &wanted) < 0)
        return NULL;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &status) == 0 &&
            file_identity_equals(file_identity_of(&status), file_identity_of(&wanted)))
            return word_of(fd);
    return NULL;
}

/* Replaces a link in `place` by its target. Returns false when it is no link. */
static bool follow_link(char place[PATH_MAX])
{
    char target[PATH_MAX];
    char path[2 * PATH_MAX];
    ssize_t length = readlink(place, target, sizeof(target) - 1);

    if (length < 0)
        return false;
    target[length] = '\0';
    const char *slash = strrchr(place, '/');
    int folder_length = target[0] == '/' || slash == NULL ? 0 : (int)(slash - place) + 1;
    snprintf(path, sizeof(path), "%.*s%s", folder_length, place, target);
    log_file_tidy(place, path);
    return true;
}

/* Compares names before files: a user who may not open a pipe often may not stat it either. */
static const char *standard_word(const char *path)
{
    char place[PATH_MAX];

    log_file_tidy(place, path);
    for (int i = 0; i < LOG_LINKS_MAX; i++) {
        const char *word = word_by_name(place);

        if (word != NULL)
            return word;
        if (!follow_link(place))
            break;
    }
    return word_by_file(path);
}

static const char *log_file_advice(const char *path, int error)
{
    struct stat status;

    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
        return "make its folder, or name another file";
    case -EACCES:
    case -EPERM:
        return "give the file and its folder to the user that adit runs as, or name another file";
    case -EISDIR:
        return "name a file in it";
    case -ENXIO:
        return stat(path, &status) == 0 && S_ISFIFO(status.st_mode)
                   ? "nobody reads this named pipe: start its reader first"
                   : "it is a socket, which can't be opened by its path: name a file";
    default:
        return "name another file";
    }
}

void log_file_explain(struct text *out, const char *path, int error)
{
    const char *word = standard_word(path);

    text_add(out, path);
    text_add(out, ": ");
    if (word == NULL) {
        text_add(out, strerror(-error));
        text_add(out, "; ");
        text_add(out, log_file_advice(path, error));
        return;
    }
    text_add(out, error == -ENXIO    ? "it is a socket (the journal's, for instance), which can't "
                                       "be opened by a path"
                  : error == -EACCES ? "it belongs to another user, and can't be opened by a path"
                                     : strerror(-error));
    text_add(out, "; write `log ");
    text_add(out, word);
    text_add(out, "`");
}
