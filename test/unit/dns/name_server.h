/* A name server on 127.0.0.1 and one port, UDP and TCP, on the loop of the test that scripts it. */
#ifndef UNIT_DNS_NAME_SERVER_H
#define UNIT_DNS_NAME_SERVER_H

#include "loop/loop.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_AAAA = 28 };
enum { NOERROR = 0, FORMERR = 1, SERVFAIL = 2, NXDOMAIN = 3, NOTIMP = 4, REFUSED = 5 };

struct name_server;

/* May be copied and answered later. */
struct ns_question {
    struct name_server *server;
    uint16_t id;
    char name[256]; /* as asked */
    unsigned type;
    struct sockaddr_in from; /* UDP */
    int tcp_fd;              /* -1: UDP */
};

struct ns_message {
    uint8_t bytes[65535];
    size_t length;
};

/* No question is read while an answer waits for its reader, who is on the same loop. */
struct ns_connection {
    struct watch watch;
    struct name_server *server;
    uint8_t unsent[2 + 65535];
    size_t unsent_length;
};

/* Allocates nothing: tests may make allocations fail. */
struct name_server {
    struct loop *loop;
    struct watch udp;
    struct watch listener;
    struct ns_connection connections[16];
    uint16_t port;
    unsigned udp_count;
    unsigned tcp_count;
    /* Answers with name_server_send, now or later or never. */
    void (*script)(const struct ns_question *question);
};

void name_server_start(struct name_server *server, struct loop *loop,
                       void (*script)(const struct ns_question *question));
void name_server_stop(struct name_server *server);

/* A reply's header and question section. */
void ns_begin(struct ns_message *message, const struct ns_question *question, unsigned rcode);
void ns_set_truncated(struct ns_message *message);
/* `name` NULL: the question's. Answers first, then authority. */
void ns_add_record(struct ns_message *message, bool is_authority, const char *name, unsigned type,
                   uint32_t ttl_s, const void *data, size_t length);
void ns_add_a(struct ns_message *message, const char *name, uint32_t ttl_s, const char *address);
void ns_add_aaaa(struct ns_message *message, const char *name, uint32_t ttl_s, const char *address);
void ns_add_cname(struct ns_message *message, const char *name, uint32_t ttl_s, const char *target);
void ns_add_soa(struct ns_message *message, uint32_t ttl_s, uint32_t minimum_s);
void name_server_send(const struct ns_question *question, const struct ns_message *message);

#endif
