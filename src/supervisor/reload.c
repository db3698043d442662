/* A reload goes like this. The supervisor reads, validates and opens everything
 * (configuration_load) and sends it to the worker. When the worker serves by it (CHANNEL_TAKEN),
 * the supervisor drops the old configuration, closes the listeners that are gone, and tells the
 * worker (CHANNEL_RELOADED), which empties the queues of those listeners and says when it is done
 * (CHANNEL_READY). Until the worker has taken the new configuration, a worker that must be replaced
 * gets the old one. There is one reload at a time; requests that come meanwhile are answered by one
 * reload after it, since this one may have read the files before they were changed.
 *
 * The diagnostics go to whoever asked over the control socket, through the worker, and into the
 * report that the admin page shows. They go to stderr as well, unless the same person most likely
 * reads both.
 */
#include "supervisor/reload.h"

#include "base/state.h"
#include "process/channel.h"
#include "process/reload_result.h"
#include "supervisor/announce.h"
#include "system/clock.h"
#include "system/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for one line that says what is wrong with the command line. */
enum { RELOAD_LINE_BYTES = 512 };

static const struct state_row reload_rows[] = {
    [RELOAD_NONE] = {"none", STATE_BIT(RELOAD_SENT)},
    [RELOAD_SENT] = {"sent", STATE_BIT(RELOAD_RETIRING) | STATE_BIT(RELOAD_NONE)},
    [RELOAD_RETIRING] = {"retiring", STATE_BIT(RELOAD_NONE)},
};
static const struct state_table reload_states = {"reload", reload_rows, ARRAY_LENGTH(reload_rows)};

static void reload_move_to(struct reload *reload, enum reload_state state)
{
    state_move(&reload_states, &reload->state, state, 0);
}

void reload_init(struct reload *reload, const struct command_line *command_line)
{
    *reload = (struct reload){.command_line = command_line};
    reload_report_init(&reload->report, clock_wall_ms());
    configuration_init(&reload->current);
    configuration_init(&reload->next);
}

/* -- what is said of a reload */

/* Whether those who asked most likely read their answer on the terminal that is adit's stderr: then
 * the diagnostics are not written there a second time. */
static bool reload_is_shown_there(const struct reload *reload)
{
    return reload->current_asks > 0 && reload->signaller[0] == '\0' && isatty(STDERR_FILENO);
}

/* Returns false when the channel is full or closed: the worker hangs or ends, and is replaced. */
static bool reload_send_answer(int channel_fd, const struct text *answer)
{
    return channel_fd >= 0 && channel_send_all(channel_fd, CHANNEL_RELOADED, NULL, 0, answer->start,
                                               answer->length) == 0;
}

/* Tells those who asked how it went, and those who look at stderr. */
static void reload_tell(struct reload *reload, int channel_fd, bool is_good)
{
    struct reload_result result = {
        .is_good = is_good, .asks = reload->current_asks, .message = reload->message};
    char answer[CHANNEL_TEXT_MAX];
    struct text text;

    memcpy(result.signaller, reload->signaller, sizeof(result.signaller));
    text_init(&text, answer, sizeof(answer));
    reload_result_print(&text, &result);
    reload_report_note(&reload->report, clock_wall_ms(), is_good, reload->command_line->config_path,
                       reload->message);
    bool is_told = reload_send_answer(channel_fd, &text);
    if (!is_told || !reload_is_shown_there(reload))
        say_lines(reload->message);
    reload->current_asks = 0;
    say(is_good ? "reloaded the configuration"
                : "kept the old configuration; mend the new one and reload again");
}

/* -- its course */

int reload_load_first(struct reload *reload)
{
    const struct configuration nothing = {.bundle_fd = -1, .log_fd = -1};
    char line[RELOAD_LINE_BYTES];
    struct text message;

    text_init(&message, line, sizeof(line));
    if (reload->command_line->config_path == NULL &&
        command_line_check(reload->command_line, &message) < 0) {
        say("%s", line);
        return -EINVAL;
    }
    reload->message = malloc(CHANNEL_TEXT_MAX);
    if (reload->message == NULL) {
        say("no memory");
        return -ENOMEM;
    }
    text_init(&message, reload->message, CHANNEL_TEXT_MAX);
    int error = configuration_load(&reload->current, reload->command_line, &nothing, &message);
    say_lines(reload->message);
    return error;
}

