/* One socket per address. Options that accepted sockets inherit are set here once, so that no
 * tunnel pays a system call for them: TCP_NODELAY, keepalive, and urgent bytes in their place.
 *
 * TCP_DEFER_ACCEPT wakes us when the request head is there and saves a turn per tunnel; its value
 * is 1, since a silent client is delivered only after that time, and its head timeout begins then.
 *
 * A socket on [::] takes IPv4, too, where no listener of ours wants that port for IPv4. It cannot
 * be changed later: a reload that adds or removes such a listener finds the socket as it was
 * opened, and says so.
 */
#include "supervisor/listeners.h"

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

/* What only makes tunnels better or cheaper: a kernel that refuses one of these still serves.
 * SO_OOBINLINE, without which a byte marked urgent would be lost, no kernel refuses. */
static void set_inherited_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S},
        {SOL_SOCKET, SO_OOBINLINE, 1},
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

static int bind_and_listen(int fd, const struct ip_endpoint *endpoint, bool takes_v4,
                           struct ip_endpoint *ret_bound)
{
    union socket_address address;
    socklen_t size = socket_address_from_endpoint(&address, endpoint);
    int error = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (error == 0 && endpoint->address.family == IP_V6)
        error = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, takes_v4 ? 0 : 1);
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
static int open_one(const struct ip_endpoint *endpoint, bool takes_v4,
                    struct ip_endpoint *ret_bound)
{
    int family = endpoint->address.family == IP_V4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int error = bind_and_listen(fd, endpoint, takes_v4, ret_bound);
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

/* Where that is done is named behind it. */
static const char *advice_for(int error)
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

/* A socket of `before` that is not taken yet; two that are written 127.0.0.1:0 are two sockets. */
static bool take_over(const struct listeners *before, const struct ip_endpoint *endpoint,
                      struct listeners *listeners)
{
    for (size_t i = 0; i < before->count; i++) {
        bool is_taken = false;

        for (size_t j = 0; j < listeners->count; j++)
            is_taken |= listeners->ids[j] == before->ids[i];
        if (is_taken || !ip_endpoint_equals(&before->written[i], endpoint))
            continue;
        listeners->fds[listeners->count] = before->fds[i];
        listeners->endpoints[listeners->count] = before->endpoints[i];
        listeners->ids[listeners->count] = before->ids[i];
        listeners->takes_v4[listeners->count] = before->takes_v4[i];
        return true;
    }
    return false;
}

static bool is_wildcard_v6(const struct ip_endpoint *endpoint)
{
    return endpoint->address.family == IP_V6 && ip_address_is_unspecified(&endpoint->address);
}

static bool wants_v4(const struct ip_endpoint *endpoints, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++)
        if (endpoints[i].address.family == IP_V4 && endpoints[i].port == port)
            return true;
    return false;
}

/* Port 0 is a port of its own. */
bool listeners_would_take_v4(const struct listeners_plan *plan, const struct ip_endpoint *endpoint)
{
    uint16_t port = endpoint->port;

    if (!is_wildcard_v6(endpoint) || port == 0)
        return is_wildcard_v6(endpoint);
    return !wants_v4(plan->endpoints, plan->count, port) &&
           !(plan->beside != NULL &&
             wants_v4(plan->beside->endpoints, plan->beside->count, port)) &&
           !(plan->also != NULL && wants_v4(plan->also, 1, port));
}

/* The socket on [::] that has the endpoint's port for IPv4 already; NULL: there is none. */
static const struct ip_endpoint *find_dual(const struct listeners *listeners,
                                           const struct ip_endpoint *endpoint)
{
    for (size_t i = 0; i < listeners->count && endpoint->address.family == IP_V4; i++)
        if (listeners->endpoints[i].port == endpoint->port && listeners->takes_v4[i])
            return &listeners->endpoints[i];
    return NULL;
}

static bool overlap(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && a->address.family == b->address.family &&
           (ip_address_equals(&a->address, &b->address) || ip_address_is_unspecified(&a->address) ||
            ip_address_is_unspecified(&b->address));
}

