/* The channel has one socket (a descriptor of the simulated kernel that only becomes readable),
 * open while questions are under way, as c-ares's are: it is reported when it opens and before it
 * closes, and answers are delivered from ares_process_fd, from ares_query when c-ares would, from
 * ares_cancel and ares_destroy. Messages are real ones; c-ares's own parsers read them.
 */
#include "sim_ares.h"

#include "sim_internal.h"
#include "sim_wrap.h"
#include "wire/resolv_server.h"

#define CARES_NO_DEPRECATED
#include <ares.h>

#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>

enum { QUESTIONS_MAX = 320, MESSAGE_MAX = 1024, GIVE_UP_MS = 21000, FIRST_TRY_MS = 1000 };

void __wrap_dns_sockets_use(ares_channel channel, const struct resolv_server_list *servers);
struct ip_endpoint __wrap_dns_sockets_endpoint(const struct resolv_server_list *servers,
                                               size_t index);
int __wrap_ares_library_init(int flags);
int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
void __wrap_ares_destroy(ares_channel channel);
void __wrap_ares_cancel(ares_channel channel);
int __wrap_ares_set_servers_ports_csv(ares_channel channel, const char *servers);
void __wrap_ares_query(ares_channel channel, const char *name, int class, int type,
                       ares_callback callback, void *argument);
struct timeval *__wrap_ares_timeout(ares_channel channel, struct timeval *most,
                                    struct timeval *buffer);
void __wrap_ares_process_fd(ares_channel channel, ares_socket_t readable, ares_socket_t writable);
int __wrap_ares_parse_a_reply(const unsigned char *message, int length, struct hostent **host,
                              struct ares_addrttl *records, int *count);
int __wrap_ares_parse_aaaa_reply(const unsigned char *message, int length, struct hostent **host,
                                 struct ares_addr6ttl *records, int *count);
int __real_ares_parse_a_reply(const unsigned char *message, int length, struct hostent **host,
                              struct ares_addrttl *records, int *count);
int __real_ares_parse_aaaa_reply(const unsigned char *message, int length, struct hostent **host,
                                 struct ares_addr6ttl *records, int *count);

struct question {
    ares_callback callback; /* NULL: free */
    void *argument;
    int type;
    int status;
    uint64_t due_ms, asked_ms;
    unsigned ttl_s, records;
    char name[256];
};

static struct {
    bool is_open;
    ares_sock_state_cb changed;
    void *changed_data;
    int fd; /* -1: no socket */
    struct question questions[QUESTIONS_MAX];
    unsigned asked, held, most_held;
    const struct sim_zone *zones;
} cares;

void sim_ares_script(const struct sim_zone *zones)
{
    memset(&cares, 0, sizeof(cares));
    cares.fd = -1;
    cares.zones = zones;
}

unsigned sim_ares_asked(void)
{
    return cares.asked;
}

unsigned sim_ares_held(void)
{
    return cares.held;
}

unsigned sim_ares_most_held(void)
{
    return cares.most_held;
}

/* ---- messages ---- */

struct message {
    unsigned char bytes[MESSAGE_MAX];
    int length;
};

static void put(struct message *message, const void *bytes, size_t length)
{
    SIM_CHECK((size_t)message->length + length <= MESSAGE_MAX, "too long a message");
    memcpy(message->bytes + message->length, bytes, length);
    message->length += (int)length;
}

static void put_number(struct message *message, unsigned number, unsigned size)
{
    for (unsigned shift = 8 * size; shift > 0; shift -= 8)
        put(message, &(unsigned char){(unsigned char)(number >> (shift - 8))}, 1);
}

static void put_name(struct message *message, const char *name)
{
    while (*name != 0) {
        size_t length = strcspn(name, ".");

        put_number(message, (unsigned)length, 1);
        put(message, name, length);
        name += length + (name[length] == '.');
    }
    put_number(message, 0, 1);
}

static void put_record_head(struct message *message, int type, unsigned ttl_s, unsigned length)
{
    put_number(message, 0xc00c, 2); /* the name of the question */
    put_number(message, (unsigned)type, 2);
    put_number(message, ns_c_in, 2);
    put_number(message, ttl_s, 4);
    put_number(message, length, 2);
}

static void put_address(struct message *message, int type, unsigned number)
{
    unsigned char v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = (unsigned char)number};
    unsigned char v4[4] = {192, 0, 2, (unsigned char)number};

    if (type == ns_t_a)
        put(message, v4, sizeof(v4));
    else
        put(message, v6, sizeof(v6));
}

