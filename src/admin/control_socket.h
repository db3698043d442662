/* The control socket's place and its two ends. */
#ifndef ADMIN_CONTROL_SOCKET_H
#define ADMIN_CONTROL_SOCKET_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <sys/types.h>

/* Of sockaddr_un, with the NUL. */
#define CONTROL_PATH_SIZE 108

struct control_socket {
    int fd; /* listening, non-blocking; -1: none */
    char path[CONTROL_PATH_SIZE];
    dev_t device; /* of the file we made, so that we remove no other */
    ino_t inode;
};

/* $XDG_RUNTIME_DIR/adit.sock, else /run/adit/adit.sock. */
void control_path_default(struct text *out);

/* Makes it with mode 0600; a stale file is replaced when nobody answers there. 0 or -errno:
 * -EADDRINUSE: somebody answers; -EEXIST: no socket has that name; -ENAMETOOLONG. */
int control_socket_open(const char *path, struct control_socket *ret_socket) MUST_CHECK;
/* Closes and removes it. Harmless without one. */
void control_socket_close(struct control_socket *control);

/* The other end: a connected, blocking descriptor, or -errno. */
int control_socket_connect(const char *path) MUST_CHECK;

#endif
