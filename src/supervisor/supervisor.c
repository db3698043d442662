/* One thread around poll(): signals (a signalfd), the channel to the worker, the watch on the two
 * files of /etc, and a few points in time.
 *
 * While adit serves, a worker that dies is replaced; before and after that, the end of the worker
 * is the end of the supervisor. The supervisor keeps the listening sockets open while it serves, so
 * that connections wait in the kernel's queue between two workers and none is refused.
 *
 * reload.c replaces one configuration by another. This file only decides when a reload may begin,
 * and passes on what the signals and the worker say of it.
 *
 * The surprise is fork without exec: the worker begins inside become_worker, with a copy
 * of everything that the supervisor has; it closes what is not its own and never returns to the
 * loop. Until then this process has one thread, so nothing can be half-done in the copy.
 */
#include "supervisor/supervisor.h"

#include "admin/control_socket.h"
#include "base/state.h"
#include "process/channel.h"
#include "supervisor/announce.h"
#include "supervisor/configuration.h"
#include "supervisor/log_file.h"
#include "supervisor/machine_files.h"
#include "supervisor/reload.h"
#include "supervisor/worker_process.h"
#include "system/clock.h"
#include "system/say.h"
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* A worker that dies younger than this is replaced only when it would have been this old, so
     * that a worker that dies at once is not forked in a busy loop. */
    SHORT_LIFE_MS = 1000,
    /* A worker has this long to end by itself after its drain time, a second signal or the loss of
     * its channel; then it is killed. */
    KILL_AFTER_MS = 1000,
    MESSAGE_BYTES = 512, /* for one line about the log file; a long path is cut */
};

enum supervisor_state {
    SUPERVISOR_STARTING, /* the first worker has not said that it is ready; if it ends, so do we */
    SUPERVISOR_SERVING,  /* a worker that ends is replaced */
    SUPERVISOR_DRAINING, /* no worker is started any more; when the worker has ended, so do we */
    SUPERVISOR_ENDED,    /* the loop stops; `exit_status` says how it went */
};

static const struct state_row supervisor_rows[] = {
    [SUPERVISOR_STARTING] = {"starting", STATE_BIT(SUPERVISOR_SERVING) |
                                             STATE_BIT(SUPERVISOR_DRAINING) |
                                             STATE_BIT(SUPERVISOR_ENDED)},
    [SUPERVISOR_SERVING] = {"serving", STATE_BIT(SUPERVISOR_DRAINING)},
    [SUPERVISOR_DRAINING] = {"draining", STATE_BIT(SUPERVISOR_ENDED)},
    [SUPERVISOR_ENDED] = {"ended", 0},
};
static const struct state_table supervisor_states = {"supervisor", supervisor_rows,
                                                     ARRAY_LENGTH(supervisor_rows)};

struct supervisor {
    const struct command_line *command_line;
    uint8_t state; /* enum supervisor_state */
    int exit_status;
    struct reload reload;
    /* Who sent the last SIGTERM, SIGINT or SIGHUP; "" when a drain was asked for without one. */
    char signaller[RELOAD_SIGNALLER_SIZE];
    struct control_socket control; /* every worker inherits it; its fd is -1 without a socket */
    struct machine_files files;
    struct process_limits limits;
    enum relay_mode relay_mode;
    unsigned threads; /* that carry tunnels, in each worker */
    int signal_fd;    /* a signalfd; -1: not opened yet */
    struct worker_process worker;
    uint64_t started_ms;         /* CLOCK_MONOTONIC, of adit itself */
    uint64_t restarts;           /* workers that died while adit served */
    uint64_t start_worker_at_ms; /* CLOCK_NEVER_MS unless a new worker is due */
    uint64_t kill_worker_at_ms;  /* CLOCK_NEVER_MS unless the worker is expected to end */
};

static void supervisor_move_to(struct supervisor *supervisor, enum supervisor_state state)
{
    state_move(&supervisor_states, &supervisor->state, state, 0);
}

static void supervisor_end(struct supervisor *supervisor, int exit_status)
{
    supervisor_move_to(supervisor, SUPERVISOR_ENDED);
    supervisor->exit_status = exit_status;
}

/* -- the worker */

/* Runs in the child after fork and does not return. It closes what belongs to the supervisor alone,
 * so that the worker holds no descriptor that it does not need. */
