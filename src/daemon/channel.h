/* Between the supervisor and its worker: small typed messages over a socket pair, with a descriptor
 * where one is needed. Both ends are non-blocking. */
#ifndef DAEMON_CHANNEL_H
#define DAEMON_CHANNEL_H

#include "base/contract.h"

enum channel_kind {
    CHANNEL_HOSTS, /* to the worker: /etc/hosts, open for reading; no descriptor: there is none */
    CHANNEL_RESOLV_CONF, /* to the worker: the same with /etc/resolv.conf */
    CHANNEL_DRAIN,       /* to the worker: drain; to the supervisor: somebody asked for it */
    CHANNEL_END,         /* to the worker: close everything and end */
    CHANNEL_READY,       /* to the supervisor: all threads serve */
    CHANNEL_KIND_COUNT,
};

struct channel_message {
    enum channel_kind kind;
    int fd; /* the receiver's; -1: none */
};

/* 0 or -errno. */
int channel_open(int ret_fds[2]) MUST_CHECK;
/* `passed_fd` stays the caller's; -1: none. 0 or -errno (-EAGAIN: the other side does not read). */
int channel_send(int fd, enum channel_kind kind, int passed_fd) MUST_CHECK;
/* 0, -EAGAIN (nothing there), -EPIPE (the other side is gone) or -errno. */
int channel_receive(int fd, struct channel_message *ret_message) MUST_CHECK;

const char *channel_kind_name(enum channel_kind kind);

#endif
