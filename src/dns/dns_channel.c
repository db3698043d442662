/* c-ares opens and closes its sockets itself and says so in a callback; we watch them, tell it what
 * is ready, and wake it for its retries.
 *
 * Our watch is edge-triggered, and c-ares was made for select:
 *  - Reading. A UDP socket is read until EAGAIN, but from a TCP socket c-ares reads only one piece
 *    per call (the length, or what is there of the body). So after every call poll(2) is asked
 *    whether there is more, which is right however much a version of c-ares reads. (Not recv with
 *    MSG_PEEK: that would swallow the error of a refused UDP socket.) A budget bounds it: the rest
 *    comes in the next turn.
 *  - Writing. The edge of a writable socket may have passed before c-ares queues something, so
 *    whenever it begins to want that, one write is tried in the next turn. If the socket is full or
 *    not connected yet, its edge still comes.
 *
 * A socket leaves the watch when c-ares reports (0, 0), which is before it closes the descriptor.
 * An event of this turn's batch may still name a slot that was taken by a new socket meanwhile: it
 * then gets a read too many, which is harmless.
 *
 * c-ares gives each server timeout_ms / 5, doubled with every round: with one server it asks after
 * 0, 1 and 3 s, and three servers are all asked within 3 s. Its rounds may last longer than our
 * owner's patience (21 s with three silent servers of 5 s); the owner stops waiting, and c-ares's
 * callback comes later.
 */
#include "dns/dns_channel.h"

#include "dns/dns_sockets.h"

/* ares_query is what version 1.18 has; later versions call it deprecated. */
#define CARES_NO_DEPRECATED
#include <ares.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum {
    TRIES = 3,
    TRIES_PER_TIMEOUT = 5,
    READS_PER_TURN = 64, /* 32 answers over TCP */
    DNS_CLASS_IN = 1,
    DNS_TYPE_A = 1,
    DNS_TYPE_AAAA = 28,
};

struct question_link {
    void (*on_answer)(void *asker, const struct dns_answer *answer);
    void *asker;
    enum ip_family family;
};

static int library_status;

