/* One loop waits for the keyboard, the control socket, signals and points in time. Once per second
 * it begins a round: it asks adit for its figures, and when the answer is there, for its tunnels.
 * Only one question is under way at a time; keys are taken meanwhile. A kill that the user has
 * confirmed is asked before the next round. When adit does not answer, or the answer can't be read,
 * the screen says so, and a new round begins a second later.
 *
 * A long list of tunnels costs adit time, too. So the pause after a round is at least four times as
 * long as the round took: rounds take at most a fifth of the time.
 *
 * Signals are read from a signalfd, so that ordinary code, and no signal handler, gives the
 * terminal back. Job control (Ctrl-Z) is left to ncurses.
 */
#include "top/top.h"

#include "admin/control_socket.h"
#include "admin/json.h"
#include "system/clock.h"
#include "top/top_link.h"
#include "top/top_screen.h"
#include "top/top_ui.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    REFRESH_MS = 1000,  /* from one round to the next, when adit answers at once */
    PAUSE_FACTOR = 4,   /* a pause is at least this many times as long as the round before it */
    REQUEST_SIZE = 256, /* the longest question is a kill with an id */
};

enum top_question { QUESTION_STATS, QUESTION_TUNNELS, QUESTION_KILL };

struct top {
    struct top_ui ui;
    struct top_screen *screen;
    struct top_link link;
    const char *path;
    int signal_fd;
    enum top_question question; /* the one under way, or the last one */
    bool is_kill_wanted;        /* confirmed, and not asked yet: the tunnel ui.kill_id */
    uint64_t begin_ms;          /* of the round under way, or the last one; CLOCK_MONOTONIC */
    uint64_t next_ms;           /* when the next round begins; not while the user pauses */
    bool is_done;
};

static bool is_asking(const struct top *top)
{
    return top->link.fd >= 0;
}

/* -- questions and answers */

/* Notes that the question under way has no answer, and when to try again. Of a kill it is then not
 * known whether adit has done it, so it is not repeated. */
static void fall_silent(struct top *top)
{
    top->ui.peer = TOP_PEER_SILENT;
    top->next_ms = clock_monotonic_ms() + REFRESH_MS;
    if (top->question == QUESTION_KILL)
        top_ui_say(&top->ui, true, "adit did not answer; nothing is known of the kill",
                   clock_monotonic_ms());
}

static void top_ask(struct top *top, enum top_question question, const char *request)
{
    top->question = question;
    if (top_link_ask(&top->link, top->path, request, clock_monotonic_ms()) < 0)
        fall_silent(top);
}

static void ask_to_kill(struct top *top)
{
    char request[REQUEST_SIZE];
    struct text text;

    top->is_kill_wanted = false;
    text_init(&text, request, sizeof(request));
    text_add(&text, "kill {");
    json_add_member(&text, "id", top->ui.kill_id);
    text_add(&text, "}\n");
    top_ask(top, QUESTION_KILL, request);
}

static void top_begin_round(struct top *top)
{
    top->begin_ms = clock_monotonic_ms();
    top_ask(top, QUESTION_STATS, "stats\n");
}

static void top_end_round(struct top *top)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t took_ms = now_ms - top->begin_ms;

    top->ui.peer = TOP_PEER_ANSWERS;
    top->next_ms = top->begin_ms + REFRESH_MS;
    if (took_ms * (PAUSE_FACTOR + 1) > REFRESH_MS)
        top->next_ms = now_ms + took_ms * PAUSE_FACTOR;
}

/* Copies the value of the member `wanted` out of the first line of the answer; "" when the line
 * does not have it. */
static void top_find_member(const struct top_link *link, const char *wanted, char *ret_value,
                            size_t value_size)
{
    const char *end = memchr(link->bytes, '\n', link->length);

    if (end == NULL ||
        !json_find(link->bytes, (size_t)(end - link->bytes), wanted, ret_value, value_size))
        ret_value[0] = '\0';
}

/* Tells the user what adit has answered to a kill, and begins a round at once, so that the table
 * shows it. */
static void say_killed(struct top *top)
{
    struct top_ui *ui = &top->ui;
    char value[128];
    char message[sizeof(ui->message)];
    struct text text;

    text_init(&text, message, sizeof(message));
    top_find_member(&top->link, "killed", value, sizeof(value));
    bool is_bad = value[0] == '\0';
    if (is_bad) {
        top_find_member(&top->link, "error", value, sizeof(value));
        text_add(&text, "not killed: ");
        text_add(&text, value);
    } else if (strtoul(value, NULL, 10) == 0) {
        text_add(&text, "that tunnel had ended already");
    } else {
        text_add(&text, "killed ");
        text_add(&text, ui->kill_text);
    }
    top_ui_say(ui, is_bad, message, clock_monotonic_ms());
    top->next_ms = clock_monotonic_ms();
}

static void take_answer(struct top *top)
{
    struct top_model *model = &top->ui.model;
    const struct top_link *link = &top->link;

    if (top->question == QUESTION_KILL) {
        say_killed(top);
    } else if (top->question == QUESTION_STATS) {
        if (top_model_take_stats(model, link->bytes, link->length, clock_monotonic_ms()) < 0)
            fall_silent(top);
        else
            top_ask(top, QUESTION_TUNNELS, "ps\n");
    } else {
        if (top_model_take_tunnels(model, link->bytes, link->length) < 0)
            fall_silent(top);
        else
            top_end_round(top);
    }
}