bool reload_is_due(const struct reload *reload)
{
    return (reload->is_wanted || reload->asks > 0) && reload->state == RELOAD_NONE;
}

void reload_begin(struct reload *reload, int channel_fd, struct machine_files *files,
                  const char *signaller)
{
    struct text message;

    if (reload->is_wanted)
        memcpy(reload->signaller, signaller, sizeof(reload->signaller));
    else
        reload->signaller[0] = '\0';
    reload->is_wanted = false;
    reload->current_asks = reload->asks;
    reload->asks = 0;
    text_init(&message, reload->message, CHANNEL_TEXT_MAX);
    /* The files of /etc are sent even if the configuration turns out to be bad, and even if they
     * are watched: a reload is the way to have them read when the watch missed a change. */
    machine_files_send(files, channel_fd, &message);
    int error = configuration_load(&reload->next, reload->command_line, &reload->current, &message);
    if (error == 0) {
        error = configuration_send(&reload->next, channel_fd);
        if (error == 0) {
            reload_move_to(reload, RELOAD_SENT);
            return;
        }
        text_add(&message, "adit: can't tell the worker: ");
        text_add(&message, strerror(-error));
        text_add(&message, "; try again\n");
        configuration_drop(&reload->next, &reload->current);
    }
    reload_tell(reload, channel_fd, false);
}

void reload_refuse(struct reload *reload, int channel_fd)
{
    struct text message;

    reload->signaller[0] = '\0';
    reload->current_asks += reload->asks;
    reload->asks = 0;
    text_init(&message, reload->message, CHANNEL_TEXT_MAX);
    text_add(&message, "adit: it drains, and takes no new configuration\n");
    reload_tell(reload, channel_fd, false);
}

void reload_taken(struct reload *reload, int channel_fd, const char *why_not)
{
    if (reload->state != RELOAD_SENT)
        return; /* a drain has dropped the reload meanwhile */
    if (why_not[0] != '\0') {
        struct text message;

        text_init(&message, reload->message, CHANNEL_TEXT_MAX);
        text_add(&message, "adit: the worker can't take the configuration: ");
        text_add(&message, why_not);
        text_add(&message, "\n");
        configuration_drop(&reload->next, &reload->current);
        reload_move_to(reload, RELOAD_NONE);
        reload_tell(reload, channel_fd, false);
        return;
    }
    /* This must be found out before the old configuration is dropped, which knows what was there.
     */
    const struct listener *admin = listener_set_first(&reload->next.listeners, LISTENER_ADMIN);
    bool is_admin_new =
        admin != NULL && listener_set_find_socket(&reload->current.listeners, admin->id) == NULL;
    configuration_drop(&reload->current, &reload->next);
    reload->current = reload->next;
    configuration_init(&reload->next);
    reload_move_to(reload, RELOAD_RETIRING);
    reload_tell(reload, channel_fd, true);
    if (is_admin_new)
        announce_admin_page(listener_set_first(&reload->current.listeners, LISTENER_ADMIN));
}

void reload_retired(struct reload *reload)
{
    if (reload->state == RELOAD_RETIRING)
        reload_move_to(reload, RELOAD_NONE);
}

void reload_worker_ended(struct reload *reload)
{
    if (reload->state == RELOAD_SENT) {
        static const char why[] =
            "adit: the worker ended before it took the new configuration; kept the old";

        say_plainly("%s", why);
        reload_report_note(&reload->report, clock_wall_ms(), false,
                           reload->command_line->config_path, why);
        configuration_drop(&reload->next, &reload->current);
    }
    if (reload->state != RELOAD_NONE)
        reload_move_to(reload, RELOAD_NONE);
    reload->asks = 0;
}

void reload_abandon(struct reload *reload)
{
    if (reload->state == RELOAD_SENT)
        configuration_drop(&reload->next, &reload->current);
    if (reload->state != RELOAD_NONE)
        reload_move_to(reload, RELOAD_NONE);
}

void reload_drop(struct reload *reload)
{
    if (reload->state == RELOAD_SENT)
        configuration_drop(&reload->next, &reload->current);
    configuration_drop(&reload->current, NULL);
    free(reload->message);
}
