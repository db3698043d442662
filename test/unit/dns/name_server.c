/* Small and trusting: one question a message. */
#include "name_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

static void put_number(struct ns_message *message, uint64_t number, size_t size)
{
    while (size-- > 0)
        message->bytes[message->length++] = (uint8_t)(number >> 8 * size);
}

static size_t encode_name(const char *name, uint8_t *out)
{
    size_t length = 0;

    while (*name != '\0') {
        size_t label = strcspn(name, ".");

        out[length++] = (uint8_t)label;
        memcpy(out + length, name, label);
        length += label;
        name += label + (name[label] == '.');
    }
    out[length++] = 0;
    return length;
}

static void read_question(struct name_server *server, const uint8_t *bytes, size_t length,
                          const struct sockaddr_in *from, int tcp_fd)
{
    struct ns_question question = {.server = server, .tcp_fd = tcp_fd};
    size_t at = 12;
    char *name = question.name;

    check(length > 12 + 4);
    if (from != NULL)
        question.from = *from;
    question.id = (uint16_t)(bytes[0] << 8 | bytes[1]);
    while (bytes[at] != 0) {
        memcpy(name, bytes + at + 1, bytes[at]);
        name += bytes[at];
        at += 1U + bytes[at];
        *name++ = '.';
    }
    if (name > question.name)
        name[-1] = '\0';
    check(at + 5 <= length);
    question.type = (unsigned)(bytes[at + 1] << 8 | bytes[at + 2]);
    server->script(&question);
}

static void udp_has_events(struct watch *watch, uint32_t events)
{
    struct name_server *server = container_of(watch, struct name_server, udp);
    uint8_t bytes[1500];

    (void)events;
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        ssize_t length = recvfrom(watch->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
                                  (struct sockaddr *)&from, &size);

        if (length < 0)
            return;
        server->udp_count++;
        read_question(server, bytes, (size_t)length, &from, -1);
        if (watch->fd < 0)
            return;
    }
}

/* By descriptor; -1: a free one. */
static struct ns_connection *find_connection(struct name_server *server, int fd)
{
    for (size_t i = 0; i < ARRAY_LENGTH(server->connections); i++)
        if (server->connections[i].watch.fd == fd)
            return &server->connections[i];
    return NULL;
}

