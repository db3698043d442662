/* The worker as the supervisor has it: a child process and the channel to it. Nothing that comes
 * from there is believed; a worker that says what no worker says is killed. */
#ifndef SUPERVISOR_WORKER_PROCESS_H
#define SUPERVISOR_WORKER_PROCESS_H

#include "base/contract.h"
#include "process/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker_process {
    pid_t pid;      /* 0: none */
    int channel_fd; /* -1: none */
    bool is_ready;
    bool is_condemned; /* killed, and not reaped yet: what it still says is not heard */
    uint64_t started_ms;
};

/* No worker yet. */
void worker_process_init(struct worker_process *worker);
/* Forks; in the child `become(self, channel_fd)` never returns. 0 or -errno. */
int worker_process_start(struct worker_process *worker, void (*become)(void *self, int channel_fd),
                         void *self) MUST_CHECK;
/* The descriptor to poll for what it says; -1: nothing is heard any more. */
int worker_process_poll_fd(const struct worker_process *worker);
/* The next message: 0, -EAGAIN, or -EPIPE: the channel is closed, and the process should end soon.
 * After anything else it was condemned. */
int worker_process_hear(struct worker_process *worker,
                        struct channel_message *ret_message) MUST_CHECK;
/* Kills it for what it has sent, and says so; SIGCHLD tells of its end. */
void worker_process_condemn(struct worker_process *worker, const char *what);
/* It was waited for: afterwards there is none. */
void worker_process_ended(struct worker_process *worker);
/* Kills and waits: afterwards there is none. */
void worker_process_kill(struct worker_process *worker);
/* How it ended, and what follows from it, for those who look at stderr. */
void worker_process_say_end(pid_t pid, int status, const char *consequence);

#endif