static void become_worker(void *self, int channel_fd)
{
    struct supervisor *supervisor = self;
    static const int ignored_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    const struct worker_plan plan = {
        .command_line = supervisor->command_line,
        .channel_fd = channel_fd,
        .control_fd = supervisor->control.fd,
        .threads = supervisor->threads,
        .relay_mode = supervisor->relay_mode,
        .limits = supervisor->limits,
        .adit_started_ms = supervisor->started_ms,
        .restarts = supervisor->restarts,
        .reload = &supervisor->reload.report,
    };

    /* A terminal sends its Ctrl-C to the whole process group; only the supervisor decides what that
     * means, and tells the worker over the channel. */
    for (size_t i = 0; i < ARRAY_LENGTH(ignored_signals); i++)
        signal(ignored_signals[i], SIG_IGN);
    close(supervisor->signal_fd);
    machine_files_close(&supervisor->files);
    /* The worker gets what it needs of the configuration through the channel, as it does later at a
     * reload. */
    reload_drop(&supervisor->reload);
    exit(worker_run(&plan));
}

/* Forks a worker and sends it the configuration and the files of /etc. Returns 0 or -errno; after
 * an error there may be a worker already, which the caller kills. */
static int start_worker(struct supervisor *supervisor)
{
    supervisor->start_worker_at_ms = CLOCK_NEVER_MS;
    int error = worker_process_start(&supervisor->worker, become_worker, supervisor);
    if (error < 0)
        return error;
    error = configuration_send(&supervisor->reload.current, supervisor->worker.channel_fd);
    if (error < 0)
        return error;
    machine_files_send(&supervisor->files, supervisor->worker.channel_fd, NULL);
    return 0;
}

static void replace_worker(struct supervisor *supervisor)
{
    int error = start_worker(supervisor);

    if (error == 0)
        return;
    worker_process_kill(&supervisor->worker);
    say("can't start a new worker: %s; trying again in a second", strerror(-error));
    supervisor->start_worker_at_ms = clock_monotonic_ms() + SHORT_LIFE_MS;
}

/* The worker was waited for, and `status` is what waitpid said. Ends the supervisor, or sets the
 * time at which the next worker starts. */
static void worker_ended(struct supervisor *supervisor, int status)
{
    pid_t pid = supervisor->worker.pid;
    uint64_t earliest = supervisor->worker.started_ms + SHORT_LIFE_MS;
    bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    worker_process_ended(&supervisor->worker);
    supervisor->kill_worker_at_ms = CLOCK_NEVER_MS;
    reload_worker_ended(&supervisor->reload);
    if (supervisor->state == SUPERVISOR_STARTING) {
        if (WIFSIGNALED(status))
            worker_process_say_end(pid, status, "it never served");
        supervisor_end(supervisor, 1);
    } else if (supervisor->state == SUPERVISOR_DRAINING) {
        if (!is_clean)
            worker_process_say_end(pid, status, "its tunnels are closed");
        supervisor_end(supervisor, is_clean ? 0 : 1);
    } else {
        uint64_t now = clock_monotonic_ms();

        worker_process_say_end(pid, status, "its tunnels are closed, a new one starts");
        supervisor->restarts++;
        supervisor->start_worker_at_ms = earliest > now ? earliest : now;
    }
}

/* Several children that end together may raise one SIGCHLD only, so this waits until none is left.
 */
static void reap(struct supervisor *supervisor)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);

    while (pid > 0) {
        if (pid == supervisor->worker.pid)
            worker_ended(supervisor, status);
        pid = waitpid(-1, &status, WNOHANG);
    }
}

/* -- ending */

/* Writes into `signaller` who sent the signal, for the log. A signal of the kernel (a key of the
 * terminal, or a terminal that hangs up) has no sender. A sender in another pid namespace is shown
 * as pid 0, as the kernel reports it. */
static void note_signaller(struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
    const char *name = sigabbrev_np((int)info->ssi_signo);

    if (info->ssi_code == SI_KERNEL)
        snprintf(supervisor->signaller, sizeof(supervisor->signaller), "the terminal, with SIG%s",
                 name);
    else
        snprintf(supervisor->signaller, sizeof(supervisor->signaller), "uid %u, pid %d, with SIG%s",
                 info->ssi_uid, (int)info->ssi_pid, name);
}