static void send_unsent(struct ns_connection *connection)
{
    ssize_t count = send(connection->watch.fd, connection->unsent, connection->unsent_length,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

    if (count <= 0)
        return;
    connection->unsent_length -= (size_t)count;
    memmove(connection->unsent, connection->unsent + count, connection->unsent_length);
}

/* False when no whole one has come. */
static bool read_tcp_question(struct ns_connection *connection)
{
    uint8_t bytes[2 + 512];
    int fd = connection->watch.fd;
    ssize_t length = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

    if (length == 0 || (length < 0 && errno != EAGAIN))
        watch_close(&connection->watch);
    if (length < 2)
        return false;
    size_t size = (size_t)bytes[0] << 8 | bytes[1];
    check(size <= sizeof(bytes) - 2);
    if ((size_t)length < 2 + size)
        return false;
    check(recv(fd, bytes, 2 + size, 0) == (ssize_t)(2 + size));
    connection->server->tcp_count++;
    read_question(connection->server, bytes + 2, size, NULL, fd);
    return true;
}

static void connection_has_events(struct watch *watch, uint32_t events)
{
    struct ns_connection *connection = container_of(watch, struct ns_connection, watch);

    (void)events;
    if (connection->unsent_length > 0)
        send_unsent(connection);
    while (watch->fd >= 0 && connection->unsent_length == 0 && read_tcp_question(connection))
        ;
}

static void listener_has_events(struct watch *watch, uint32_t events)
{
    struct name_server *server = container_of(watch, struct name_server, listener);
    int fd = accept(watch->fd, NULL, NULL);

    (void)events;
    if (fd < 0)
        return;
    struct ns_connection *connection = find_connection(server, -1);
    check(connection != NULL);
    connection->unsent_length = 0;
    check(watch_open(server->loop, &connection->watch, fd, connection_has_events) == 0);
}

static bool bind_both(int udp, int tcp, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof(address);

    check(bind(udp, (struct sockaddr *)&address, size) == 0);
    check(getsockname(udp, (struct sockaddr *)&address, &size) == 0);
    *ret_port = ntohs(address.sin_port);
    return bind(tcp, (struct sockaddr *)&address, size) == 0 && listen(tcp, 16) == 0;
}

void name_server_start(struct name_server *server, struct loop *loop,
                       void (*script)(const struct ns_question *question))
{
    int udp, tcp;

    memset(server, 0, sizeof(*server));
    server->loop = loop;
    server->script = script;
    for (size_t i = 0; i < ARRAY_LENGTH(server->connections); i++) {
        server->connections[i].watch.fd = -1;
        server->connections[i].server = server;
    }
    for (;;) {
        udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        check(udp >= 0 && tcp >= 0);
        if (bind_both(udp, tcp, &server->port))
            break;
        close(udp);
        close(tcp);
    }
    check(watch_open_input(loop, &server->udp, udp, false, udp_has_events) == 0);
    check(watch_open_input(loop, &server->listener, tcp, false, listener_has_events) == 0);
}

void name_server_stop(struct name_server *server)
{
    for (size_t i = 0; i < ARRAY_LENGTH(server->connections); i++)
        watch_close(&server->connections[i].watch);
    watch_close(&server->udp);
    watch_close(&server->listener);
}

void ns_begin(struct ns_message *message, const struct ns_question *question, unsigned rcode)
{
    message->length = 0;
    put_number(message, question->id, 2);
    put_number(message, 0x8180 | rcode, 2); /* a response, recursion desired and available */
    put_number(message, 1, 2);
    put_number(message, 0, 6);
    message->length += encode_name(question->name, message->bytes + message->length);
    put_number(message, question->type, 2);
    put_number(message, 1, 2);
}

void ns_set_truncated(struct ns_message *message)
{
    message->bytes[2] |= 0x02;
}

void ns_add_record(struct ns_message *message, bool is_authority, const char *name, unsigned type,
                   uint32_t ttl_s, const void *data, size_t length)
{
    uint8_t *count = message->bytes + (is_authority ? 8 : 6);
    unsigned number = (unsigned)(count[0] << 8 | count[1]) + 1;

    count[0] = (uint8_t)(number >> 8);
    count[1] = (uint8_t)number;
    if (name == NULL)
        put_number(message, 0xc00c, 2); /* a pointer to the question's name */
    else
        message->length += encode_name(name, message->bytes + message->length);
    put_number(message, type, 2);
    put_number(message, 1, 2);
    put_number(message, ttl_s, 4);
    put_number(message, (uint32_t)length, 2);
    memcpy(message->bytes + message->length, data, length);
    message->length += length;
}

void ns_add_a(struct ns_message *message, const char *name, uint32_t ttl_s, const char *address)
{
    struct in_addr data;

    check(inet_pton(AF_INET, address, &data) == 1);
    ns_add_record(message, false, name, DNS_A, ttl_s, &data, sizeof(data));
}

void ns_add_aaaa(struct ns_message *message, const char *name, uint32_t ttl_s, const char *address)
{
    struct in6_addr data;

    check(inet_pton(AF_INET6, address, &data) == 1);
    ns_add_record(message, false, name, DNS_AAAA, ttl_s, &data, sizeof(data));
}

void ns_add_cname(struct ns_message *message, const char *name, uint32_t ttl_s, const char *target)
{
    uint8_t data[256];

    ns_add_record(message, false, name, DNS_CNAME, ttl_s, data, encode_name(target, data));
}

void ns_add_soa(struct ns_message *message, uint32_t ttl_s, uint32_t minimum_s)
{
    struct ns_message data = {.length = 0};

    data.length += encode_name("ns.example", data.bytes);
    data.length += encode_name("root.example", data.bytes + data.length);
    for (unsigned i = 1; i < 5; i++)
        put_number(&data, i, 4); /* serial, refresh, retry, expire */
    put_number(&data, minimum_s, 4);
    ns_add_record(message, true, NULL, DNS_SOA, ttl_s, data.bytes, data.length);
}

void name_server_send(const struct ns_question *question, const struct ns_message *message)
{
    if (question->tcp_fd < 0) {
        sendto(question->server->udp.fd, message->bytes, message->length, MSG_DONTWAIT,
               (const struct sockaddr *)&question->from, sizeof(question->from));
        return;
    }
    struct ns_connection *connection = find_connection(question->server, question->tcp_fd);
    if (connection == NULL)
        return; /* the asker has gone */
    uint8_t *end = connection->unsent + connection->unsent_length;
    check(connection->unsent_length + 2 + message->length <= sizeof(connection->unsent));
    end[0] = (uint8_t)(message->length >> 8);
    end[1] = (uint8_t)message->length;
    memcpy(end + 2, message->bytes, message->length);
    connection->unsent_length += 2 + message->length;
    send_unsent(connection);
}