static void init_library(void)
{
    library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

static int error_of(int ares_status)
{
    switch (ares_status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static struct dns_socket *find_socket(struct dns_channel *channel, int fd)
{
    for (size_t i = 0; i < ARRAY_LENGTH(channel->sockets); i++)
        if (channel->sockets[i].watch.fd == fd)
            return &channel->sockets[i];
    return NULL;
}

/* poll always tells errors, whatever `events` are. */
static bool descriptor_is_ready(int fd, short events)
{
    struct pollfd request = {.fd = fd, .events = events};

    return poll(&request, 1, 0) > 0;
}

static void process_socket(struct dns_socket *socket, bool is_readable, bool is_writable)
{
    struct dns_channel *channel = socket->channel;
    int fd = socket->watch.fd;
    unsigned reads = 0;

    if (is_readable)
        socket->is_unread = false;
    ares_process_fd(channel->ares, is_readable ? fd : ARES_SOCKET_BAD,
                    is_writable ? fd : ARES_SOCKET_BAD);
    while (is_readable && socket->watch.fd == fd && descriptor_is_ready(fd, POLLIN)) {
        if (++reads == READS_PER_TURN) {
            socket->is_unread = true;
            task_post(channel->loop, &channel->work);
            return;
        }
        ares_process_fd(channel->ares, fd, ARES_SOCKET_BAD);
    }
}

static void socket_has_events(struct watch *watch, uint32_t events)
{
    struct dns_socket *socket = container_of(watch, struct dns_socket, watch);
    uint32_t broken = events & (EPOLLERR | EPOLLHUP);

    bool is_readable = broken || (events & (EPOLLIN | EPOLLRDHUP));
    bool is_writable = socket->wants_write && (broken || (events & EPOLLOUT));

    if (is_readable || is_writable)
        process_socket(socket, is_readable, is_writable);
}

static void do_work(struct task *task)
{
    struct dns_channel *channel = container_of(task, struct dns_channel, work);

    for (size_t i = 0; i < ARRAY_LENGTH(channel->sockets); i++) {
        struct dns_socket *socket = &channel->sockets[i];

        if (socket->watch.fd >= 0 && (socket->is_unread || socket->wants_write))
            process_socket(socket, socket->is_unread, socket->wants_write);
    }
}

static void watch_socket(struct dns_channel *channel, int fd)
{
    struct dns_socket *socket = find_socket(channel, -1);

    if (socket == NULL || watch_open(channel->loop, &socket->watch, fd, socket_has_events) < 0)
        return; /* what is asked there times out */
    socket->wants_write = false;
    socket->is_unread = false;
}

/* The ares_sock_state_cb: c-ares tells what it wants of a socket. */
static void socket_changed(void *self, ares_socket_t fd, int is_read_wanted, int is_write_wanted)
{
    struct dns_channel *channel = self;
    struct dns_socket *socket = find_socket(channel, fd);

    if (!is_read_wanted && !is_write_wanted) {
        if (socket != NULL)
            watch_take_fd(channel->loop, &socket->watch); /* c-ares closes it next */
        return;
    }
    if (socket == NULL) {
        watch_socket(channel, fd);
        socket = find_socket(channel, fd);
    }
    if (socket == NULL)
        return;
    if (is_write_wanted && !socket->wants_write)
        task_post(channel->loop, &channel->work);
    socket->wants_write = is_write_wanted;
}

/* Asking c-ares costs a walk over all questions, so it is done when the deadline passes, not after
 * every answer: the deadline sometimes passes for nothing. (Versions that adapt their timeouts to a
 * server may want a retry sooner; it then comes up to one try late.) */
static void set_retry(struct dns_channel *channel)
{
    struct timeval left;

    if (ares_timeout(channel->ares, NULL, &left) == NULL)
        return;
    /* One more, because c-ares rounds down. */
    uint64_t left_ms = (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1;
    deadline_set(channel->loop, &channel->retry, loop_now_ms(channel->loop) + left_ms);
}

static void retry_is_due(struct deadline *deadline)
{
    struct dns_channel *channel = container_of(deadline, struct dns_channel, retry);

    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_retry(channel);
}

/* With lookups, sort list, servers, domains, ndots, timeout and tries all given, c-ares 1.18 reads
 * no file; later versions read resolv.conf here, once, and let these values win. */
static int create_ares(struct dns_channel *channel)
{
    struct in_addr server = {.s_addr = htonl(INADDR_LOOPBACK)};
    char lookups[] = "b";
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = (int)channel->try_ms,
        .tries = TRIES,
        .ndots = 0,
        .servers = &server,
        .nservers = 1,
        .ndomains = 0,
        .lookups = lookups,
        .nsort = 0,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = channel,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
               ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST |
               ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* off, for qcache_max_ttl is 0: ours is bounded in its own way */
#endif
    return error_of(ares_init_options(&channel->ares, &options, mask));
}

static uint64_t try_of(uint64_t timeout_ms)
{
    return timeout_ms / TRIES_PER_TIMEOUT + 1;
}

int dns_channel_init(struct dns_channel *channel, struct loop *loop, uint64_t timeout_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_library);
    if (library_status != ARES_SUCCESS)
        return error_of(library_status);
    channel->loop = loop;
    channel->servers.server_count = 0;
    channel->try_ms = try_of(timeout_ms);
    deadline_init(&channel->retry, retry_is_due);
    task_init(&channel->work, do_work);
    for (size_t i = 0; i < ARRAY_LENGTH(channel->sockets); i++)
        channel->sockets[i] = (struct dns_socket){.watch.fd = -1, .channel = channel};
    int error = create_ares(channel);
    if (error == 0)
        dns_sockets_use(channel->ares, &channel->servers);
    return error;
}

/* c-ares takes the timeout when it is created, and never again. So another one is created. */
int dns_channel_set_timeout(struct dns_channel *channel, uint64_t timeout_ms)
{
    struct ares_channeldata *ares = channel->ares;
    uint64_t try_ms = channel->try_ms;

    if (try_of(timeout_ms) == try_ms)
        return -EALREADY;
    channel->try_ms = try_of(timeout_ms);
    int error = create_ares(channel);
    if (error < 0) {
        channel->ares = ares;
        channel->try_ms = try_ms;
        return error;
    }
    dns_sockets_use(channel->ares, &channel->servers);
    ares_destroy(ares);
    return 0;
}

void dns_channel_finish(struct dns_channel *channel)
{
    ares_destroy(channel->ares);
    deadline_cancel(channel->loop, &channel->retry);
    task_cancel(&channel->work);
}

int dns_channel_set_servers(struct dns_channel *channel, const struct resolv_server_list *conf)
{
    char list[RESOLV_SERVERS_MAX * IP_ENDPOINT_TEXT_SIZE];
    struct text text;

    channel->servers = *conf;
    text_init(&text, list, sizeof(list));
    for (size_t i = 0; i < conf->server_count; i++) {
        if (i > 0)
            text_add_char(&text, ',');
        const struct ip_endpoint endpoint = dns_sockets_endpoint(conf, i);
        ip_endpoint_print(&text, &endpoint);
    }
    return error_of(ares_set_servers_ports_csv(channel->ares, list));
}

/* The ares_callback: a question has ended. */
static void question_ended(void *self, int status, int timeouts, unsigned char *message, int length)
{
    struct question_link *link = self;
    bool is_cancelled = status == ARES_ECANCELLED || status == ARES_EDESTRUCTION;
    struct dns_answer answer;

    if (!is_cancelled)
        dns_answer_read(status, message, length, link->family, &answer);
    link->on_answer(link->asker, is_cancelled ? NULL : &answer);
    free(link);
}

/* When no name server listens, the machine answers with an ICMP error. The error belongs to a
 * question that was sent, but the kernel would report it to the next send, and that next question
 * would not be sent and wait for its retry. */
static void take_errors(struct dns_channel *channel)
{
    for (size_t i = 0; i < ARRAY_LENGTH(channel->sockets); i++) {
        struct dns_socket *socket = &channel->sockets[i];

        if (socket->watch.fd >= 0 && descriptor_is_ready(socket->watch.fd, 0))
            process_socket(socket, true, false);
    }
}

void dns_channel_ask(struct dns_channel *channel, const char *name, enum ip_family family,
                     void (*on_answer)(void *asker, const struct dns_answer *answer), void *asker)
{
    struct question_link *link = malloc(sizeof(*link));
    uint64_t now_ms = loop_now_ms(channel->loop);

    if (link == NULL) {
        struct dns_answer answer = {.status = RESOLVER_FAILED};

        on_answer(asker, &answer);
        return;
    }
    take_errors(channel);
    *link = (struct question_link){.on_answer = on_answer, .asker = asker, .family = family};
    ares_query(channel->ares, name, DNS_CLASS_IN, family == IP_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
               question_ended, link);
    if (!deadline_is_set(&channel->retry) || channel->retry.at_ms > now_ms + channel->try_ms)
        set_retry(channel);
}

void dns_channel_cancel_all(struct dns_channel *channel)
{
    ares_cancel(channel->ares);
}