/* Sends a message whose text is `signaller`: the log line that it causes names the sender. */
static int send_signalled(struct supervisor *supervisor, enum channel_kind kind)
{
    return channel_send_all(supervisor->worker.channel_fd, kind, NULL, 0, supervisor->signaller,
                            strlen(supervisor->signaller));
}

/* Stops listening and tells the worker to drain, which waits for its tunnels to end, but not longer
 * than the drain time. A reload that goes on is dropped. */
static void supervisor_drain(struct supervisor *supervisor)
{
    if (supervisor->state == SUPERVISOR_DRAINING)
        return;
    supervisor_move_to(supervisor, SUPERVISOR_DRAINING);
    supervisor->start_worker_at_ms = CLOCK_NEVER_MS;
    reload_abandon(&supervisor->reload);
    configuration_stop_listening(&supervisor->reload.current);
    if (supervisor->worker.pid == 0) {
        supervisor_end(supervisor, 0);
        return;
    }
    supervisor->kill_worker_at_ms =
        clock_monotonic_ms() + supervisor->reload.current.drain_timeout_ms + KILL_AFTER_MS;
    int error = send_signalled(supervisor, CHANNEL_DRAIN);
    /* A full channel means that the worker does not read: it is killed when its time is over. A
     * closed one means that it is ending already. */
    (void)error;
}

/* The first SIGTERM or SIGINT drains. The second one ends at once: the worker closes its tunnels
 * and has a moment to write the last log lines. */
static void told_to_end(struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
    uint64_t soon = clock_monotonic_ms() + KILL_AFTER_MS;

    note_signaller(supervisor, info);
    if (supervisor->state != SUPERVISOR_DRAINING) {
        supervisor_drain(supervisor);
    } else if (send_signalled(supervisor, CHANNEL_END) < 0) {
        worker_process_kill(&supervisor->worker);
        supervisor_end(supervisor, 0);
    } else if (soon < supervisor->kill_worker_at_ms) {
        supervisor->kill_worker_at_ms = soon;
    }
}

/* -- reload */

static void reload_if_wanted(struct supervisor *supervisor)
{
    /* While there is no worker that is ready, the reload stays wanted and waits for one. */
    if (supervisor->state == SUPERVISOR_SERVING && supervisor->worker.is_ready &&
        reload_is_due(&supervisor->reload))
        reload_begin(&supervisor->reload, supervisor->worker.channel_fd, &supervisor->files,
                     supervisor->signaller);
}

/* For SIGUSR1, which log rotation sends: opens the log file again by its name and gives the worker
 * the new descriptor. When it can't be opened, the old one is kept, so that no line is lost. */
static void reopen_log(struct supervisor *supervisor)
{
    int error = configuration_reopen_log(&supervisor->reload.current);
    char buffer[MESSAGE_BYTES];
    struct text why;

    if (error < 0) {
        text_init(&why, buffer, sizeof(buffer));
        log_file_explain(&why, supervisor->reload.current.log_path, error);
        say("kept the old log: can't open %s", buffer);
    } else if (supervisor->reload.current.log_fd >= 0 && supervisor->worker.channel_fd >= 0) {
        error = channel_send(supervisor->worker.channel_fd, CHANNEL_LOG,
                             supervisor->reload.current.log_fd);
        if (error < 0)
            say("can't tell the worker of the new log: %s; try again", strerror(-error));
    }
}

/* -- what happens */

/* The worker sends CHANNEL_READY when it begins to serve, and then once for each reload, when it
 * has emptied the queues of the old listeners. */
static void worker_is_ready(struct supervisor *supervisor)
{
    supervisor->worker.is_ready = true;
    if (supervisor->state == SUPERVISOR_STARTING) {
        supervisor_move_to(supervisor, SUPERVISOR_SERVING);
        announce_start(&supervisor->reload.current.listeners, supervisor->threads);
    }
    reload_retired(&supervisor->reload);
}

/* Returns false for a message that a correct worker can't send now; the worker is not trusted, and
 * is killed for it. While draining everything is let pass: a drain drops the reload that goes on,
 * and the worker's answers to that reload may still be under way. */
static bool is_awaited(const struct supervisor *supervisor, enum channel_kind kind)
{
    if (supervisor->state == SUPERVISOR_DRAINING)
        return true;
    if (kind == CHANNEL_READY)
        return !supervisor->worker.is_ready || supervisor->reload.state == RELOAD_RETIRING;
    return kind != CHANNEL_TAKEN || supervisor->reload.state == RELOAD_SENT;
}

