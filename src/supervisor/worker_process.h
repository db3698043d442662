/* The worker as the supervisor sees it: a child process and the channel to it. The worker talks to
 * the network, so the supervisor does not trust it: one that sends what no correct worker sends is
 * killed. */
#ifndef SUPERVISOR_WORKER_PROCESS_H
#define SUPERVISOR_WORKER_PROCESS_H

#include "base/contract.h"
#include "process/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker_process {
    pid_t pid;           /* 0: none */
    int channel_fd;      /* -1: none */
    bool is_ready;       /* it has said that it serves */
    bool is_condemned;   /* killed, but not waited for yet: what it still says is not read */
    uint64_t started_ms; /* CLOCK_MONOTONIC */
};

/* Sets up `worker` as no worker. */
void worker_process_init(struct worker_process *worker);
/* Forks. The child calls `become` with its end of the channel, which must not return. Returns, in
 * the parent, 0 or -errno. */
int worker_process_start(struct worker_process *worker, void (*become)(void *self, int channel_fd),
                         void *self) MUST_CHECK;
/* Returns the descriptor to poll for messages; -1: none are read any more. */
int worker_process_poll_fd(const struct worker_process *worker);
/* Reads the next message. Returns 0, -EAGAIN when none is there, or -EPIPE when the worker has
 * closed the channel, which is then closed here, too. After any other error the worker is
 * condemned. */
int worker_process_hear(struct worker_process *worker,
                        struct channel_message *ret_message) MUST_CHECK;
/* Kills the worker for what it has sent, and says so on stderr. SIGCHLD follows, and then the
 * caller waits for it. */
void worker_process_condemn(struct worker_process *worker, const char *what);
/* To be called when the worker was waited for: closes its channel. Afterwards there is no worker.
 */
void worker_process_ended(struct worker_process *worker);
/* Kills the worker, if there is one, and waits for it. Afterwards there is no worker. */
void worker_process_kill(struct worker_process *worker);
/* Says on stderr how the worker ended, and what follows from that. `status` is of waitpid. */
void worker_process_say_end(pid_t pid, int status, const char *consequence);

#endif
