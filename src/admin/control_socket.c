/* The file of a unix socket outlives its process, so it is not enough that a file exists: an adit
 * runs there only if somebody accepts connections. Two adits that start at the same time on one
 * path may both find it stale; the later one wins, and the earlier one then does not remove a file
 * that is not its own.
 */
#include "admin/control_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONTROL_BACKLOG = 128 };

static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == CONTROL_PATH_SIZE,
              "as the kernel has it");

static void add_place(struct control_places *places, const char *folder)
{
    char *place = places->texts[places->count];
    struct text text;

    text_init(&text, place, sizeof(places->texts[0]));
    text_add(&text, folder);
    text_add(&text, "/adit.sock");
    for (size_t i = 0; i < places->count; i++)
        if (strcmp(places->paths[i], place) == 0)
            return;
    places->paths[places->count++] = place;
}

void control_places_init(struct control_places *places, const char *named)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    char buffer[32];
    struct text text;

    places->count = 0;
    places->is_named = named != NULL;
    if (named != NULL) {
        places->paths[places->count++] = named;
        return;
    }
    /* The XDG Base Directory Specification says that a relative path in it must be ignored. */
    if (folder != NULL && folder[0] == '/')
        add_place(places, folder);
    add_place(places, "/run/adit");
    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "/run/user/");
    text_add_decimal(&text, geteuid());
    add_place(places, buffer);
}

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t length = strlen(path);

    if (length >= sizeof(ret_address->sun_path))
        return -ENAMETOOLONG;
    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->sun_family = AF_UNIX;
    memcpy(ret_address->sun_path, path, length);
    return 0;
}

static int connect_with(const char *path, int flags)
{
    struct sockaddr_un address;
    int error = make_address(path, &address);

    if (error < 0)
        return error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int control_socket_connect(const char *path)
{
    return connect_with(path, 0);
}

int control_places_connect(const struct control_places *places, const char **ret_path,
                           struct text *why_not)
{
    int error = -ENOENT;

    text_add(why_not, "nobody answers at ");
    for (size_t i = 0; i < places->count; i++) {
        int fd = control_socket_connect(places->paths[i]);

        if (fd >= 0) {
            *ret_path = places->paths[i];
            return fd;
        }
        error = fd;
        text_add(why_not, i > 0 ? ", nor at " : "");
        text_add(why_not, places->paths[i]);
        text_add(why_not, ": ");
        text_add(why_not, strerror(-fd));
    }
    text_add(why_not, "; is adit running? ");
    text_add(why_not,
             places->is_named
                 ? "if 'control' was just changed, it still has the old socket: name that with -s"
                 : "give its socket with -s, or its configuration with -c");
    return error;
}

/* Binds under a umask, so that the file has mode 0600 from the first moment. If a chmod
 * came afterwards, another user could connect in between. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
    mode_t old = umask(0177);
    int error = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

    umask(old);
    return error;
}

static int remove_stale(const char *path)
{
    struct stat about;

    if (lstat(path, &about) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(about.st_mode))
        return -EEXIST;
    /* The connect must not block: a live adit whose accept queue is full says EAGAIN. */
    int fd = connect_with(path, SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    if (fd != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Removes a stale file of that name, then binds the socket. Returns 0 or -errno. */
static int control_socket_claim(int fd, const struct sockaddr_un *address)
{
    int error = bind_private(fd, address);

    if (error != -EADDRINUSE)
        return error;
    error = remove_stale(address->sun_path);
    return error < 0 ? error : bind_private(fd, address);
}

/* Listens, and remembers for control_socket_close which file was made. Returns 0 or -errno. */
static int control_socket_settle(int fd, const struct sockaddr_un *address,
                                 struct control_socket *ret_socket)
{
    struct stat about;

    if (listen(fd, CONTROL_BACKLOG) < 0 || lstat(address->sun_path, &about) < 0)
        return -errno;
    ret_socket->fd = fd;
    ret_socket->file = file_identity_of(&about);
    memcpy(ret_socket->path, address->sun_path, sizeof(ret_socket->path));
    return 0;
}

int control_socket_open(const char *path, struct control_socket *ret_socket)
{
    struct sockaddr_un address;
    int error = make_address(path, &address);

    if (error < 0)
        return error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    error = control_socket_claim(fd, &address);
    if (error == 0)
        error = control_socket_settle(fd, &address, ret_socket);
    if (error < 0)
        close(fd);
    return error;
}

void control_socket_close(struct control_socket *control)
{
    struct stat about;

    if (control->fd < 0)
        return;
    close(control->fd);
    control->fd = -1;
    if (lstat(control->path, &about) == 0 &&
        file_identity_equals(file_identity_of(&about), control->file))
        unlink(control->path);
}
