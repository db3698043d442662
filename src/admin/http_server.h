/* The admin page's server: `/`, `/metrics`, `/healthz` and `/api` (doc/observe.md), over HTTP/1 on
 * the worker's main thread.
 *
 * There is one request per connection. A quarter of the connections may be event streams. A client
 * has 10 s to send its head and 10 s to take its answer, and an event stream ends when its client
 * takes nothing for 15 s. The memory that is held for slow readers is bounded. A request whose Host
 * is not ours is refused (421), except for /healthz. A request that changes something is refused
 * (403) without `X-Adit: 1` or with a foreign Origin.
 */
#ifndef ADMIN_HTTP_SERVER_H
#define ADMIN_HTTP_SERVER_H

#include "base/contract.h"
#include "base/listener.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for some browsers and scrapers; each costs a descriptor that a tunnel could have. */
#define HTTP_SERVER_CONNECTIONS_MAX 64

struct auth;
struct auth_users;
struct counters;
struct event_feed;
struct http_server;
struct log_ring;
struct loop;
struct panel;

/* What the server uses. All of it outlives the server. */
struct http_server_plan {
    struct loop *loop;
    const struct panel *panel;
    struct auth *auth;
    struct log_ring *log;
    struct event_feed *events; /* gets the events that the server logs */
    uint64_t process_seed;     /* for ids */
    unsigned thread;           /* for ids: a number that no thread with tunnels has */
    unsigned connections_max;
};

/* Says where the server listens and whom it lets in. */
struct http_door {
    struct listener listener; /* its descriptor stays the caller's; -1: it listens nowhere */
    /* Names that a Host may have beside addresses and localhost, normalised. They must stay valid
     * as long as this is the door. */
    const char *const *names;
    size_t name_count;
    bool has_password; /* everything except /healthz asks for one */
    /* Whether a client with this address is let in; not asked for /healthz. */
    bool (*may_come)(void *self, const struct ip_address *client);
    struct auth_users *users; /* valid as long as this is the door; NULL: nobody has a password */
    /* Whether a user whose password was right is let in. */
    bool (*may_enter)(void *self, const char *user);
    void *self;
};

/* Creates a server that listens nowhere yet. Returns 0 or -errno. */
int http_server_create(const struct http_server_plan *plan,
                       struct http_server **ret_server) MUST_CHECK;
/* Serves by `door` from now on. Event streams end if this door does not let their clients in, or by
 * another password; a client whose password is being checked is answered 503. Other connections
 * stay. What the door before points to must still be there during the call. Returns 0, or -errno
 * and then the server listens nowhere. */
int http_server_use(struct http_server *server, const struct http_door *door) MUST_CHECK;
/* Returns the counters of the server, which are added to those of the threads. */
const struct counters *http_server_counters(const struct http_server *server);
/* Closes all connections and frees the server. */
void http_server_destroy(struct http_server *server);

#endif
