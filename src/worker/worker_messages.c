/* Handles what comes from the supervisor: its messages, and its end.
 *
 * The worker drains when the supervisor says so, and also when the supervisor is gone (the channel
 * ends): nobody would replace it then. When every thread has emptied its accept queues, the
 * listeners are closed; when every thread has ended, so does the process.
 */
#include "net/listener_close.h"
#include "observe/log.h"
#include "process/file_text.h"
#include "system/say.h"
#include "worker/worker_files.h"
#include "worker/worker_notices.h"
#include "worker/worker_private.h"

#include <errno.h>
#include <string.h>

/* -- ending */

static void worker_stop(struct worker *worker, int exit_status)
{
    worker->exit_status = exit_status;
    loop_stop(worker->loop);
}

void worker_fail_to_start(struct worker *worker, const char *what, int error)
{
    say("the worker can't start: %s: %s; see 'ulimit -a' and the machine's memory", what,
        strerror(-error));
    worker_stop(worker, 1);
}

void worker_begin_drain(struct worker *worker)
{
    bool is_serving = worker->state == WORKER_SERVING;

    if (worker->state == WORKER_DRAINING)
        return;
    worker_move_to(worker, WORKER_DRAINING);
    if (!is_serving) {
        worker_stop(worker, 0);
        return;
    }
    uint64_t drain_ms = worker->snapshot->config->values.drain_timeout_ms;
    worker_notice_drain(worker->ring, drain_ms);
    deadline_set(worker->loop, &worker->drain_over, loop_now_ms(worker->loop) + drain_ms);
    const struct order order = {.kind = ORDER_DRAIN};
    worker_order_all(worker, &order, &worker->stopping);
}

static void worker_end_threads(struct worker *worker)
{
    const struct order order = {.kind = ORDER_END};

    worker_order_all(worker, &order, NULL);
}

static void worker_drain_time_passed(struct deadline *deadline)
{
    worker_end_threads(container_of(deadline, struct worker, drain_over));
}

/* Called when no thread accepts any more. */
static void worker_stopped(struct round *round)
{
    struct worker *worker = container_of(round, struct worker, stopping);

    /* The queues are empty and the supervisor has closed its copies of the listeners, so from here
     * on the kernel refuses connects. That must also hold for the listeners of a configuration that
     * a reload was about to replace when this drain began. */
    worker_forget_before(worker);
    struct listener_set kept = worker->snapshot->listeners;
    listener_set_keep(&kept, LISTENER_ADMIN); /* the page serves to the end, and shows the drain */
    listener_set_close(&worker->snapshot->listeners, &kept);
}

static void worker_threads_ended(struct round *round)
{
    worker_stop(container_of(round, struct worker, ending), 0);
}

void worker_messages_init(struct worker *worker)
{
    static const struct round_handlers ending = {.completed = worker_threads_ended};
    static const struct round_handlers stopping = {.completed = worker_stopped};

    round_init(&worker->ending, &ending);
    round_init(&worker->stopping, &stopping);
    deadline_init(&worker->drain_over, worker_drain_time_passed);
}

/* -- what the supervisor sends */

static void message_pass_file(struct worker *worker, enum watched_file file)
{
    const struct order order = {.kind =
                                    file == WATCHED_HOSTS ? ORDER_USE_HOSTS : ORDER_USE_RESOLV_CONF,
                                .file = worker->files[file]};

    worker_order_all(worker, &order, NULL);
    if (file == WATCHED_HOSTS)
        worker_use_admin(worker); /* the machine's name may stand there */
}

static void message_take_file(struct worker *worker, enum watched_file file, int fd)
{
    struct file_text *text = worker_files_take(file, fd, worker->ring);

    if (text == NULL) {
        if (worker->state == WORKER_STARTING)
            worker_fail_to_start(worker, "reading files", -ENOMEM);
        return;
    }
    file_text_release(worker->files[file]);
    worker->files[file] = text;
    if (worker->state == WORKER_SERVING)
        message_pass_file(worker, file);
    worker_start_if_complete(worker);
}

static void message_take(struct worker *worker, struct channel_message *message)
{
    switch (message->kind) {
    case CHANNEL_HOSTS:
        message_take_file(worker, WATCHED_HOSTS, message->fd_count > 0 ? message->fds[0] : -1);
        break;
    case CHANNEL_RESOLV_CONF:
        message_take_file(worker, WATCHED_RESOLV_CONF,
                          message->fd_count > 0 ? message->fds[0] : -1);
        break;
    case CHANNEL_CONFIG:
        worker_take_config(worker, message);
        break;
    case CHANNEL_LOG:
        if (message->fd_count > 0 && worker->snapshot != NULL)
            log_set_sink(worker->log, message->fds[0], worker_log_name(worker->snapshot->config));
        break;
    case CHANNEL_RELOADED:
        worker_end_reload(worker, message);
        break;
    case CHANNEL_DRAIN:
        worker_notice_signalled(worker->ring, "drain", message->text);
        worker_begin_drain(worker);
        break;
    case CHANNEL_END:
        worker_notice_signalled(worker->ring, "an end at once", message->text);
        worker_begin_drain(worker);
        worker_end_threads(worker);
        break;
    case CHANNEL_READY:
    case CHANNEL_RELOAD:
    case CHANNEL_TAKEN:
    case CHANNEL_KIND_COUNT:
        break;
    }
}

/* Handles a message whose descriptors could not be received, since this process may have no more. A
 * file that was sent so stays as it was. */
static void message_miss(struct worker *worker, enum channel_kind kind)
{
    if (worker->state == WORKER_STARTING)
        worker_fail_to_start(worker, "taking what it serves with", -EMFILE);
    else if (kind == CHANNEL_CONFIG)
        worker_tell_taken(worker, "no descriptors are left for its listeners");
}

void worker_channel_ready(struct watch *watch, uint32_t events)
{
    struct worker *worker = container_of(watch, struct worker, channel);
    struct channel_message message;

    (void)events;
    int error = channel_receive(watch->fd, CHANNEL_AT_WORKER, &message);
    if (error == 0) {
        message_take(worker, &message);
    } else if (error == -EMFILE) {
        message_miss(worker, message.kind);
    } else if (error != -EAGAIN) {
        watch_take_fd(worker->loop, watch);
        worker_begin_drain(worker);
    }
}
