/* One thread around poll(): signals (a signalfd), the channel to the worker, the watch on the two
 * files of /etc, and a few points in time.
 *
 * States: starting (the first worker is not ready; its end is ours), serving (a worker that dies is
 * replaced), draining (the worker's end is ours). The listeners stay open here while serving, so
 * that between two workers connections wait in the kernel's queue and none is refused.
 *
 * A reload is: read, validate and open everything (configuration_load); send it to the worker; when
 * the worker goes by it (CHANNEL_TAKEN), give up what is old, close what listeners are gone, and
 * tell the worker (CHANNEL_RELOADED), which empties their queues and says when it is done
 * (CHANNEL_READY). Until the worker has taken it, the old configuration is what a new worker would
 * get. One reload at a time; whoever asks meanwhile has one of his own afterwards.
 *
 * The surprise is fork without exec: the worker begins inside become_worker, with a copy
 * of everything that the supervisor has; it closes what is not its own and never returns to the
 * loop. Until then this process has one thread, so nothing can be half-done in the copy.
 */
#include "supervisor/supervisor.h"

#include "admin/control_socket.h"
#include "base/state.h"
#include "process/channel.h"
#include "process/reload_result.h"
#include "supervisor/configuration.h"
#include "supervisor/log_file.h"
#include "supervisor/machine_files.h"
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
    SHORT_LIFE_MS = 1000, /* a worker that dies younger is replaced at this age */
    KILL_AFTER_MS = 1000, /* beyond the drain time, or the second signal */
    MESSAGE_BYTES = 512,
};

enum reload_state {
    RELOAD_NONE,
    RELOAD_SENT,     /* the worker has `next` */
    RELOAD_RETIRING, /* the worker empties old listeners */
};

static const struct state_row reload_rows[] = {
    [RELOAD_NONE] = {"none", STATE_BIT(RELOAD_SENT)},
    [RELOAD_SENT] = {"sent", STATE_BIT(RELOAD_RETIRING) | STATE_BIT(RELOAD_NONE)},
    [RELOAD_RETIRING] = {"retiring", STATE_BIT(RELOAD_NONE)},
};
static const struct state_table reload_states = {"reload", reload_rows, ARRAY_LENGTH(reload_rows)};

enum supervisor_state {
    SUPERVISOR_STARTING,
    SUPERVISOR_SERVING,
    SUPERVISOR_DRAINING,
    SUPERVISOR_ENDED,
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
    struct configuration current;
    struct configuration next; /* while RELOAD_SENT */
    uint8_t reload;            /* enum reload_state */
    bool is_reload_wanted;
    unsigned asks;         /* over the channel, for the reload that comes next */
    unsigned current_asks; /* for the one that goes on */
    /* Who sent the last signal; and the SIGHUP of the reload that goes on, "": nobody. */
    char signaller[RELOAD_SIGNALLER_SIZE];
    char current_signaller[RELOAD_SIGNALLER_SIZE];
    struct reload_report report;
    char *message; /* CHANNEL_TEXT_MAX; its diagnostics */
    struct control_socket control;
    struct machine_files files;
    struct process_limits limits;
    enum relay_mode relay_mode;
    unsigned threads;
    int signal_fd;
    struct worker_process worker;
    uint64_t started_ms;
    uint64_t restarts;
    uint64_t start_worker_at_ms;
    uint64_t kill_worker_at_ms;
};

static void supervisor_move_to(struct supervisor *supervisor, enum supervisor_state state)
{
    state_move(&supervisor_states, &supervisor->state, state, 0);
}

static void supervisor_move_reload(struct supervisor *supervisor, enum reload_state state)
{
    state_move(&reload_states, &supervisor->reload, state, 0);
}

static void supervisor_end(struct supervisor *supervisor, int exit_status)
{
    supervisor_move_to(supervisor, SUPERVISOR_ENDED);
    supervisor->exit_status = exit_status;
}

/* -- the worker */

/* In the child; does not return. */
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
        .reload = &supervisor->report,
    };

    /* A terminal's Ctrl-C reaches the whole group; only the supervisor decides what it means. */
    for (size_t i = 0; i < ARRAY_LENGTH(ignored_signals); i++)
        signal(ignored_signals[i], SIG_IGN);
    close(supervisor->signal_fd);
    machine_files_close(&supervisor->files);
    /* What the worker needs of it comes through the channel. */
    configuration_drop(&supervisor->current, NULL);
    free(supervisor->message);
    exit(worker_run(&plan));
}

