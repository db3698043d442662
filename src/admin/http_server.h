/* The admin page's server: `/`, `/metrics`, `/healthz` and `/api` (doc/observe.md), over HTTP/1 on
 * the worker's main thread.
 *
 * One request a connection. A quarter of the connections may be event streams; a head has 10 s, an
 * answer that is not taken 10 s, a stream that takes nothing 15 s; what is held for slow readers is
 * bounded. A Host that is not ours is refused (421) but at /healthz, and so is a change without
 * `X-Adit: 1` or from a foreign Origin.
 */
#ifndef ADMIN_HTTP_SERVER_H
#define ADMIN_HTTP_SERVER_H

#include "base/contract.h"
#include "base/listener.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_SERVER_CONNECTIONS_MAX 64 /* as many as anybody needs */

struct auth;
struct auth_users;
struct counters;
struct event_feed;
struct http_server;
struct log_ring;
struct loop;
struct panel;

/* All outlives the server. */
struct http_server_plan {
    struct loop *loop;
    const struct panel *panel;
    struct auth *auth;
    struct log_ring *log;
    struct event_feed *events; /* what it logs goes there, too */
    uint64_t process_seed;     /* for ids */
    unsigned thread;           /* for ids: as those that carry tunnels have theirs */
    unsigned connections_max;
};

/* Where it listens and whom it lets in. */
struct http_door {
    struct listener listener; /* its descriptor stays the caller's; -1: nowhere */
    const char *const *names; /* by which it is asked for, beside addresses and localhost */
    size_t name_count;        /* `names`: as long as it is the door; normalised */
    bool has_password;        /* everything but /healthz asks for one */
    bool (*may_come)(void *self, const struct ip_address *client); /* but for /healthz */
    struct auth_users *users; /* outlives its being set here; NULL: nobody has a password */
    bool (*may_enter)(void *self, const char *user); /* one whose password was right */
    void *self;
};

/* 0 or -errno. Listens nowhere yet. */
int http_server_create(const struct http_server_plan *plan,
                       struct http_server **ret_server) MUST_CHECK;
/* From now on. Event streams of whom this door does not let in, or by another password, end, and a
 * password that is being checked is answered 503; other connections stay. What the door before
 * points to is still there. 0 or -errno, and then it listens nowhere. */
int http_server_use(struct http_server *server, const struct http_door *door) MUST_CHECK;
/* Its share of the counters. */
const struct counters *http_server_counters(const struct http_server *server);
/* Closes whatever is left. */
void http_server_destroy(struct http_server *server);

#endif