static void build(const struct question *question, struct message *message)
{
    bool is_found = question->status == ARES_SUCCESS;

    message->length = 0;
    put_number(message, 0x1234, 2);
    put_number(message, is_found ? 0x8180 : 0x8183, 2);
    put_number(message, 1, 2);
    put_number(message, is_found ? question->records : 0, 2);
    put_number(message, is_found ? 0 : 1, 2);
    put_number(message, 0, 2);
    put_name(message, question->name);
    put_number(message, (unsigned)question->type, 2);
    put_number(message, ns_c_in, 2);
    for (unsigned i = 1; is_found && i <= question->records; i++) {
        put_record_head(message, question->type, question->ttl_s,
                        question->type == ns_t_a ? 4 : 16);
        put_address(message, question->type, i);
    }
    if (is_found)
        return;
    put_record_head(message, ns_t_soa, question->ttl_s, 2 + 20);
    put_number(message, 0, 2); /* two root names */
    for (unsigned i = 0; i < 5; i++)
        put_number(message, question->ttl_s, 4);
}

/* ---- the channel ---- */

static void open_socket(void)
{
    struct sim_file *file = sim_file_make(SIM_EVENTFD);

    cares.fd = sim_fd_open(file);
    cares.changed(cares.changed_data, cares.fd, 1, 0);
}

static void close_socket(void)
{
    if (cares.fd < 0)
        return;
    cares.changed(cares.changed_data, cares.fd, 0, 0);
    sim_fd_close(cares.fd);
    cares.fd = -1;
}

static void end_question(struct question *question, int status)
{
    struct question ended = *question;
    struct message message = {.length = 0};
    bool has_message = status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA;

    question->callback = NULL;
    cares.held--;
    if (has_message)
        build(&ended, &message);
    /* c-ares frees its message after the callback: so must nobody look at it later. */
    unsigned char *copy = __real_malloc(MESSAGE_MAX);
    memcpy(copy, message.bytes, (size_t)message.length);
    ended.callback(ended.argument, status, 0, has_message ? copy : NULL, message.length);
    __real_free(copy);
}

static void end_all(int status)
{
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        if (cares.questions[i].callback != NULL)
            end_question(&cares.questions[i], status);
    }
}

/* No socket of c-ares is there to be given. */
void __wrap_dns_sockets_use(ares_channel channel, const struct resolv_server_list *servers)
{
}

struct ip_endpoint __wrap_dns_sockets_endpoint(const struct resolv_server_list *servers,
                                               size_t index)
{
    return servers->servers[index].endpoint;
}

int __wrap_ares_library_init(int flags)
{
    return ARES_SUCCESS;
}

int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask)
{
    int wanted = ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS | ARES_OPT_SERVERS | ARES_OPT_DOMAINS;

    SIM_CHECK((mask & wanted) == wanted, "ares_init_options would read files");
    if (sim_step(SIM_CALL_ARES_INIT))
        return ARES_ENOMEM;
    cares.is_open = true;
    cares.changed = options->sock_state_cb;
    cares.changed_data = options->sock_state_cb_data;
    *channel = (ares_channel)(void *)&cares;
    return ARES_SUCCESS;
}

void __wrap_ares_cancel(ares_channel channel)
{
    end_all(ARES_ECANCELLED);
    close_socket();
}

void __wrap_ares_destroy(ares_channel channel)
{
    SIM_CHECK(cares.is_open, "ares_destroy of a channel that is not open");
    end_all(ARES_EDESTRUCTION);
    close_socket();
    cares.is_open = false;
}

int __wrap_ares_set_servers_ports_csv(ares_channel channel, const char *servers)
{
    SIM_CHECK(cares.held == 0, "servers are set under questions");
    if (sim_step(SIM_CALL_ARES_SERVERS))
        return ARES_ENOMEM;
    return ARES_SUCCESS;
}

static const struct sim_zone *find_zone(const char *name)
{
    const struct sim_zone *zone = cares.zones;

    for (; zone->suffix != NULL; zone++) {
        size_t length = strlen(zone->suffix), name_length = strlen(name);

        if (name_length >= length && strcmp(name + name_length - length, zone->suffix) == 0)
            return zone;
    }
    sim_die("a question for %s", name);
}

static struct question *take_question(void)
{
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        if (cares.questions[i].callback == NULL)
            return &cares.questions[i];
    }
    sim_die("too many questions");
}

