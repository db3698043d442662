/* The race of RFC 8305 (Happy Eyeballs). It is one function, dial_advance, that looks at what is
 * known and does what is due: it begins an attempt, waits, or gives up. Everything that happens (an
 * address comes, an attempt fails, a delay passes) ends in a call of it.
 *
 * The surprise: on_done is never called from within dial_add or dial_start, because their caller is
 * in the middle of something. A race that is over before it began is reported from a task.
 */
#include "net/dialer.h"

#include "loop/loop.h"
#include "loop/slab.h"
#include "net/local_address.h"
#include "net/room.h"
#include "net/socket_address.h"
#include "net/stream.h"
#include "net/tcp_stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 8305 section 8 names both values. */
static const uint64_t resolution_delay_ms = 50;
static const uint64_t attempt_delay_ms = 250;

/* How long an attempt has when there is no room for another one beside it, before it gives way. A
 * SYN that was lost is sent again after 1 s, so the attempt has time for a second SYN. */
static const uint64_t attempt_patience_ms = 1250;

enum { DIAL_FAMILY_COUNT = 2 };

struct attempt {
    struct dial *dial;
    struct stream *stream; /* NULL: the attempt failed, or was given up */
    struct ip_address address;
};

/* The addresses of one family, in the order in which they came. */
struct candidates {
    struct ip_address addresses[DIAL_ATTEMPTS_MAX];
    unsigned count;
    unsigned next;    /* the first that was not tried yet */
    bool is_complete; /* no more will come */
};

struct dial {
    struct loop *loop;
    struct room *room;
    void (*on_done)(void *, const struct dial_result *);
    void (*attempted)(void *, const struct ip_address *, int); /* NULL: nobody wants to know */
    void *self;
    struct garbage garbage;
    struct deadline delay; /* resolution delay, then attempt delay or patience */
    struct deadline total;
    struct task report;
    struct candidates families[DIAL_FAMILY_COUNT]; /* IPv6, IPv4 */
    struct attempt attempts[DIAL_ATTEMPTS_MAX];
    unsigned attempt_count; /* begun so far */
    unsigned open_count;
    unsigned spare_count; /* units of room for attempts beside another */
    unsigned turn;        /* the family whose turn it is */
    int error;
    uint16_t port;
    bool is_patient; /* `delay` is patience: when it passes, what is under way gives way */
    bool is_started;
    bool is_done;
    struct ip_address last_address;
};

static struct candidates *candidates_of(struct dial *dial, enum ip_family family)
{
    return &dial->families[family == IP_V6 ? 0 : 1];
}

/* When several attempts failed, the client is told of the one that says most about the target: a
 * refusal comes from the target itself, an unreachable network says little. Of equal weight the
 * later one counts. */
static int error_weight(int error)
{
    switch (error) {
    case 0:
        return 0;
    case -ECONNREFUSED:
        return 5;
    case -ECONNRESET:
        return 4;
    case -ETIMEDOUT:
        return 3;
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -EAFNOSUPPORT:
        return 1;
    default:
        return 2;
    }
}

static void dial_tell_attempt(struct dial *dial, const struct ip_address *address, int error)
{
    if (dial->attempted != NULL)
        dial->attempted(dial->self, address, error);
}

static void note_failure(struct dial *dial, const struct ip_address *address, int error)
{
    dial_tell_attempt(dial, address, error);
    if (error_weight(error) >= error_weight(dial->error)) {
        dial->error = error;
        dial->last_address = *address;
    }
}

/* One attempt needs no spare unit, since the tunnel's own is enough; every other one needs one. */
static void give_back_spares(struct dial *dial)
{
    while (dial->spare_count > 0 && dial->spare_count >= dial->open_count) {
        room_give_back(dial->room);
        dial->spare_count--;
    }
}

static void close_attempts(struct dial *dial)
{
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        if (dial->attempts[i].stream != NULL)
            stream_close(dial->attempts[i].stream, false);
        dial->attempts[i].stream = NULL;
    }
    dial->open_count = 0;
    give_back_spares(dial);
}

/* Gives up what is under way, and notes it as a timeout. */
static void time_attempts_out(struct dial *dial)
{
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        if (dial->attempts[i].stream != NULL)
            note_failure(dial, &dial->attempts[i].address, -ETIMEDOUT);
    }
    close_attempts(dial);
}

static void dial_stop(struct dial *dial)
{
    dial->is_done = true;
    deadline_cancel(dial->loop, &dial->delay);
    deadline_cancel(dial->loop, &dial->total);
    task_cancel(&dial->report);
}