/* What of `listeners` is in the endpoint's way; NULL: nothing. */
static const struct ip_endpoint *find_overlap(const struct listeners *listeners,
                                              const struct ip_endpoint *endpoint, bool takes_v4)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (overlap(&listeners->endpoints[i], endpoint) ||
            (takes_v4 && wants_v4(&listeners->endpoints[i], 1, endpoint->port)))
            return &listeners->endpoints[i];
    return NULL;
}

/* The same among those that are to be there together. */
static const struct ip_endpoint *find_contradiction(const struct listeners_plan *plan, size_t index)
{
    const struct ip_endpoint *endpoint = &plan->endpoints[index];

    for (size_t i = 0; i < plan->count; i++)
        if (i != index && overlap(&plan->endpoints[i], endpoint))
            return &plan->endpoints[i];
    return plan->beside != NULL ? find_overlap(plan->beside, endpoint, false) : NULL;
}

static void explain_failure(struct text *message, const struct listeners_plan *plan, size_t index,
                            int error)
{
    const struct ip_endpoint *endpoint = &plan->endpoints[index];
    const struct ip_endpoint *twin = find_contradiction(plan, index);
    bool takes_v4 = listeners_would_take_v4(plan, endpoint);
    const struct ip_endpoint *own = find_overlap(plan->before, endpoint, takes_v4);
    const struct ip_endpoint *dual = find_dual(plan->before, endpoint);

    if (own == NULL)
        own = find_overlap(plan->others, endpoint, takes_v4);
    if (dual == NULL)
        dual = find_dual(plan->others, endpoint);
    text_add(message, "adit: can't listen on ");
    ip_endpoint_print(message, endpoint);
    text_add(message, ": ");
    text_add(message, strerror(-error));
    text_add(message, "; ");
    if (error == -EADDRINUSE && twin != NULL) {
        text_add(message, "it is to listen on ");
        ip_endpoint_print(message, twin);
        text_add(message, " as well; choose another port ");
        text_add(message, plan->where);
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
    text_add(message, advice_for(error));
    text_add(message, plan->where);
    text_add(message, "\n");
}

/* Whoever came by IPv4 is refused, though the configuration says no such thing. */
static void warn_of_v6_only(struct text *message, const struct ip_endpoint *endpoint)
{
    text_add(message, "adit: warning: ");
    ip_endpoint_print(message, endpoint);
    text_add(message,
             " takes IPv6 only until adit is restarted, since it was opened beside an IPv4 "
             "listener; restart adit, or listen on 0.0.0.0:");
    text_add_decimal(message, endpoint->port);
    text_add(message, " as well\n");
}

int listeners_open(const struct listeners_plan *plan, struct listeners *ret_listeners,
                   struct text *message)
{
    static uint64_t next_id;
    struct listeners listeners = {.count = 0};

    for (size_t i = 0; i < plan->count; i++) {
        const struct ip_endpoint *endpoint = &plan->endpoints[i];

        bool takes_v4 = listeners_would_take_v4(plan, endpoint);

        if (take_over(plan->before, endpoint, &listeners)) {
            if (takes_v4 && !listeners.takes_v4[i])
                warn_of_v6_only(message, endpoint);
        } else {
            int fd = open_one(endpoint, takes_v4, &listeners.endpoints[i]);

            if (fd < 0) {
                explain_failure(message, plan, i, fd);
                listeners_close_others(&listeners, plan->before);
                return fd;
            }
            listeners.fds[i] = fd;
            listeners.ids[i] = ++next_id;
            listeners.takes_v4[i] = takes_v4;
        }
        listeners.written[i] = *endpoint;
        listeners.count++;
    }
    *ret_listeners = listeners;
    return 0;
}

static bool has_socket(const struct listeners *listeners, uint64_t id)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->ids[i] == id)
            return true;
    return false;
}

void listeners_close_others(struct listeners *listeners, const struct listeners *kept)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (kept == NULL || !has_socket(kept, listeners->ids[i]))
            close(listeners->fds[i]);
    listeners->count = 0;
}

void listeners_close(struct listeners *listeners)
{
    listeners_close_others(listeners, NULL);
}
