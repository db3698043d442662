/* A configuration comes as a bundle (process/bundle.h) with all listeners, at the start as at a
 * reload; those that are known already are recognised by their id. A reload has two steps: every
 * thread goes over to the new snapshot (CHANNEL_TAKEN tells the supervisor). Then, when the
 * supervisor has closed its copies of the listeners that are no longer wanted (CHANNEL_RELOADED),
 * their queues are emptied, they are closed, whoever asked for the reload gets the answer, and the
 * supervisor learns that the reload is over (CHANNEL_READY).
 */
#include "admin/control.h"
#include "net/listener_close.h"
#include "observe/access_log.h"
#include "observe/log.h"
#include "observe/rule_names.h"
#include "policy/policy.h"
#include "process/bundle.h"
#include "system/clock.h"
#include "worker/worker_admin.h"
#include "worker/worker_events.h"
#include "worker/worker_notices.h"
#include "worker/worker_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Drops the snapshot that a reload has replaced. */
void worker_forget_before(struct worker *worker)
{
    if (worker->before == NULL)
        return;
    listener_set_close(&worker->before->listeners, &worker->snapshot->listeners);
    snapshot_release(worker->before);
    worker->before = NULL;
}

/* Returns the listener's place in the table of all listeners that this worker ever had, or -ENOSPC.
 */
static int config_find_slot(struct worker *worker, const struct listener *listener)
{
    unsigned slot = 0;

    while (slot < worker->slot_count &&
           !(ip_endpoint_equals(&worker->slots[slot].bound, &listener->bound) &&
             ip_endpoint_equals(&worker->slots[slot].written, &listener->written)))
        slot++;
    if (slot == WORKER_SLOTS_MAX)
        return -ENOSPC;
    if (slot == worker->slot_count) {
        /* It is behind the slots that threads look at; they learn of it with the snapshot. */
        worker->slots[slot] = *listener;
        worker->slots[slot].fd = -1;
        worker->slots[slot].slot = slot;
        worker->slot_count++;
    }
    return (int)slot;
}

/* Takes the descriptor of a listener that was sent, unless this process has the socket already. */
static int config_take_descriptor(const struct worker *worker, uint64_t id, int *fd)
{
    const struct listener *known = worker->snapshot != NULL
                                       ? listener_set_find_socket(&worker->snapshot->listeners, id)
                                       : NULL;
    int taken = *fd;

    if (known == NULL)
        return taken;
    close(taken);
    *fd = -1;
    return known->fd;
}

/* Reads the listeners in the form in which `configuration_send` sends them. Returns 0 or
 * -errno. */
static int config_read_listeners(struct worker *worker, const struct bundle *bundle,
                                 struct channel_message *message, size_t first_fd,
                                 struct listener_set *ret_listeners)
{
    size_t length;
    const struct listener *sent = bundle_extra(bundle, &length);
    size_t count = length / sizeof(*sent);

    ret_listeners->count = 0;
    if (message->fd_count - first_fd != count)
        return -EMFILE;
    for (size_t i = 0; i < count; i++) {
        struct listener listener = sent[i];
        int slot = config_find_slot(worker, &listener);

        if (slot < 0)
            return slot;
        listener.slot = (unsigned)slot;
        listener.fd = config_take_descriptor(worker, listener.id, &message->fds[first_fd + i]);
        listener_set_add(ret_listeners, &listener);
    }
    return 0;
}

const char *worker_log_name(const struct config *config)
{
    return config->log_path != NULL ? config->log_path : "stdout";
}

