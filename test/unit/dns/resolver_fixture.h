/* A loop, a resolver on it and a name server that it asks; what one asker was told. */
#ifndef UNIT_DNS_RESOLVER_FIXTURE_H
#define UNIT_DNS_RESOLVER_FIXTURE_H

#include "dns/resolver.h"
#include "name_server.h"
#include "observe/counters.h"

#include <stdbool.h>

struct fixture {
    struct loop *loop;
    struct resolver *resolver;
    struct name_server server;
    struct counters counters;
    struct deadline guard;
    bool is_late; /* the test waits for what never comes */
};

struct told {
    unsigned count;
    enum resolver_status status;
    size_t address_count;
    char first[64]; /* the first address as text, or "" */
};

struct asker {
    struct resolver_query query;
    struct told v4;
    struct told v6;
    unsigned count; /* of both families */
};

/* `timeout_ms` is the resolver's. */
void fixture_start(struct fixture *fixture, uint64_t timeout_ms,
                   void (*script)(const struct ns_question *question));
/* Everything of the resolver must be closed afterwards: no descriptor more than before. Where the
 * test waited in vain all is left as it lies, for who asked is gone. */
void fixture_stop(struct fixture *fixture);
/* resolv.conf names the fixture's server, behind `before` (lines, or ""). */
void fixture_set_servers(struct fixture *fixture, const char *before);
const struct ip_address *fixture_client(void);

/* For fixture_client. */
void fixture_ask(struct fixture *fixture, struct asker *asker, const char *name);
void fixture_ask_for(struct fixture *fixture, struct asker *asker, const char *name,
                     const struct ip_address *client);
/* One turn of the loop; fails the test when the guard has passed. */
void fixture_turn(struct fixture *fixture);
/* Turns the loop until the asker was told both. */
void fixture_wait(struct fixture *fixture, struct asker *asker);
void fixture_ask_and_wait(struct fixture *fixture, struct asker *asker, const char *name);
/* Asks, and cancels, until the asker is told at once. */
void fixture_ask_the_cache(struct fixture *fixture, struct asker *asker, const char *name);
void fixture_turn_for(struct fixture *fixture, uint64_t time_ms);
unsigned fixture_questions(const struct fixture *fixture);

/* The callback of fixture_ask. */
void asker_is_told(struct resolver_query *query, const struct resolver_answer *answer);
/* "ok 192.0.2.1", "nxdomain"..., "-": not told */
void assert_told(const struct told *told, const char *expected);

#endif