static void top_read_answer(struct top *top)
{
    int result = top_link_read(&top->link);

    if (result < 0)
        fall_silent(top);
    else if (result > 0)
        take_answer(top);
}

/* -- keys and signals */

static void take_keys(struct top *top)
{
    uint32_t key;

    while (!top->is_done && top_screen_read_key(top->screen, &key)) {
        switch (top_ui_press(&top->ui, key, top_screen_page(top->screen))) {
        case TOP_ACTION_QUIT:
            top->is_done = true;
            break;
        case TOP_ACTION_KILL:
            top->is_kill_wanted = true;
            break;
        case TOP_ACTION_REFRESH:
            top->next_ms = clock_monotonic_ms();
            break;
        case TOP_ACTION_NONE:
            break;
        }
    }
}

static void top_take_signals(struct top *top)
{
    struct signalfd_siginfo signal;

    while (read(top->signal_fd, &signal, sizeof(signal)) == sizeof(signal)) {
        if (signal.ssi_signo == SIGWINCH)
            top_screen_resize(top->screen);
        else
            top->is_done = true;
    }
}

/* -- the loop */

static void top_take_time(struct top *top)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (top->ui.message[0] != '\0' && now_ms >= top->ui.message_end_ms)
        top->ui.message[0] = '\0';
    if (is_asking(top) && now_ms >= top->link.end_ms) {
        top_link_close(&top->link);
        fall_silent(top);
    }
    if (!is_asking(top) && top->is_kill_wanted)
        ask_to_kill(top);
    else if (!is_asking(top) && !top->ui.is_paused && now_ms >= top->next_ms)
        top_begin_round(top);
}

/* Returns how long poll may wait, in milliseconds: until a patience ends, the next round begins or
 * a message disappears. -1: none of that is due, only a key or a signal goes on. */
static int top_wait_ms(const struct top *top)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t end_ms = UINT64_MAX;

    if (is_asking(top))
        end_ms = top->link.end_ms;
    else if (!top->ui.is_paused)
        end_ms = top->next_ms;
    if (top->ui.message[0] != '\0' && top->ui.message_end_ms < end_ms)
        end_ms = top->ui.message_end_ms;
    if (end_ms == UINT64_MAX)
        return -1;
    return end_ms > now_ms ? (int)(end_ms - now_ms) : 0;
}

static void top_loop(struct top *top)
{
    while (!top->is_done) {
        top_take_time(top);
        top_screen_draw(top->screen, &top->ui);
        struct pollfd fds[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = top->signal_fd, .events = POLLIN},
            {.fd = top->link.fd, .events = POLLIN},
        };
        if (poll(fds, ARRAY_LENGTH(fds), top_wait_ms(top)) < 0)
            continue; /* EINTR: the process was stopped and goes on */
        if (fds[1].revents != 0)
            top_take_signals(top);
        if (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL))
            top->is_done = true; /* the terminal is gone */
        else if (fds[0].revents != 0)
            take_keys(top);
        if (fds[2].revents != 0 && is_asking(top))
            top_read_answer(top);
    }
}

/* Blocks the signals that top handles and returns the descriptor that they are read from, or
 * -errno.
 */
static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Connects once before the screen is taken, so that a wrong path is an error message at once and
 * not a screen that tries again and again. Stores the path that answered. Returns 0, or -errno
 * after the message. */
static int knock(const struct control_places *places, const char **ret_path)
{
    char line[CONTROL_WHY_NOT_SIZE];
    struct text why_not;

    text_init(&why_not, line, sizeof(line));
    int fd = control_places_connect(places, ret_path, &why_not);
    if (fd < 0) {
        fprintf(stderr, "adit: %s\n", line);
        return fd;
    }
    close(fd);
    return 0;
}

static int run_on_terminal(struct top *top)
{
    const char *kind = getenv("TERM");

    top->signal_fd = open_signals();
    if (top->signal_fd < 0) {
        fprintf(stderr, "adit: no signals: %s\n", strerror(-top->signal_fd));
        return 1;
    }
    int error = top_screen_create(&top->screen);
    if (error < 0) {
        fprintf(stderr, "adit: top can't use a terminal of kind '%s'; set TERM to what it is\n",
                kind != NULL ? kind : "");
    } else {
        top_loop(top);
        top_screen_destroy(top->screen);
    }
    close(top->signal_fd);
    return error < 0 ? 1 : 0;
}

int top_run(const char *path)
{
    struct control_places places;
    struct top top = {.path = NULL};

    control_places_init(&places, path);
    setlocale(LC_CTYPE, "");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fprintf(stderr, "adit: top needs a terminal; 'adit ps' and 'adit stats' don't\n");
        return 1;
    }
    if (knock(&places, &top.path) < 0)
        return 1;
    top_ui_init(&top.ui);
    top_link_init(&top.link);
    int status = run_on_terminal(&top);
    top_link_finish(&top.link);
    top_ui_finish(&top.ui);
    return status;
}