static void supervisor_take_message(struct supervisor *supervisor,
                                    const struct channel_message *message)
{
    if (!is_awaited(supervisor, message->kind)) {
        worker_process_condemn(&supervisor->worker, "an answer to nothing");
        return;
    }
    switch (message->kind) {
    case CHANNEL_DRAIN:
        supervisor->signaller[0] = '\0'; /* who asked is in the log */
        supervisor_drain(supervisor);
        break;
    case CHANNEL_READY:
        worker_is_ready(supervisor);
        break;
    case CHANNEL_RELOAD:
        supervisor->reload.asks++;
        if (supervisor->state == SUPERVISOR_DRAINING)
            reload_refuse(&supervisor->reload, supervisor->worker.channel_fd);
        break;
    case CHANNEL_TAKEN:
        reload_taken(&supervisor->reload, supervisor->worker.channel_fd, message->text);
        break;
    default:
        break;
    }
}

static void hear_worker(struct supervisor *supervisor)
{
    struct channel_message message;
    int error = worker_process_hear(&supervisor->worker, &message);

    if (error == 0)
        supervisor_take_message(supervisor, &message);
    /* A worker whose channel is closed is most likely ending, and SIGCHLD tells how. If it does not
     * end, it is killed: without a channel it is of no use. */
    if (error == -EPIPE && supervisor->kill_worker_at_ms == CLOCK_NEVER_MS)
        supervisor->kill_worker_at_ms = clock_monotonic_ms() + KILL_AFTER_MS;
}

static void hear_hangup(struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
    supervisor->reload.is_wanted = true;
    note_signaller(supervisor, info);
}

static void hear_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;

    while (supervisor->state != SUPERVISOR_ENDED &&
           read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        int number = (int)info.ssi_signo;

        if (number == SIGCHLD)
            reap(supervisor);
        else if (number == SIGTERM || number == SIGINT)
            told_to_end(supervisor, &info);
        else if (number == SIGHUP)
            hear_hangup(supervisor, &info);
        else if (number == SIGUSR1)
            reopen_log(supervisor);
        else
            say("%s means nothing yet; SIGTERM drains and ends", strsignal(number));
    }
}

static void kill_late_worker(struct supervisor *supervisor)
{
    say("worker %d does not end in time; killed it", (int)supervisor->worker.pid);
    supervisor->kill_worker_at_ms = CLOCK_NEVER_MS;
    if (supervisor->state == SUPERVISOR_DRAINING) {
        worker_process_kill(&supervisor->worker);
        supervisor_end(supervisor, 0);
    } else {
        kill(supervisor->worker.pid, SIGKILL); /* SIGCHLD follows, and a new worker starts */
    }
}

static void do_what_is_due(struct supervisor *supervisor)
{
    uint64_t now = clock_monotonic_ms();

    if (supervisor->start_worker_at_ms <= now)
        replace_worker(supervisor);
    if (supervisor->files.send_at_ms <= now)
        machine_files_send(&supervisor->files, supervisor->worker.channel_fd, NULL);
    if (supervisor->kill_worker_at_ms <= now)
        kill_late_worker(supervisor);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Returns how long poll may wait, in milliseconds; -1: until a descriptor has something. */
static int supervisor_wait_ms(const struct supervisor *supervisor)
{
    uint64_t at = earlier(supervisor->kill_worker_at_ms,
                          earlier(supervisor->files.send_at_ms, supervisor->start_worker_at_ms));
    uint64_t now = clock_monotonic_ms();

    if (at == CLOCK_NEVER_MS)
        return -1;
    return at > now ? (int)(at - now) : 0;
}

static void supervisor_serve(struct supervisor *supervisor)
{
    while (supervisor->state != SUPERVISOR_ENDED) {
        struct pollfd fds[] = {
            {.fd = supervisor->signal_fd, .events = POLLIN},
            {.fd = worker_process_poll_fd(&supervisor->worker), .events = POLLIN},
            {.fd = machine_files_poll_fd(&supervisor->files), .events = POLLIN},
        };

        if (poll(fds, ARRAY_LENGTH(fds), supervisor_wait_ms(supervisor)) > 0) {
            if (fds[1].revents != 0)
                hear_worker(supervisor);
            if (fds[2].revents != 0)
                machine_files_hear(&supervisor->files);
            if (fds[0].revents != 0)
                hear_signals(supervisor);
        }
        if (supervisor->state != SUPERVISOR_ENDED)
            do_what_is_due(supervisor);
        reload_if_wanted(supervisor);
    }
}

/* -- starting */

/* ADIT_RELAY is for tests and measurements: it forces one way of moving bytes. A wrong value is an
 * error and not ignored, since a measurement of the wrong thing would look like a result. */
static int read_relay_mode(enum relay_mode *ret_mode)
{
    static const struct {
        const char *name;
        enum relay_mode mode;
    } modes[] = {{"auto", RELAY_AUTO}, {"copy", RELAY_COPY}, {"splice", RELAY_SPLICE}};
    const char *name = getenv("ADIT_RELAY");

    if (name == NULL)
        name = "auto";
    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        if (strcmp(name, modes[i].name) == 0) {
            *ret_mode = modes[i].mode;
            return 0;
        }
    }
    say("ADIT_RELAY is '%.80s'; write auto, copy or splice, or unset it", name);
    return -EINVAL;
}

