/*
 * The traffic: clients and origin in one process, one thread, one epoll loop; or the origins in
 * processes of their own, each with such a loop: then whoever reads may fall asleep between two
 * segments, which costs the proxy a wakeup.
 *
 * A client opens a tunnel through the proxy (or dials the origin directly) and exchanges messages
 * with the origin, which checks and answers them. Anything unexpected (a wrong byte, a byte too
 * many, a lost connection, a refusal, the deadline) ends the program through load_fail: a figure
 * measured on wrong answers is worth nothing.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_ORIGINS 16

struct load;
struct conn;

enum exchange_kind {
    EXCHANGE_ECHO = 'E', /* 100 bytes there, their complement back */
    EXCHANGE_DOWN = 'D', /* a 100-byte request, then `number` bytes of pattern back */
    EXCHANGE_UP = 'U',   /* a 100-byte request and `number` bytes of pattern, then the complement */
};

struct load_settings {
    struct sockaddr_in proxy;
    bool is_direct;            /* no proxy: `proxy` is not looked at */
    uint16_t origin_port;      /* of all origins; 0: the kernel chooses */
    bool is_relay;             /* the proxy takes no CONNECT: it knows the origins */
    uint32_t origin_processes; /* LOAD_ORIGINS at most; 0: the clients' */
    uint64_t deadline_ns;
};

/* A row's hooks, each may be NULL. They may start an exchange, finish the connection, or stop. */
struct load_ops {
    void (*on_open)(struct load *load, struct conn *conn);
    void (*on_answer)(struct load *load, struct conn *conn);
    void (*on_closed)(struct load *load);
    /* Every turn; returns when it wants to be called again at the latest. */
    uint64_t (*on_turn)(struct load *load, uint64_t now_ns);
};

/* Never returns NULL: it fails instead. `settings` is copied. The origins' processes end with this
 * one. */
struct load *load_create(const struct load_settings *settings);
void load_destroy(struct load *load);

void load_set_ops(struct load *load, const struct load_ops *ops, void *row);
void *load_row(struct load *load);

/* Dials one tunnel; on_open follows. */
void load_dial(struct load *load);

/* Opens `count` tunnels, at most `at_once` in the making; returns when all are open. */
void load_open_all(struct load *load, uint32_t count, uint32_t at_once);

/* Turns the loop until load_stop or until the clock says `until_ns` (0: until load_stop). */
void load_run(struct load *load, uint64_t until_ns);
void load_stop(struct load *load);

/* Calls `visit` for every client whose tunnel is open. */
void load_each(struct load *load, void (*visit)(struct load *load, struct conn *conn));

/* Ends every client, which must be idle, in order; returns as load_wait_closed does. */
void load_finish_all(struct load *load);

/* Returns when both ends of all tunnels are closed. */
void load_wait_closed(struct load *load);

/* Starts an exchange; on_answer follows. One at a time per connection. */
void conn_exchange(struct load *load, struct conn *conn, enum exchange_kind kind, uint64_t number);
bool conn_is_idle(const struct conn *conn);

/* When the connection was dialled, and when its last exchange began. */
uint64_t conn_dialled_ns(const struct conn *conn);
uint64_t conn_asked_ns(const struct conn *conn);

/* Whatever a row wants to know a connection by; NULL at first. */
void conn_set_tag(struct conn *conn, void *tag);
void *conn_tag(const struct conn *conn);

/* Half-closes and reads to the end; on_closed follows. */
void conn_finish(struct load *load, struct conn *conn);

/* Closes that came as a reset after everything was exchanged: legal for the bytes, but not clean.
 */
uint64_t load_resets(const struct load *load);

uint64_t clock_ns(void);

/* Prints {"ok": false, "error": ...} and exits with 1. */
void load_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