/* `winner` is NULL when the dial failed. on_done may destroy the dial. */
static void dial_finish(struct dial *dial, struct attempt *winner)
{
    struct dial_result result = {.error = winner ? 0 : dial->error};

    result.endpoint.port = dial->port;
    result.endpoint.address = winner ? winner->address : dial->last_address;
    if (winner != NULL) {
        dial_tell_attempt(dial, &winner->address, 0);
        result.stream = winner->stream;
        winner->stream = NULL;
    }
    dial_stop(dial);
    close_attempts(dial);
    dial->on_done(dial->self, &result);
}

static void dial_advance(struct dial *dial);

static void attempt_ready(struct stream *stream, void *self)
{
    struct attempt *attempt = self;
    struct dial *dial = attempt->dial;

    if (!(stream->ready & STREAM_BROKEN)) {
        dial_finish(dial, attempt);
        return;
    }
    int error = stream_error(stream);
    note_failure(dial, &attempt->address, error != 0 ? error : -ECONNRESET);
    stream_close(stream, false);
    attempt->stream = NULL;
    dial->open_count--;
    give_back_spares(dial);
    deadline_cancel(dial->loop, &dial->delay);
    dial_advance(dial);
}

static int connect_to(int fd, const struct ip_address *address, uint16_t port)
{
    struct ip_endpoint endpoint = {.address = *address, .port = port};
    union socket_address peer;
    socklen_t size = socket_address_from_endpoint(&peer, &endpoint);

    if (connect(fd, &peer.any, size) == 0 || errno == EINPROGRESS)
        return 0;
    int error = -errno;
    /* The kernel says the same when no local port is left and when this machine has no address of
     * the family. The former is our failure, the latter is the target's. */
    if (error == -EADDRNOTAVAIL && !local_address_can_reach(address))
        return -ENETUNREACH;
    return error;
}

/* Opens a socket and begins to connect it to `address`. Returns 0 or -errno. */
static int open_attempt(struct dial *dial, const struct ip_address *address,
                        struct stream **ret_stream)
{
    int family = address->family == IP_V4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -errno;
    /* It may fail: without it small writes wait, but nothing breaks. Keepalive comes later, from
     * the relay, once the tunnel has lived for a while: most tunnels never need it. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* Without it reading skips a byte that is marked urgent. No TCP socket refuses it. */
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    int error = connect_to(fd, address, dial->port);
    if (error == 0)
        error = tcp_stream_create(dial->loop, fd, 0, ret_stream);
    if (error < 0)
        close(fd);
    return error;
}

/* Returns true when the attempt is under way. A failure is noted. */
static bool begin_attempt(struct dial *dial, const struct ip_address *address)
{
    struct attempt *attempt = &dial->attempts[dial->attempt_count++];
    int error = open_attempt(dial, address, &attempt->stream);

    attempt->dial = dial;
    attempt->address = *address;
    dial_tell_attempt(dial, address, -EINPROGRESS);
    if (error < 0) {
        note_failure(dial, address, error);
        return false;
    }
    stream_observe(attempt->stream, attempt_ready, attempt);
    stream_want(attempt->stream, STREAM_WRITABLE);
    dial->open_count++;
    return true;
}

/* How many addresses were not tried yet. */
static unsigned count_waiting(const struct dial *dial)
{
    unsigned count = 0;

    for (unsigned i = 0; i < DIAL_FAMILY_COUNT; i++)
        count += dial->families[i].count - dial->families[i].next;
    return count;
}

/* Families take turns (RFC 8305 section 4). Contract: an address is waiting. */
static const struct ip_address *take_next(struct dial *dial)
{
    unsigned turn = dial->turn;

    if (dial->families[turn].next == dial->families[turn].count)
        turn = (turn + 1) % DIAL_FAMILY_COUNT;
    struct candidates *family = &dial->families[turn];
    REQUIRE(family->next < family->count);
    dial->turn = (turn + 1) % DIAL_FAMILY_COUNT;
    return &family->addresses[family->next++];
}

/* Nothing has begun and no IPv6 address is known yet, but one may still come. When IPv4 is known,
 * IPv6 has 50 ms to be answered. */
static bool waits_for_ipv6(const struct dial *dial)
{
    const struct candidates *v6 = &dial->families[0];

    return dial->attempt_count == 0 && v6->count == 0 && !v6->is_complete;
}

static bool dial_is_complete(const struct dial *dial)
{
    return dial->families[0].is_complete && dial->families[1].is_complete;
}

/* An address waits for its turn, or one may still come. */
static bool has_more(const struct dial *dial)
{
    return count_waiting(dial) > 0 || !dial_is_complete(dial);
}

static void delay_by(struct dial *dial, uint64_t delay_ms, bool is_patient)
{
    dial->is_patient = is_patient;
    deadline_set(dial->loop, &dial->delay, loop_now_ms(dial->loop) + delay_ms);
}

