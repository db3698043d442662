/* One socket per address. Options that accepted sockets inherit are set here once, so that no
 * tunnel pays a system call for them: TCP_NODELAY, keepalive, and urgent bytes in their place.
 *
 * With TCP_DEFER_ACCEPT the kernel delivers a connection only when its request head is there, which
 * saves a turn of the loop per tunnel. A client that sends nothing is delivered when the option's
 * time is over, and only then its head timeout begins; so that time is 1 s, the shortest one.
 *
 * A socket on [::] takes IPv4, too, where no listener of ours wants that port for IPv4. It cannot
 * be changed later: a reload that adds or removes such a listener finds the socket as it was
 * opened, and says so.
 */
#include "supervisor/listeners.h"

#include "net/socket_address.h"
#include "net/tcp_stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum { DEFER_ACCEPT_S = 1 };

static int listener_set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Sets what accepted sockets inherit. Errors are ignored: these options only make tunnels better or
 * cheaper. The exception is SO_OOBINLINE, without which a byte marked urgent would be lost, but no
 * kernel refuses that. */
static void listener_set_inherited(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S},
        {SOL_SOCKET, SO_OOBINLINE, 1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        int ignored = listener_set_option(fd, options[i].level, options[i].name, options[i].value);
        (void)ignored;
    }
    tcp_keep_alive(fd);
}

static int listener_bind(int fd, struct listener *listener)
{
    union socket_address address;
    socklen_t size = socket_address_from_endpoint(&address, &listener->written);
    int error = listener_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (error == 0 && listener->written.address.family == IP_V6)
        error = listener_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, listener->takes_v4 ? 0 : 1);
    if (error < 0)
        return error;
    listener_set_inherited(fd);
    if (bind(fd, &address.any, size) < 0 || listen(fd, LISTENER_BACKLOG) < 0)
        return -errno;
    size = sizeof(address);
    if (getsockname(fd, &address.any, &size) < 0)
        return -errno;
    listener->bound = socket_address_to_endpoint(&address);
    return 0;
}

/* Opens a new socket as `written` and `takes_v4` say. Returns 0 or -errno. */
static int listener_open_socket(struct listener *listener)
{
    static uint64_t last_id;
    int family = listener->written.address.family == IP_V4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int error = listener_bind(fd, listener);
    if (error < 0) {
        close(fd);
        return error;
    }
    listener->fd = fd;
    listener->id = ++last_id;
    return 0;
}

/* Says what to do about an error. The caller adds where to do it, as in "with -l". */
static const char *listener_advice(int error)
{
    switch (-error) {
    case EADDRINUSE:
        return "another program listens there; end it, or choose another port ";
    case EADDRNOTAVAIL:
        return "this machine does not have that address; see 'ip address', and choose one ";
    case EACCES:
        return "ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another ";
    case EAFNOSUPPORT:
        return "this machine has no IPv6; choose an IPv4 address ";
    default:
        return "choose another address ";
    }
}

/* Takes over a socket of `before` that was written the same way. Each socket is taken once: two
 * listeners that are both written 127.0.0.1:0 are two sockets. Returns false when none is left. */
static bool listener_take_over(const struct listener_set *before, const struct listener_set *opened,
                               struct listener *listener)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct listener *old = &before->all[i];

        if (old->use != listener->use || !ip_endpoint_equals(&old->written, &listener->written) ||
            listener_set_find_socket(opened, old->id) != NULL)
            continue;
        listener->bound = old->bound;
        listener->takes_v4 = old->takes_v4;
        listener->id = old->id;
        listener->fd = old->fd;
        return true;
    }
    return false;
}

static bool listener_would_take_v4(const struct listeners_plan *plan,
                                   const struct listener_set *opened,
                                   const struct ip_endpoint *written)
{
    return listener_set_lets_take_v4(plan->wanted, written) &&
           listener_set_lets_take_v4(opened, written);
}

/* Finds the socket on [::] that takes IPv4 on the endpoint's port already; NULL: there is none. */
static const struct ip_endpoint *listeners_find_dual(const struct listener_set *set,
                                                     const struct ip_endpoint *endpoint)
{
    for (size_t i = 0; i < set->count && endpoint->address.family == IP_V4; i++)
        if (set->all[i].bound.port == endpoint->port && set->all[i].takes_v4)
            return &set->all[i].bound;
    return NULL;
}

