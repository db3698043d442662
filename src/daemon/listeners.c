/* One socket per address. Options that accepted sockets inherit are set here once, so that no
 * tunnel pays a system call for them: TCP_NODELAY and keepalive.
 *
 * TCP_DEFER_ACCEPT wakes us when the request head is there and saves a turn a tunnel; its value is
 * 1, since a silent client is delivered only after that time, and its head timeout begins then.
 */
#include "daemon/listeners.h"

#include "net/socket_address.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 4096, /* npm opens over 1,000 at once; the kernel cuts it to somaxconn */
    DEFER_ACCEPT_S = 1,
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 6,
};

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* What only makes tunnels better or cheaper: a kernel that refuses one of these still serves. */
static void set_inherited_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        int ignored = set_option(fd, options[i].level, options[i].name, options[i].value);
        (void)ignored;
    }
}

static int bind_and_listen(int fd, const struct ip_endpoint *endpoint,
                           struct ip_endpoint *ret_bound)
{
    union socket_address address;
    socklen_t size = socket_address_from_endpoint(&address, endpoint);
    int error = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (error == 0 && endpoint->address.family == IP_V6)
        error = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (error < 0)
        return error;
    set_inherited_options(fd);
    if (bind(fd, &address.any, size) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    size = sizeof(address);
    if (getsockname(fd, &address.any, &size) < 0)
        return -errno;
    *ret_bound = socket_address_to_endpoint(&address);
    return 0;
}

/* The descriptor or -errno. */
static int open_one(const struct ip_endpoint *endpoint, struct ip_endpoint *ret_bound)
{
    int family = endpoint->address.family == IP_V4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int error = bind_and_listen(fd, endpoint, ret_bound);
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

static const char *advice_for(int error)
{
    switch (-error) {
    case EADDRINUSE:
        return "another program listens there; end it, or choose another port with -l";
    case EADDRNOTAVAIL:
        return "this machine does not have that address; see 'ip address'";
    case EACCES:
        return "ports below 1024 need root or CAP_NET_BIND_SERVICE";
    case EAFNOSUPPORT:
        return "this machine has no IPv6; listen on an IPv4 address";
    default:
        return "choose another address with -l";
    }
}

int listeners_open(const struct settings *settings, struct listeners *ret_listeners,
                   struct text *message)
{
    struct listeners listeners = {.count = 0};

    for (size_t i = 0; i < settings->listener_count; i++) {
        int fd = open_one(&settings->listeners[i], &listeners.endpoints[i]);

        if (fd < 0) {
            text_add(message, "can't listen on ");
            ip_endpoint_print(message, &settings->listeners[i]);
            text_add(message, ": ");
            text_add(message, strerror(-fd));
            text_add(message, "; ");
            text_add(message, advice_for(fd));
            listeners_close(&listeners);
            return fd;
        }
        listeners.fds[listeners.count++] = fd;
    }
    *ret_listeners = listeners;
    return 0;
}

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        close(listeners->fds[i]);
    listeners->count = 0;
}