/* How long an attempt that must run alone may take: at most its share of the time that is left,
 * which the addresses that wait need as well. */
static uint64_t dial_patience_ms(const struct dial *dial)
{
    uint64_t now_ms = loop_now_ms(dial->loop);
    uint64_t left_ms = dial->total.at_ms > now_ms ? dial->total.at_ms - now_ms : 0;
    uint64_t share_ms = left_ms / (count_waiting(dial) + 1);

    return share_ms < attempt_patience_ms ? share_ms : attempt_patience_ms;
}

/* Attempts that run beside another one need a spare unit of room, of which there may be none. */
static bool take_spare(struct dial *dial)
{
    if (!room_take_spare(dial->room))
        return false;
    dial->spare_count++;
    return true;
}

/* Begins whatever is due. Contract: the deadline `delay` is not set. */
static void dial_advance(struct dial *dial)
{
    while (dial->attempt_count < DIAL_ATTEMPTS_MAX && count_waiting(dial) > 0) {
        if (dial->open_count > 0 && !take_spare(dial)) {
            delay_by(dial, dial_patience_ms(dial), true);
            return;
        }
        if (!begin_attempt(dial, take_next(dial))) {
            give_back_spares(dial);
            continue;
        }
        if (has_more(dial))
            delay_by(dial, attempt_delay_ms, false);
        return;
    }
    bool is_exhausted = dial->attempt_count == DIAL_ATTEMPTS_MAX;
    if (dial->open_count == 0 && (dial_is_complete(dial) || is_exhausted))
        task_post(dial->loop, &dial->report);
}

/* Something has become known. A delay that is set goes on; when it passes it calls dial_advance. */
static void consider(struct dial *dial)
{
    if (!dial->is_started || dial->is_done || deadline_is_set(&dial->delay))
        return;
    if (waits_for_ipv6(dial)) {
        if (dial->families[1].count > 0)
            delay_by(dial, resolution_delay_ms, false);
        return;
    }
    dial_advance(dial);
}

static void delay_passed(struct deadline *deadline)
{
    struct dial *dial = container_of(deadline, struct dial, delay);

    if (dial->is_patient)
        time_attempts_out(dial);
    dial_advance(dial);
}

static void total_passed(struct deadline *deadline)
{
    struct dial *dial = container_of(deadline, struct dial, total);

    time_attempts_out(dial);
    if (dial->error == 0)
        dial->error = -ETIMEDOUT;
    dial_finish(dial, NULL);
}

static void report_failure(struct task *task)
{
    dial_finish(container_of(task, struct dial, report), NULL);
}

int dial_create(struct loop *loop, struct room *room, uint16_t port,
                void (*on_done)(void *, const struct dial_result *), void *self,
                struct dial **ret_dial)
{
    struct dial *dial = slab_take(loop_slab(loop), sizeof(*dial));

    if (dial == NULL)
        return -ENOMEM;
    dial->loop = loop;
    dial->room = room;
    dial->port = port;
    dial->on_done = on_done;
    dial->self = self;
    deadline_init(&dial->delay, delay_passed);
    deadline_init(&dial->total, total_passed);
    task_init(&dial->report, report_failure);
    *ret_dial = dial;
    return 0;
}

void dial_add(struct dial *dial, const struct ip_address *address)
{
    struct candidates *family = candidates_of(dial, address->family);

    if (family->count == DIAL_ATTEMPTS_MAX)
        return;
    family->addresses[family->count++] = *address;
    /* An IPv6 address that comes in time need not wait for the rest of the 50 ms. */
    if (address->family == IP_V6 && dial->attempt_count == 0)
        deadline_cancel(dial->loop, &dial->delay);
    consider(dial);
}

void dial_family_done(struct dial *dial, enum ip_family family)
{
    candidates_of(dial, family)->is_complete = true;
    if (dial->attempt_count == 0)
        deadline_cancel(dial->loop, &dial->delay);
    consider(dial);
}

void dial_start(struct dial *dial, uint64_t deadline_ms)
{
    REQUIRE(!dial->is_started);
    dial->is_started = true;
    deadline_set(dial->loop, &dial->total, deadline_ms);
    consider(dial);
}

static void dial_free(struct garbage *garbage)
{
    slab_give(container_of(garbage, struct dial, garbage));
}

void dial_observe(struct dial *dial,
                  void (*attempted)(void *self, const struct ip_address *address, int error))
{
    dial->attempted = attempted;
}

void dial_destroy(struct dial *dial)
{
    dial_stop(dial);
    close_attempts(dial);
    loop_free_later(dial->loop, &dial->garbage, dial_free);
}