static void socket_ready(void *self)
{
    struct sim_file *file = cares.fd >= 0 ? sim_file_at(cares.fd) : NULL;

    if (file == NULL)
        return;
    file->counter = 1;
    sim_file_wake(file, EPOLLIN);
}

static void ask(struct question *question, const struct sim_zone *zone, bool is_silent)
{
    uint64_t delay_ms = is_silent || zone->is_silent ? GIVE_UP_MS : zone->delay_ms;

    question->status = is_silent || zone->is_silent ? ARES_ETIMEOUT : zone->status;
    question->due_ms = sim_now_ms() + delay_ms;
    if (cares.fd < 0)
        open_socket();
    if (delay_ms == 0)
        end_question(question, question->status);
    else if (question->status != ARES_ETIMEOUT)
        sim_after(delay_ms * 1000, socket_ready, NULL);
    if (cares.held == 0)
        close_socket();
}

void __wrap_ares_query(ares_channel channel, const char *name, int class, int type,
                       ares_callback callback, void *argument)
{
    int fault = sim_step(SIM_CALL_ARES_QUERY);
    const struct sim_zone *zone = find_zone(name);
    struct question *question;

    SIM_CHECK(cares.is_open, "a question to a closed channel");
    if (fault == SIM_FAULT_ARES_MEMORY || fault == SIM_FAULT_ARES_REFUSED) {
        int status = fault == SIM_FAULT_ARES_MEMORY ? ARES_ENOMEM : ARES_ECONNREFUSED;

        callback(argument, status, 0, NULL, 0);
        return;
    }
    question = take_question();
    *question = (struct question){
        .callback = callback,
        .argument = argument,
        .type = type,
        .asked_ms = sim_now_ms(),
        .ttl_s = zone->ttl_s,
        .records = zone->records,
    };
    strncpy(question->name, name, sizeof(question->name) - 1);
    cares.asked++;
    if (++cares.held > cares.most_held)
        cares.most_held = cares.held;
    ask(question, zone, fault == SIM_FAULT_ARES_SILENT);
}

/* The next try or end of any question: tries of 1, 2, 4, ... s, as far as anybody can tell. */
struct timeval *__wrap_ares_timeout(ares_channel channel, struct timeval *most,
                                    struct timeval *buffer)
{
    uint64_t left_ms = UINT64_MAX, now_ms = sim_now_ms();

    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        const struct question *question = &cares.questions[i];
        uint64_t at_ms = question->asked_ms + FIRST_TRY_MS;

        if (question->callback == NULL)
            continue;
        while (at_ms <= now_ms)
            at_ms += 2 * FIRST_TRY_MS;
        if (question->status == ARES_ETIMEOUT && question->due_ms < at_ms)
            at_ms = question->due_ms;
        if (at_ms < now_ms + left_ms)
            left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    }
    if (left_ms == UINT64_MAX)
        return most;
    *buffer = (struct timeval){.tv_sec = (time_t)(left_ms / 1000),
                               .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};
    return buffer;
}

void __wrap_ares_process_fd(ares_channel channel, ares_socket_t readable, ares_socket_t writable)
{
    uint64_t now_ms = sim_now_ms();
    bool is_readable = readable != ARES_SOCKET_BAD && readable == cares.fd;

    if (is_readable)
        sim_file_at(cares.fd)->counter = 0;
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        struct question *question = &cares.questions[i];
        bool is_timeout = question->status == ARES_ETIMEOUT;

        if (question->callback != NULL && question->due_ms <= now_ms && (is_timeout || is_readable))
            end_question(question, question->status);
    }
    if (cares.held == 0)
        close_socket();
}

/* ---- reading answers: c-ares's own code ---- */

static int parse_fault(void)
{
    switch (sim_step(SIM_CALL_ARES_PARSE)) {
    case SIM_FAULT_ARES_MEMORY:
        return ARES_ENOMEM;
    case SIM_FAULT_ARES_MALFORMED:
        return ARES_EBADRESP;
    default:
        return ARES_SUCCESS;
    }
}

int __wrap_ares_parse_a_reply(const unsigned char *message, int length, struct hostent **host,
                              struct ares_addrttl *records, int *count)
{
    int status = parse_fault();

    return status != ARES_SUCCESS
               ? status
               : __real_ares_parse_a_reply(message, length, host, records, count);
}

int __wrap_ares_parse_aaaa_reply(const unsigned char *message, int length, struct hostent **host,
                                 struct ares_addr6ttl *records, int *count)
{
    int status = parse_fault();

    return status != ARES_SUCCESS
               ? status
               : __real_ares_parse_aaaa_reply(message, length, host, records, count);
}
