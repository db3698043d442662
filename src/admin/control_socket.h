/* The control socket: where its file is, how adit makes it, and how a client finds it. */
#ifndef ADMIN_CONTROL_SOCKET_H
#define ADMIN_CONTROL_SOCKET_H

#include "base/contract.h"
#include "base/text.h"
#include "system/file_identity.h"

#include <stdbool.h>
#include <stddef.h>

/* Of sockaddr_un, with the NUL. */
#define CONTROL_PATH_SIZE 108
#define CONTROL_PLACES_MAX 3
/* Room for the line that says why nobody answers: each place with its reason. */
#define CONTROL_WHY_NOT_SIZE 2048

struct control_socket {
    int fd; /* listening, non-blocking; -1: none */
    char path[CONTROL_PATH_SIZE];
    struct file_identity file; /* the file that we made; no other is removed */
};

/* Where a control socket may be: the first is where an adit makes its own, the others are where one
 * that was started otherwise (as a service, from a login) has made it. */
struct control_places {
    const char *paths[CONTROL_PLACES_MAX];
    size_t count;
    bool is_named; /* by the caller: there is but one */
    char texts[CONTROL_PLACES_MAX][CONTROL_PATH_SIZE * 4];
};

/* `named`: the only place, and the caller's text. NULL: $XDG_RUNTIME_DIR/adit.sock, then
 * /run/adit/adit.sock, then /run/user/UID/adit.sock. */
void control_places_init(struct control_places *places, const char *named);

/* Makes it with mode 0600; a stale file is replaced when nobody answers there. 0 or -errno:
 * -EADDRINUSE: somebody answers; -EEXIST: no socket has that name; -ENAMETOOLONG. */
int control_socket_open(const char *path, struct control_socket *ret_socket) MUST_CHECK;
/* Closes and removes it. Harmless without one. */
void control_socket_close(struct control_socket *control);

/* The other end: a connected, blocking descriptor, or -errno. */
int control_socket_connect(const char *path) MUST_CHECK;
/* To the first place where somebody answers. The descriptor and its path, or -errno and in
 * `why_not` a line (without a newline) that names all places. */
int control_places_connect(const struct control_places *places, const char **ret_path,
                           struct text *why_not) MUST_CHECK;

#endif
