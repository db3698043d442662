/* A worker is made by fork without exec and talks over a socket pair. It ends by itself, by a
 * signal, or because the supervisor kills it for what it has sent.
 *
 * The channel of a condemned worker stays open until the worker was waited for: only then can it
 * put nothing more into the channel (channel_close says why that matters).
 */
#include "supervisor/worker_process.h"

#include "system/clock.h"
#include "system/say.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void worker_process_init(struct worker_process *worker)
{
    *worker = (struct worker_process){.channel_fd = -1};
}

static void close_channel(struct worker_process *worker)
{
    if (worker->channel_fd >= 0)
        channel_close(worker->channel_fd);
    worker->channel_fd = -1;
}

int worker_process_start(struct worker_process *worker, void (*become)(void *self, int channel_fd),
                         void *self)
{
    int fds[2];
    int error = channel_open(fds);

    if (error < 0)
        return error;
    *worker = (struct worker_process){.channel_fd = fds[0], .started_ms = clock_monotonic_ms()};
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        become(self, fds[1]);
    }
    error = pid < 0 ? -errno : 0;
    close(fds[1]);
    if (error < 0)
        close_channel(worker);
    else
        worker->pid = pid;
    return error;
}

int worker_process_poll_fd(const struct worker_process *worker)
{
    return worker->is_condemned ? -1 : worker->channel_fd;
}

int worker_process_hear(struct worker_process *worker, struct channel_message *ret_message)
{
    int error = channel_receive(worker->channel_fd, CHANNEL_AT_SUPERVISOR, ret_message);

    if (error == -EPIPE)
        close_channel(worker);
    else if (error < 0 && error != -EAGAIN)
        worker_process_condemn(worker, error == -EBADMSG ? ret_message->problem : strerror(-error));
    return error;
}

void worker_process_condemn(struct worker_process *worker, const char *what)
{
    say("worker %d sent what no worker sends (%s); killed it", (int)worker->pid, what);
    worker->is_condemned = true;
    worker->is_ready = false;
    kill(worker->pid, SIGKILL);
}

void worker_process_ended(struct worker_process *worker)
{
    close_channel(worker);
    worker_process_init(worker);
}

void worker_process_kill(struct worker_process *worker)
{
    if (worker->pid != 0) {
        kill(worker->pid, SIGKILL);
        while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    worker_process_ended(worker);
}

void worker_process_say_end(pid_t pid, int status, const char *consequence)
{
    if (WIFSIGNALED(status))
        say("worker %d was ended by signal %d (%s); %s", (int)pid, WTERMSIG(status),
            strsignal(WTERMSIG(status)), consequence);
    else
        say("worker %d ended with status %d; %s", (int)pid, WEXITSTATUS(status), consequence);
}