/* 0 or -errno. */
static int start_worker(struct supervisor *supervisor)
{
    supervisor->start_worker_at_ms = CLOCK_NEVER_MS;
    int error = worker_process_start(&supervisor->worker, become_worker, supervisor);
    if (error < 0)
        return error;
    error = configuration_send(&supervisor->current, supervisor->worker.channel_fd);
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

/* It ended in the middle of a reload: whoever asked has lost his connection with it. */
static void forget_reload(struct supervisor *supervisor)
{
    if (supervisor->reload == RELOAD_SENT) {
        static const char why[] =
            "adit: the worker ended before it took the new configuration; kept the old";

        say_plainly("%s", why);
        reload_report_note(&supervisor->report, clock_wall_ms(), false,
                           supervisor->command_line->config_path, why);
        configuration_drop(&supervisor->next, &supervisor->current);
    }
    if (supervisor->reload != RELOAD_NONE)
        supervisor_move_reload(supervisor, RELOAD_NONE);
    supervisor->asks = 0;
}

static void worker_ended(struct supervisor *supervisor, int status)
{
    pid_t pid = supervisor->worker.pid;
    uint64_t earliest = supervisor->worker.started_ms + SHORT_LIFE_MS;
    bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    worker_process_ended(&supervisor->worker);
    supervisor->kill_worker_at_ms = CLOCK_NEVER_MS;
    forget_reload(supervisor);
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

/* The terminal's keys, and a terminal that hangs up, have no process; nor has, as seen from here,
 * one of another pid namespace. */
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

/* With who sent the signal for it, if one did. */
static int send_signalled(struct supervisor *supervisor, enum channel_kind kind)
{
    return channel_send_all(supervisor->worker.channel_fd, kind, NULL, 0, supervisor->signaller,
                            strlen(supervisor->signaller));
}

static void supervisor_drain(struct supervisor *supervisor)
{
    if (supervisor->state == SUPERVISOR_DRAINING)
        return;
    supervisor_move_to(supervisor, SUPERVISOR_DRAINING);
    supervisor->start_worker_at_ms = CLOCK_NEVER_MS;
    if (supervisor->reload == RELOAD_SENT)
        configuration_drop(&supervisor->next, &supervisor->current);
    if (supervisor->reload != RELOAD_NONE)
        supervisor_move_reload(supervisor, RELOAD_NONE);
    configuration_stop_listening(&supervisor->current);
    if (supervisor->worker.pid == 0) {
        supervisor_end(supervisor, 0);
        return;
    }
    supervisor->kill_worker_at_ms =
        clock_monotonic_ms() + supervisor->current.drain_timeout_ms + KILL_AFTER_MS;
    int error = send_signalled(supervisor, CHANNEL_DRAIN);
    /* Full: it does not read, and is killed when its time is over. Closed: it is ending. */
    (void)error;
}

/* The first time drains, the second time ends at once, with a moment for the last log lines. */
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

/* -- what it says of itself */

/* The endpoint as this machine's own programs reach it. */
static void print_reachable(struct text *out, const struct ip_endpoint *bound)
{
    static const uint8_t loopback_v4[4] = {127, 0, 0, 1};
    static const uint8_t loopback_v6[16] = {[15] = 1};
    struct ip_endpoint endpoint = *bound;

    if (ip_address_is_unspecified(&endpoint.address))
        endpoint.address = endpoint.address.family == IP_V4 ? ip_address_from_v4(loopback_v4)
                                                            : ip_address_from_v6(loopback_v6);
    ip_endpoint_print(out, &endpoint);
}

/* When a reload has brought or moved it. */
static void say_admin_page(const struct listener *admin)
{
    char name[IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    text_init(&text, name, sizeof(name));
    print_reachable(&text, &admin->bound);
    say("admin page on http://%s/", name);
}

/* -- reload */

/* Whoever asked gets the diagnostics, most likely on the same terminal. */
static bool is_shown_there(const struct supervisor *supervisor)
{
    return supervisor->current_asks > 0 && supervisor->current_signaller[0] == '\0' &&
           isatty(STDERR_FILENO);
}

/* False: full or closed; the worker hangs or ends, and is replaced. */
static bool supervisor_answer_reload(struct supervisor *supervisor, const struct text *answer)
{
    return supervisor->worker.channel_fd >= 0 &&
           channel_send_all(supervisor->worker.channel_fd, CHANNEL_RELOADED, NULL, 0, answer->start,
                            answer->length) == 0;
}

/* For those who asked, and on stderr for those who look there. */
static void tell_reloaded(struct supervisor *supervisor, bool is_good)
{
    struct reload_result result = {
        .is_good = is_good, .asks = supervisor->current_asks, .message = supervisor->message};
    char answer[CHANNEL_TEXT_MAX];
    struct text text;

    memcpy(result.signaller, supervisor->current_signaller, sizeof(result.signaller));
    text_init(&text, answer, sizeof(answer));
    reload_result_print(&text, &result);
    reload_report_note(&supervisor->report, clock_wall_ms(), is_good,
                       supervisor->command_line->config_path, supervisor->message);
    bool is_told = supervisor_answer_reload(supervisor, &text);
    if (!is_told || !is_shown_there(supervisor))
        say_lines(supervisor->message);
    supervisor->current_asks = 0;
    say(is_good ? "reloaded the configuration"
                : "kept the old configuration; mend the new one and reload again");
}

static void supervisor_reload(struct supervisor *supervisor)
{
    struct text message;

    if (supervisor->is_reload_wanted)
        memcpy(supervisor->current_signaller, supervisor->signaller, sizeof(supervisor->signaller));
    else
        supervisor->current_signaller[0] = '\0';
    supervisor->is_reload_wanted = false;
    supervisor->current_asks = supervisor->asks;
    supervisor->asks = 0;
    text_init(&message, supervisor->message, CHANNEL_TEXT_MAX);
    /* Whatever comes of the rest, and watched or not. */
    machine_files_send(&supervisor->files, supervisor->worker.channel_fd, &message);
    int error = configuration_load(&supervisor->next, supervisor->command_line,
                                   &supervisor->current, &message);
    if (error == 0) {
        error = configuration_send(&supervisor->next, supervisor->worker.channel_fd);
        if (error == 0) {
            supervisor_move_reload(supervisor, RELOAD_SENT);
            return;
        }
        text_add(&message, "adit: can't tell the worker: ");
        text_add(&message, strerror(-error));
        text_add(&message, "; try again\n");
        configuration_drop(&supervisor->next, &supervisor->current);
    }
    tell_reloaded(supervisor, false);
}

static void refuse_reload(struct supervisor *supervisor)
{
    struct text message;

    supervisor->current_signaller[0] = '\0';
    supervisor->current_asks += supervisor->asks;
    supervisor->asks = 0;
    text_init(&message, supervisor->message, CHANNEL_TEXT_MAX);
    text_add(&message, "adit: it drains, and takes no new configuration\n");
    tell_reloaded(supervisor, false);
}

static void reload_if_wanted(struct supervisor *supervisor)
{
    bool is_wanted = supervisor->is_reload_wanted || supervisor->asks > 0;

    /* Between two workers it waits for the next. */
    if (is_wanted && supervisor->state == SUPERVISOR_SERVING && supervisor->reload == RELOAD_NONE &&
        supervisor->worker.is_ready)
        supervisor_reload(supervisor);
}

static void config_taken(struct supervisor *supervisor, const char *why_not)
{
    if (supervisor->reload != RELOAD_SENT)
        return;
    if (why_not[0] != '\0') {
        struct text message;

        text_init(&message, supervisor->message, CHANNEL_TEXT_MAX);
        text_add(&message, "adit: the worker can't take the configuration: ");
        text_add(&message, why_not);
        text_add(&message, "\n");
        configuration_drop(&supervisor->next, &supervisor->current);
        supervisor_move_reload(supervisor, RELOAD_NONE);
        tell_reloaded(supervisor, false);
        return;
    }
    const struct listener *admin = listener_set_first(&supervisor->next.listeners, LISTENER_ADMIN);
    bool is_admin_new = admin != NULL &&
                        listener_set_find_socket(&supervisor->current.listeners, admin->id) == NULL;
    configuration_drop(&supervisor->current, &supervisor->next);
    supervisor->current = supervisor->next;
    configuration_init(&supervisor->next);
    supervisor_move_reload(supervisor, RELOAD_RETIRING);
    tell_reloaded(supervisor, true);
    if (is_admin_new)
        say_admin_page(listener_set_first(&supervisor->current.listeners, LISTENER_ADMIN));
}

static void reopen_log(struct supervisor *supervisor)
{
    int error = configuration_reopen_log(&supervisor->current);
    char buffer[MESSAGE_BYTES];
    struct text why;

    if (error < 0) {
        text_init(&why, buffer, sizeof(buffer));
        log_file_explain(&why, supervisor->current.log_path, error);
        say("kept the old log: can't open %s", buffer);
    } else if (supervisor->current.log_fd >= 0 && supervisor->worker.channel_fd >= 0) {
        error =
            channel_send(supervisor->worker.channel_fd, CHANNEL_LOG, supervisor->current.log_fd);
        if (error < 0)
            say("can't tell the worker of the new log: %s; try again", strerror(-error));
    }
}

/* -- what happens */

static void print_start_line(const struct supervisor *supervisor)
{
    char names[LISTENERS_MAX * (IP_ENDPOINT_TEXT_SIZE + 2)];
    char example_name[IP_ENDPOINT_TEXT_SIZE];
    char page[IP_ENDPOINT_TEXT_SIZE + 40];
    const struct listener_set *listeners = &supervisor->current.listeners;
    const struct listener *first = listener_set_first(listeners, LISTENER_TUNNELS);
    const struct listener *admin = listener_set_first(listeners, LISTENER_ADMIN);
    struct text text;

    text_init(&text, names, sizeof(names));
    for (size_t i = 0; i < listener_set_count(listeners, LISTENER_TUNNELS); i++) {
        text_add(&text, i > 0 ? ", " : "");
        ip_endpoint_print(&text, &listeners->all[i].bound);
    }
    text_init(&text, example_name, sizeof(example_name));
    print_reachable(&text, &first->bound);
    text_init(&text, page, sizeof(page));
    if (admin != NULL) {
        text_add(&text, "\nadit: admin page on http://");
        print_reachable(&text, &admin->bound);
        text_add(&text, "/");
    }
    say_plainly("adit %s listening on %s (%u worker%s); try: curl -v --http1.1 --proxy http://%s/ "
                "https://example.com/%s",
                ADIT_VERSION, names, supervisor->threads, supervisor->threads == 1 ? "" : "s",
                example_name, page);
}

static void worker_is_ready(struct supervisor *supervisor)
{
    supervisor->worker.is_ready = true;
    if (supervisor->state == SUPERVISOR_STARTING) {
        supervisor_move_to(supervisor, SUPERVISOR_SERVING);
        print_start_line(supervisor);
    }
    if (supervisor->reload == RELOAD_RETIRING)
        supervisor_move_reload(supervisor, RELOAD_NONE);
}

/* A drain forgets the reload that it overtakes; what the worker says of that one may still come. */
static bool is_awaited(const struct supervisor *supervisor, enum channel_kind kind)
{
    if (supervisor->state == SUPERVISOR_DRAINING)
        return true;
    if (kind == CHANNEL_READY)
        return !supervisor->worker.is_ready || supervisor->reload == RELOAD_RETIRING;
    return kind != CHANNEL_TAKEN || supervisor->reload == RELOAD_SENT;
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
        supervisor->asks++;
        if (supervisor->state == SUPERVISOR_DRAINING)
            refuse_reload(supervisor);
        break;
    case CHANNEL_TAKEN:
        config_taken(supervisor, message->text);
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
    /* It is ending, and SIGCHLD tells how; without a channel it is of no use. */
    if (error == -EPIPE && supervisor->kill_worker_at_ms == CLOCK_NEVER_MS)
        supervisor->kill_worker_at_ms = clock_monotonic_ms() + KILL_AFTER_MS;
}

static void hear_hangup(struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
    supervisor->is_reload_wanted = true;
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
        kill(supervisor->worker.pid, SIGKILL); /* SIGCHLD tells of it */
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

    signal(SIGTTOU, SIG_IGN); /* a line to a terminal with `stty tostop` is no reason to stop */
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        /* Somebody may have started us with it ignored (nohup); a signalfd then hears nothing, and
         * an ignored SIGCHLD would take the worker's status away. */
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

/* A default one that can't be made is a warning, one that was named an error. */
static int open_control(struct supervisor *supervisor)
{
    const char *named = supervisor->current.control_path;
    struct control_places places;

    control_places_init(&places, named);
    if (strcmp(places.paths[0], "/run/adit/adit.sock") == 0)
        mkdir("/run/adit", 0755); /* for root; whoever may not is told below */
    int error = control_socket_open(places.paths[0], &supervisor->control);
    if (error == 0)
        return 0;
    say("%scan't make the control socket %s: %s; name another with -s or `control`",
        named != NULL ? "" : "warning: ", places.paths[0], explain_control_error(error));
    return named != NULL ? error : 0;
}

static int open_configuration(struct supervisor *supervisor)
{
    const struct configuration nothing = {.bundle_fd = -1, .log_fd = -1};
    char line[MESSAGE_BYTES];
    struct text message;

    text_init(&message, line, sizeof(line));
    if (supervisor->command_line->config_path == NULL &&
        command_line_check(supervisor->command_line, &message) < 0) {
        say("%s", line);
        return -EINVAL;
    }
    supervisor->message = malloc(CHANNEL_TEXT_MAX);
    if (supervisor->message == NULL) {
        say("no memory");
        return -ENOMEM;
    }
    text_init(&message, supervisor->message, CHANNEL_TEXT_MAX);
    int error =
        configuration_load(&supervisor->current, supervisor->command_line, &nothing, &message);
    say_lines(supervisor->message);
    return error;
}

static int supervisor_open_all(struct supervisor *supervisor)
{
    int error = open_configuration(supervisor);
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
    if (supervisor->reload == RELOAD_SENT)
        configuration_drop(&supervisor->next, &supervisor->current);
    configuration_drop(&supervisor->current, NULL);
    free(supervisor->message);
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
    reload_report_init(&supervisor.report, clock_wall_ms());
    configuration_init(&supervisor.current);
    configuration_init(&supervisor.next);
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
