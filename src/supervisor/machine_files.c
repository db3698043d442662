/* After the first sign of a change there is a short pause, since editors write in several steps.
 * Then both files are sent; to find out which of them changed would save nothing.
 *
 * A file that does not exist counts as empty. A file that exists and can't be read must not count
 * as empty, since names that it blocks could then be reached. For that case the descriptor of the
 * last readable version stays open, and a worker that is started later gets it, too.
 *
 * A problem with watching or reading is reported once, and again when it has changed.
 */
#include "supervisor/machine_files.h"

#include "process/channel.h"
#include "system/clock.h"
#include "system/say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SETTLE_MS = 100,      /* from the first sign of a change */
    SEND_AGAIN_MS = 1000, /* to a worker that does not read its channel */
};

static void machine_files_warn(const char *path, int error)
{
    const char *why = strerror(-error);

    if (error == -ENOSPC)
        why = "no inotify watches are left (sysctl fs.inotify.max_user_watches)";
    else if (error == -EMFILE)
        why =
            "no inotify instances are left (sysctl fs.inotify.max_user_instances), or descriptors";
    say("warning: can't watch %s: %s; after a change of /etc/hosts or /etc/resolv.conf run "
        "`adit reload`",
        path, why);
}

void machine_files_open(struct machine_files *files)
{
    *files = (struct machine_files){.send_at_ms = CLOCK_NEVER_MS};
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        files->fds[i] = -1;
    int error = file_watch_create(&files->watch);
    if (error < 0)
        machine_files_warn("/etc", error);
}

/* Keeps `fd` (-1: the file does not exist) in place of the one before, and owns it. */
static void machine_files_keep(struct machine_files *files, size_t file, int fd)
{
    if (files->fds[file] >= 0)
        close(files->fds[file]);
    files->fds[file] = fd;
}

void machine_files_close(struct machine_files *files)
{
    if (files->watch != NULL)
        file_watch_destroy(files->watch);
    files->watch = NULL;
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++)
        machine_files_keep(files, i, -1);
}

int machine_files_poll_fd(const struct machine_files *files)
{
    return files->watch != NULL ? file_watch_fd(files->watch) : -1;
}

void machine_files_hear(struct machine_files *files)
{
    if (file_watch_take(files->watch) && files->send_at_ms == CLOCK_NEVER_MS)
        files->send_at_ms = clock_monotonic_ms() + SETTLE_MS;
}

static void machine_files_renew(struct machine_files *files)
{
    struct watch_problem problem;

    file_watch_renew(files->watch, &problem);
    bool is_told =
        problem.error == files->told.error && strcmp(problem.path, files->told.path) == 0;
    if (problem.error < 0 && !is_told)
        machine_files_warn(problem.path, problem.error);
    files->told = problem;
}

static void tell_unread(const struct machine_files *files, size_t file, struct text *report)
{
    char warning[256];

    snprintf(warning, sizeof(warning), "warning: can't read %s: %s; %s",
             watched_file_path((enum watched_file)file), strerror(-files->errors[file]),
             files->fds[file] >= 0 ? "what it said before counts" : "going on without it");
    if (report == NULL) {
        say("%s", warning);
        return;
    }
    text_add(report, "adit: ");
    text_add(report, warning);
    text_add(report, "\n");
}

static void machine_files_look(struct machine_files *files, size_t file, struct text *report)
{
    int fd = watched_file_open((enum watched_file)file);
    bool is_known = !watched_file_is_unread(fd);
    bool is_news = !is_known && files->errors[file] != fd;

    files->errors[file] = is_known ? 0 : fd;
    if (is_known)
        machine_files_keep(files, file, fd >= 0 ? fd : -1);
    else if (report != NULL || is_news)
        tell_unread(files, file, report);
}

void machine_files_send(struct machine_files *files, int channel_fd, struct text *report)
{
    static const enum channel_kind kinds[] = {CHANNEL_HOSTS, CHANNEL_RESOLV_CONF};
    static_assert(ARRAY_LENGTH(kinds) == WATCHED_FILE_COUNT, "a message for every file");

    files->send_at_ms = CLOCK_NEVER_MS;
    if (files->watch != NULL)
        machine_files_renew(files);
    for (size_t i = 0; i < WATCHED_FILE_COUNT; i++) {
        machine_files_look(files, i, report);
        if (channel_fd >= 0 && channel_send(channel_fd, kinds[i], files->fds[i]) == -EAGAIN)
            files->send_at_ms = clock_monotonic_ms() + SEND_AGAIN_MS;
    }
}
