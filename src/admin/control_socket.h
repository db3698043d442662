/* The control socket: where its file is, how adit makes it, and how a client finds it. */
#ifndef ADMIN_CONTROL_SOCKET_H
#define ADMIN_CONTROL_SOCKET_H

#include "base/contract.h"
#include "base/text.h"
#include "system/file_identity.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a path with its NUL, as many as struct sockaddr_un has room for. */
#define CONTROL_PATH_SIZE 108
#define CONTROL_PLACES_MAX 3
/* Room for the line that says why nobody answers: each place with its reason. */
#define CONTROL_WHY_NOT_SIZE 2048

struct control_socket {
    int fd; /* listening, non-blocking; -1: none */
    char path[CONTROL_PATH_SIZE];
    struct file_identity file; /* the file that adit made; only this one is removed */
};

/* Where a control socket may be: the first is where an adit makes its own, the others are where one
 * that was started otherwise (as a service, from a login) has made it. */
struct control_places {
    const char *paths[CONTROL_PLACES_MAX];
    size_t count;
    bool is_named; /* the caller named the place, so there is only one */
    char texts[CONTROL_PLACES_MAX][CONTROL_PATH_SIZE * 4];
};

/* Collects the places. `named` is the only one, and its text must outlive `places`. When it is
 * NULL, they are $XDG_RUNTIME_DIR/adit.sock, then /run/adit/adit.sock, then
 * /run/user/UID/adit.sock. */
void control_places_init(struct control_places *places, const char *named);

/* Makes the socket and its file, with mode 0600. A socket file that is there already is replaced if
 * nobody answers at it. Returns 0 or -errno: -EADDRINUSE when somebody answers, -EEXIST when the
 * file that is there is not a socket, -ENAMETOOLONG, or another one. */
int control_socket_open(const char *path, struct control_socket *ret_socket) MUST_CHECK;
/* Closes the socket and removes its file. Harmless when there is none. */
void control_socket_close(struct control_socket *control);

/* Connects to the socket at `path`. Returns a blocking descriptor or -errno. */
int control_socket_connect(const char *path) MUST_CHECK;
/* Connects to the first place where somebody answers. Returns the descriptor and sets `ret_path`;
 * or returns -errno and adds a line (without a newline) to `why_not` that names all places. */
int control_places_connect(const struct control_places *places, const char **ret_path,
                           struct text *why_not) MUST_CHECK;

#endif