static int supervisor_take_signals(struct supervisor *supervisor)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;

    /* With `stty tostop` a background process that writes to the terminal would be stopped. */
    signal(SIGTTOU, SIG_IGN);
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        /* adit may have been started with a signal ignored, as nohup does. A signalfd does not
         * report an ignored signal, and with SIGCHLD ignored waitpid would get no status. */
        signal(numbers[i], SIG_DFL);
        sigaddset(&set, numbers[i]);
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
    supervisor->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (supervisor->signal_fd >= 0)
        return 0;
    say("can't listen to signals: %s; see 'ulimit -n'", strerror(errno));
    return -errno;
}

static const char *explain_control_error(int error)
{
    switch (-error) {
    case EADDRINUSE:
        return "another adit answers there";
    case EEXIST:
        return "that file is no socket";
    default:
        return strerror(-error);
    }
}

/* Opens the control socket. When nobody named a path and the default one can't be made, adit warns
 * and serves without it; when somebody named one, that is an error. Returns 0 or -errno. */
static int open_control(struct supervisor *supervisor)
{
    const char *named = supervisor->reload.current.control_path;
    struct control_places places;

    control_places_init(&places, named);
    if (strcmp(places.paths[0], "/run/adit/adit.sock") == 0)
        mkdir("/run/adit", 0755); /* root may; for others the open below fails and says why */
    int error = control_socket_open(places.paths[0], &supervisor->control);
    if (error == 0)
        return 0;
    say("%scan't make the control socket %s: %s; name another with -s or `control`",
        named != NULL ? "" : "warning: ", places.paths[0], explain_control_error(error));
    return named != NULL ? error : 0;
}

static int supervisor_open_all(struct supervisor *supervisor)
{
    int error = reload_load_first(&supervisor->reload);
    if (error < 0)
        return error;
    error = open_control(supervisor);
    if (error < 0)
        return error;
    machine_files_open(&supervisor->files);
    return 0;
}

static void supervisor_close_all(struct supervisor *supervisor)
{
    worker_process_kill(&supervisor->worker);
    reload_drop(&supervisor->reload);
    control_socket_close(&supervisor->control);
    machine_files_close(&supervisor->files);
    if (supervisor->signal_fd >= 0)
        close(supervisor->signal_fd);
}

int supervisor_run(const struct command_line *command_line)
{
    struct supervisor supervisor = {
        .command_line = command_line,
        .exit_status = 1,
        .control.fd = -1,
        .signal_fd = -1,
        .threads = command_line->workers > 0 ? command_line->workers : process_count_cores(),
        .started_ms = clock_monotonic_ms(),
        .start_worker_at_ms = CLOCK_NEVER_MS,
        .kill_worker_at_ms = CLOCK_NEVER_MS,
    };

    worker_process_init(&supervisor.worker);
    reload_init(&supervisor.reload, command_line);
    process_limits_read(&supervisor.limits);
    if (read_relay_mode(&supervisor.relay_mode) == 0 && supervisor_take_signals(&supervisor) == 0 &&
        supervisor_open_all(&supervisor) == 0) {
        int error = start_worker(&supervisor);
        if (error == 0)
            supervisor_serve(&supervisor);
        else
            say("can't start the worker: %s; see 'ulimit -u'", strerror(-error));
    }
    supervisor_close_all(&supervisor);
    return supervisor.exit_status;
}
