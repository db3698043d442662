/* /dev/stdout and its like are links to what a descriptor is, and opening them opens that anew,
 * which a socket (the journal's) never allows, and a pipe or a terminal only to its owner: so who
 * writes such a path most often meant `log stdout`.
 */
#include "daemon/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_MODE = 0640 };

/* A disk that was full when a worker ended may have left half a line, which is not to become the
 * beginning of the next one. */
static void end_line(int fd, const char *path)
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

/* Append: several writers never overwrite each other, and logrotate's copytruncate works. */
int log_file_open(const char *path)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags, LOG_MODE);

    if (fd < 0)
        return -errno;
    fcntl(fd, F_SETFL, O_APPEND);
    end_line(fd, path);
    return fd;
}

/* The statement's word for a path that is standard output or standard error, or NULL. */
static const char *standard_word(const char *path)
{
    static const struct {
        const char *path;
        const char *word;
    } rows[] = {
        {"/dev/stdout", "stdout"}, {"/dev/fd/1", "stdout"}, {"/proc/self/fd/1", "stdout"},
        {"/dev/stderr", "stderr"}, {"/dev/fd/2", "stderr"}, {"/proc/self/fd/2", "stderr"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (strcmp(rows[i].path, path) == 0)
            return rows[i].word;
    return NULL;
}

static const char *advice(const char *path, int error)
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
        text_add(out, advice(path, error));
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
