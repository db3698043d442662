/* This goes through the names of the pattern from left to right, and applies each to all paths that
 * were found so far: a plain name is appended to each of them, a pattern is matched against the
 * contents of each.
 *
 * Where something is plainly not there (ENOENT), or what a pattern found is no folder, there is no
 * match. Every other error ends it. A link that leads nowhere is an error, too, when the pattern
 * names it, because it was most likely made on purpose; it is none when a pattern found it.
 */
#include "system/file_glob.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct glob_step {
    char name[PATH_MAX]; /* of the pattern, as written */
    bool is_pattern;
    bool is_behind_pattern; /* a name before it is one */
    bool is_last;
};

void file_paths_free(struct file_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->items[i]);
    free(paths->items);
    *paths = (struct file_paths){0};
}

/* Adds the path of `folder` and `name`, with a slash when more names follow. */
static int glob_add_path(struct file_paths *paths, const char *folder, const char *name,
                         bool is_last)
{
    size_t size = strlen(folder) + strlen(name) + 2;

    if (paths->count == FILE_GLOB_PATHS_MAX)
        return -E2BIG;
    if (size > PATH_MAX)
        return -ENAMETOOLONG;
    char **items = realloc(paths->items, (paths->count + 1) * sizeof(*items));
    if (items == NULL)
        return -ENOMEM;
    paths->items = items;
    char *path = malloc(size);
    if (path == NULL)
        return -ENOMEM;
    stpcpy(stpcpy(stpcpy(path, folder), name), is_last ? "" : "/");
    items[paths->count++] = path;
    return 0;
}

/* Removes the backslashes, in place. */
static void unescape(char *text)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        in += in[0] == '\\' && in[1] != '\0';
        *out++ = *in;
    }
    *out = '\0';
}

static bool has_pattern(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (at[0] == '\\' && at[1] != '\0')
            at++;
        else if (strchr("*?[", *at) != NULL)
            return true;
    }
    return false;
}

/* Returns 1 when it exists (and is a folder, unless it is the last name), 0 when it does not, and a
 * negative errno when that can't be found out. */
static int glob_look_at(const char *path, bool is_last)
{
    struct stat status;

    if ((is_last ? lstat(path, &status) : stat(path, &status)) == 0)
        return is_last || S_ISDIR(status.st_mode);
    /* ENOTDIR means that a pattern found something that is no folder, because `path` ends with a
     * slash. */
    return errno == ENOENT || (errno == ENOTDIR && !is_last) ? 0 : -errno;
}

static int add_match(const struct glob_step *step, const char *folder, const char *name,
                     struct file_paths *paths)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        fnmatch(step->name, name, FNM_PERIOD) != 0)
        return 0;
    int error = glob_add_path(paths, folder, name, step->is_last);
    if (error < 0 || step->is_last)
        return error;
    int is_there = glob_look_at(paths->items[paths->count - 1], false);
    if (is_there == 0)
        free(paths->items[--paths->count]);
    return is_there < 0 ? is_there : 0;
}

static int open_error(const struct glob_step *step, const char *folder, int error)
{
    char path[PATH_MAX];
    struct stat status;

    if (error != ENOENT)
        return -error;
    stpcpy(path, folder);
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    if (lstat(path, &status) == 0)
        return -ENOTDIR; /* a link to nothing */
    return step->is_behind_pattern ? 0 : -ENOENT;
}

static int look_in(const struct glob_step *step, const char *folder, struct file_paths *paths)
{
    DIR *directory = opendir(folder[0] != '\0' ? folder : ".");
    int error = 0;

    if (directory == NULL)
        return open_error(step, folder, errno);
    while (error == 0) {
        errno = 0;
        const struct dirent *entry = readdir(directory);

        if (entry == NULL) {
            error = -errno;
            break;
        }
        error = add_match(step, folder, entry->d_name, paths);
    }
    closedir(directory);
    return error;
}

static int add_plain(const struct glob_step *step, const char *folder, struct file_paths *paths)
{
    char name[PATH_MAX];

    stpcpy(name, step->name);
    unescape(name);
    int error = glob_add_path(paths, folder, name, step->is_last);
    if (error < 0 || !step->is_last)
        return error;
    int is_there = glob_look_at(paths->items[paths->count - 1], true);
    if (is_there == 0)
        free(paths->items[--paths->count]);
    return is_there < 0 ? is_there : 0;
}

/* Extends `paths` by one name of the pattern. */
static int glob_advance(const struct glob_step *step, struct file_paths *paths)
{
    struct file_paths next = {0};
    int error = 0;

    for (size_t i = 0; i < paths->count && error == 0; i++)
        error = (step->is_pattern ? look_in : add_plain)(step, paths->items[i], &next);
    file_paths_free(paths);
    *paths = next;
    return error;
}

static int glob_walk(const char *pattern, struct file_paths *paths)
{
    struct glob_step step = {.is_last = false};
    int error = glob_add_path(paths, pattern[0] == '/' ? "/" : "", "", true);

    for (const char *at = pattern; error == 0 && !step.is_last;) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");

        memcpy(step.name, at, length);
        step.name[length] = '\0';
        at += length;
        step.is_last = *at == '\0';
        step.is_behind_pattern |= step.is_pattern;
        step.is_pattern = has_pattern(step.name);
        error = glob_advance(&step, paths);
    }
    return error;
}

int file_glob(const char *pattern, struct file_paths *ret_paths)
{
    struct file_paths paths = {0};
    struct stat status;
    char exact[PATH_MAX];

    if (strlen(pattern) >= sizeof(exact))
        return -ENAMETOOLONG;
    stpcpy(exact, pattern);
    unescape(exact);
    int error = lstat(exact, &status) == 0 ? glob_add_path(&paths, exact, "", true)
                                           : glob_walk(pattern, &paths);
    if (error < 0)
        file_paths_free(&paths);
    else
        *ret_paths = paths;
    return error;
}