static bool endpoints_overlap(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && a->address.family == b->address.family &&
           (ip_address_equals(&a->address, &b->address) || ip_address_is_unspecified(&a->address) ||
            ip_address_is_unspecified(&b->address));
}

/* Finds the socket of `set` with which the endpoint can't be bound as well; NULL: there is none. */
static const struct ip_endpoint *listeners_find_overlap(const struct listener_set *set,
                                                        const struct ip_endpoint *endpoint,
                                                        bool takes_v4)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct ip_endpoint *bound = &set->all[i].bound;

        if (endpoints_overlap(bound, endpoint) ||
            (takes_v4 && bound->address.family == IP_V4 && bound->port == endpoint->port))
            return bound;
    }
    return NULL;
}

/* Finds the same among those that are wanted together: a contradiction in the configuration. Only
 * listeners for tunnels count, since the admin page gives way to them. */
static const struct ip_endpoint *listeners_find_contradiction(const struct listeners_plan *plan,
                                                              const struct listener *listener,
                                                              const struct listener_set *opened)
{
    for (size_t i = 0; i < plan->wanted->count; i++) {
        const struct listener *other = &plan->wanted->all[i];

        if (other != listener && other->use == LISTENER_TUNNELS &&
            endpoints_overlap(&other->written, &listener->written))
            return &other->written;
    }
    return listeners_find_overlap(opened, &listener->written, false);
}

static void listener_explain_failure(struct text *message, const struct listeners_plan *plan,
                                     const struct listener *listener,
                                     const struct listener_set *opened, int error)
{
    const struct ip_endpoint *endpoint = &listener->written;
    const char *where = plan->where[listener->use];
    const struct ip_endpoint *twin = listeners_find_contradiction(plan, listener, opened);
    bool takes_v4 = listener_would_take_v4(plan, opened, endpoint);
    const struct ip_endpoint *own = listeners_find_overlap(plan->before, endpoint, takes_v4);
    const struct ip_endpoint *dual = listeners_find_dual(plan->before, endpoint);

    text_add(message, "adit: can't listen on ");
    ip_endpoint_print(message, endpoint);
    text_add(message, ": ");
    text_add(message, strerror(-error));
    text_add(message, "; ");
    if (error == -EADDRINUSE && twin != NULL) {
        text_add(message, "it is to listen on ");
        ip_endpoint_print(message, twin);
        text_add(message, " as well; choose another port ");
        text_add(message, where);
        text_add(message, "\n");
        return;
    }
    if (error == -EADDRINUSE && own != NULL) {
        text_add(message, "this adit itself listens on ");
        ip_endpoint_print(message, own);
        text_add(message, " until the reload is done; reload once without ");
        ip_endpoint_print(message, endpoint);
        text_add(message, ", then with it, or restart adit\n");
        return;
    }
    if (error == -EADDRINUSE && dual != NULL) {
        text_add(message, "this adit itself takes IPv4 on ");
        ip_endpoint_print(message, dual);
        text_add(message, "; restart adit to give the port an IPv4 listener of its own\n");
        return;
    }
    text_add(message, listener_advice(error));
    text_add(message, where);
    text_add(message, "\n");
}

/* Warns that IPv4 clients are refused, since the configuration does not say so anywhere. */
static void listener_warn_of_v6_only(struct text *message, const struct ip_endpoint *endpoint)
{
    text_add(message, "adit: warning: ");
    ip_endpoint_print(message, endpoint);
    text_add(message,
             " takes IPv6 only until adit is restarted, since it was opened beside an IPv4 "
             "listener; restart adit, or listen on 0.0.0.0:");
    text_add_decimal(message, endpoint->port);
    text_add(message, " as well\n");
}

int listeners_open(const struct listeners_plan *plan, const struct listener *listener,
                   struct listener_set *opened, struct text *message)
{
    struct listener one = *listener;
    bool takes_v4 = listener_would_take_v4(plan, opened, &one.written);

    if (listener_take_over(plan->before, opened, &one)) {
        if (takes_v4 && !one.takes_v4)
            listener_warn_of_v6_only(message, &one.written);
    } else {
        one.takes_v4 = takes_v4;
        int error = listener_open_socket(&one);

        if (error < 0) {
            listener_explain_failure(message, plan, listener, opened, error);
            return error;
        }
    }
    listener_set_add(opened, &one);
    return 0;
}
