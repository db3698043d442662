/* The channel between the supervisor and its worker: small typed messages over a socket pair, with
 * descriptors and a text where they are needed. Both ends are non-blocking.
 *
 * The worker talks to strangers and may be taken over by one, so the supervisor trusts nothing that
 * comes from it: channel_receive lets through only what the table in channel.c allows on that side.
 */
#ifndef PROCESS_CHANNEL_H
#define PROCESS_CHANNEL_H

#include "base/contract.h"
#include "base/listener.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum channel_kind {
    CHANNEL_HOSTS, /* to the worker: /etc/hosts, open for reading; no descriptor: there is none */
    CHANNEL_RESOLV_CONF, /* to the worker: the same with /etc/resolv.conf */
    CHANNEL_CONFIG,      /* to the worker: the bundle, the log file if there is one, listeners: the
                            bundle's extra bytes are their struct listener, in the same order */
    CHANNEL_LOG,         /* to the worker: the log file, opened anew */
    CHANNEL_RELOADED,    /* to the worker: a reload is over; the text: process/reload_result.h */
    CHANNEL_DRAIN,       /* to the worker: drain; the text: who sent the signal for it, if one did;
                            to the supervisor: somebody asked for it */
    CHANNEL_END,         /* to the worker: close everything and end; the text: as above */
    CHANNEL_READY,       /* to the supervisor: all threads serve; after a reload: old listeners are
                            closed */
    CHANNEL_RELOAD,      /* to the supervisor: somebody asks for a reload */
    CHANNEL_TAKEN, /* to the supervisor: the configuration serves; with a text: why it does not */
    CHANNEL_KIND_COUNT,
};

/* Which side receives. */
enum channel_side { CHANNEL_AT_WORKER, CHANNEL_AT_SUPERVISOR, CHANNEL_SIDE_COUNT };

#define CHANNEL_FDS_MAX (2 + LISTENER_SET_MAX)
#define CHANNEL_TEXT_MAX 32768 /* longer texts are cut */
#define CHANNEL_REASON_MAX 200 /* of a text that is one printable line */

struct channel_message {
    enum channel_kind kind;
    size_t fd_count;
    int fds[CHANNEL_FDS_MAX]; /* the receiver's; close-on-exec */
    size_t length;
    char text[CHANNEL_TEXT_MAX + 1]; /* with a NUL behind it */
    const char *problem;             /* after -EBADMSG: what it was ("descriptors, ...") */
};

/* Opens both ends, close-on-exec. Returns 0 or -errno. */
int channel_open(int ret_fds[2]) MUST_CHECK;
/* Sends a message. `passed_fd` stays the caller's; -1 means none. Returns 0 or -errno (-EAGAIN: the
 * other side does not read). */
int channel_send(int fd, enum channel_kind kind, int passed_fd) MUST_CHECK;
int channel_send_all(int fd, enum channel_kind kind, const int *passed_fds, size_t count,
                     const char *text, size_t length) MUST_CHECK;
/* Returns 0, -EAGAIN (no message is there), -EPIPE (the other side is gone) or another -errno.
 * -EBADMSG says that the message is none that `side` may get; it is dropped. -EMFILE says that the
 * descriptors did not fit into this process; only the kind of the message is kept. */
int channel_receive(int fd, enum channel_side side, struct channel_message *ret_message) MUST_CHECK;
/* Closes this end after the other side's process has ended. Messages that still wait are dropped
 * with their descriptors. */
void channel_close(int fd);
/* Closes the descriptors from `first` on. */
void channel_message_close(struct channel_message *message, size_t first);

#endif