static void worker_use_log(struct worker *worker, const struct config *config, int log_fd)
{
    static_assert((int)CONFIG_LOG_LOGFMT == (int)LOG_FORMAT_LOGFMT &&
                      (int)CONFIG_LOG_JSON == (int)LOG_FORMAT_JSON &&
                      (int)CONFIG_LOG_SQUID == (int)LOG_FORMAT_SQUID &&
                      (int)CONFIG_LOG_FORMAT_COUNT == (int)LOG_FORMAT_COUNT,
                  "the same formats");
    static_assert((int)CONFIG_LOG_AUTH_FAILURE == (int)ACCESS_AUTH_FAILURE &&
                      (int)CONFIG_LOG_EVENT_COUNT == (int)ACCESS_EVENT_COUNT,
                  "the same events");
    bool is_off = config->log_target == CONFIG_LOG_OFF;
    const struct log_style style = {.format = (enum log_format)config->log_format,
                                    .events = is_off ? 0 : config->log_events};

    log_set_style(worker->log, &style);
    if (log_fd < 0)
        log_fd = fcntl(config->log_target == CONFIG_LOG_STDOUT ? STDOUT_FILENO : STDERR_FILENO,
                       F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (log_fd >= 0)
        log_set_sink(worker->log, log_fd, worker_log_name(config));
}

/* Gives the rules their counters before they deny anything. A metric that begins at zero shows the
 * first denial as an increase. */
static void config_announce_rules(struct worker *worker, const struct snapshot *snapshot)
{
    const struct policy_source *source = &snapshot->config->policy;

    rule_names_announce_anew(worker->rule_names, POLICY_DEFAULT_RULE);
    for (size_t i = 0; i < source->rule_count; i++)
        if (!source->rules[i].is_report)
            rule_names_announce(worker->rule_names, source->rules[i].name);
}

void worker_use_admin(struct worker *worker)
{
    bool is_there = worker_admin_use(worker->admin, worker->snapshot, worker->files[WATCHED_HOSTS]);

    worker_events_keep_history(worker->events, is_there);
}

/* Makes a snapshot of what was sent. Descriptors that it does not take stay in the message. Returns
 * 0 or -errno. */
static int config_read_snapshot(struct worker *worker, struct channel_message *message,
                                struct snapshot **ret_snapshot, int *ret_log_fd)
{
    const struct command_line *command_line = worker->plan->command_line;
    const struct config_overrides overrides = snapshot_overrides(command_line);
    struct listener_set listeners;
    struct diagnostics *diagnostics = NULL;
    struct config *config = NULL;
    struct bundle bundle;
    int error = message->fd_count > 0 ? bundle_open(message->fds[0], &bundle) : -EBADMSG;

    if (error < 0)
        return error;
    error =
        config_parse(&bundle.reader, command_line->config_path, &overrides, &config, &diagnostics);
    diagnostics_destroy(diagnostics);
    if (error == 0) {
        size_t first = config->log_target == CONFIG_LOG_FILE ? 2 : 1;

        *ret_log_fd = first == 2 ? message->fds[1] : -1;
        error = config_read_listeners(worker, &bundle, message, first, &listeners);
        if (error == 0)
            error = snapshot_create(config, &listeners, ret_snapshot);
        else
            config_destroy(config);
    }
    bundle_close(&bundle);
    return error;
}

/* Closes the descriptors that the new snapshot did not take. */
static void message_close_left(struct channel_message *message, bool is_taken)
{
    close(message->fds[0]);
    for (size_t i = 1; !is_taken && i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
}

void worker_tell_taken(struct worker *worker, const char *why_not)
{
    /* This fails when the supervisor is gone; then the channel ends, too, and the worker drains. */
    int ignored = channel_send_all(worker->plan->channel_fd, CHANNEL_TAKEN, NULL, 0, why_not,
                                   strlen(why_not));
    (void)ignored;
}

static void config_applied_by(struct round *round, unsigned index, struct order_answer *answer)
{
    struct worker *worker = container_of(round, struct worker, applying);

    (void)index;
    if (answer->error < 0)
        worker->apply_error = answer->error;
}

/* Called when all threads serve by the new snapshot. */
static void config_applied(struct round *round)
{
    struct worker *worker = container_of(round, struct worker, applying);

    if (worker->apply_error < 0)
        log_notice(worker->ring, LOG_TOPIC_GENERAL, "a thread can't watch a new listener: %s",
                   strerror(-worker->apply_error));
    worker_tell_taken(worker, "");
}

/* Everything that can fail has been done: memory that runs out now ends the worker, and the
 * supervisor starts another one, by the new configuration or the old. */
static void config_apply(struct worker *worker, struct snapshot *snapshot, int log_fd)
{
    worker->before = worker->snapshot;
    worker->snapshot = snapshot;
    worker->apply_error = 0;
    worker_use_log(worker, snapshot->config, log_fd);
    config_announce_rules(worker, snapshot);
    worker_use_admin(worker);
    const struct order order = {.kind = ORDER_APPLY, .snapshot = snapshot};
    worker_order_all(worker, &order, &worker->applying);
}

static const char *config_why_not_taken(int error)
{
    static_assert(WORKER_SLOTS_MAX == 1024, "as the text says");
    if (error == -ENOSPC)
        return "adit has listened on 1,024 different addresses since its start, and counts by no "
               "more; restart it";
    return error < 0 ? strerror(-error) : "it drains";
}

void worker_take_config(struct worker *worker, struct channel_message *message)
{
    struct snapshot *snapshot = NULL;
    int log_fd = -1;
    int error = config_read_snapshot(worker, message, &snapshot, &log_fd);

    ENSURE(error < 0 || snapshot != NULL);
    if (message->fd_count > 0)
        message_close_left(message, error == 0);
    if (error < 0 && worker->state == WORKER_STARTING) {
        worker_fail_to_start(worker, "taking its configuration", error);
    } else if (worker->state == WORKER_STARTING) {
        worker->snapshot = snapshot;
        worker_use_log(worker, snapshot->config, log_fd);
        config_announce_rules(worker, snapshot);
        worker_start_if_complete(worker);
    } else if (error == 0 && worker->state == WORKER_SERVING) {
        config_apply(worker, snapshot, log_fd);
    } else {
        if (error == 0)
            listener_set_close(&snapshot->listeners, &worker->snapshot->listeners);
        snapshot_release(snapshot);
        worker_tell_taken(worker, config_why_not_taken(error));
    }
}

static void reload_answer(struct worker *worker)
{
    const struct reload_result *result = &worker->result;

    if (worker->control != NULL)
        control_answer_reload(worker->control, result->asks, result->is_good, result->message);
}

/* Called when no thread listens to the old listeners any more. */
static void config_retired(struct round *round)
{
    struct worker *worker = container_of(round, struct worker, retiring);

    worker_forget_before(worker);
    reload_answer(worker);
    int ignored = channel_send(worker->plan->channel_fd, CHANNEL_READY, -1);
    (void)ignored;
}

void worker_end_reload(struct worker *worker, const struct channel_message *message)
{
    memcpy(worker->reload_answer, message->text, message->length + 1);
    reload_result_parse(worker->reload_answer, &worker->result);
    reload_report_note(&worker->report, clock_wall_ms(), worker->result.is_good,
                       worker->plan->command_line->config_path, worker->result.message);
    worker_notice_reload(worker->ring, &worker->result, &worker->report);
    /* The supervisor may end a reload while threads still take the configuration, or leave the old
     * one, if a message that it sent in between was lost. */
    bool is_busy = round_is_under_way(&worker->applying) || round_is_under_way(&worker->retiring);
    if (worker->before == NULL || is_busy || worker->state != WORKER_SERVING) {
        reload_answer(worker);
        return;
    }
    const struct order order = {.kind = ORDER_RETIRE};
    worker_order_all(worker, &order, &worker->retiring);
}

void worker_config_init(struct worker *worker)
{
    static const struct round_handlers applying = {.answered = config_applied_by,
                                                   .completed = config_applied};
    static const struct round_handlers retiring = {.completed = config_retired};

    round_init(&worker->applying, &applying);
    round_init(&worker->retiring, &retiring);
}
