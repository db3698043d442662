/* What a front-end is, and the table of all front-ends (front.def).
 *
 * A front-end speaks one protocol. It reads a request and asks for a tunnel (front_request.h); its
 * `success` or its `refuse` is what the client gets as the answer. front_conn.h does the rest for
 * it: the connection's seat and deadlines, first bytes, writing, lingering, the end.
 */
#ifndef FRONT_FRONT_KIND_H
#define FRONT_FRONT_KIND_H

#include "observe/counters.h"

#include <stddef.h>

struct front_conn;
struct text;
struct tunnel_refusal;
struct tunnel_way;

enum {
    FRONT_FIRST_MAX = 24,                 /* with so many bytes `match` does not ask for more */
    FRONT_READ_MAX = 16 * 1024,           /* bytes that `open` gets at most */
    FRONT_REFUSAL_SIZE = 2048,            /* room for any refusal */
    FRONT_ROWS_MAX = COUNTERS_FRONTS_MAX, /* the metrics have a place for each */
};

enum front_match {
    FRONT_MATCH_NO,
    FRONT_MATCH_YES,
    FRONT_MATCH_MORE, /* more bytes would tell */
};

struct front_kind {
    /* Bytes of a connection of this kind: a struct that begins with its struct front_conn. They
     * are zero until `open`. */
    size_t size;
    /* Returns whether a client that begins with these bytes (at least one) speaks this protocol.
     * NULL in the first row, which is not asked. */
    enum front_match (*match)(const char *bytes, size_t length);
    /* Begins a connection that is of this kind. `bytes` were read already and live only during the
     * call; there may be more in the stream. */
    void (*open)(struct front_conn *conn, const char *bytes, size_t length);
    /* Called when the stream is ready while the request is still awaited. */
    void (*read)(struct front_conn *conn);
    /* Prints the refusal, of FRONT_REFUSAL_SIZE bytes at most. `conn` is NULL when the connection
     * was refused at once because no descriptor was left. If the connection was never opened, the
     * kind's own part of it is zero. */
    void (*refuse)(struct text *out, const struct tunnel_refusal *refusal,
                   const struct front_conn *conn);
    /* The way of requests that never become tunnels. */
    const struct tunnel_way *way;
    /* What the client gets before the first byte of the target. */
    const char *success;
    /* Called when the process is about to end while the connection awaits its request. When this is
     * NULL, a request that has begun is still awaited, and refused when it is complete. */
    void (*drain)(struct front_conn *conn);
    /* Wipes and frees what the kind holds of a request, which is not needed any more, and ends what
     * it has under way. It may be called more than once, and from within every call of the kind
     * that may end the connection. */
    void (*close)(struct front_conn *conn);
};

struct front_row {
    const char *name;
    const struct front_kind *(*kind)(void);
};

enum front_name {
#define FRONT(suffix, name, kind) FRONT_##suffix,
#include "front/front.def"
#undef FRONT
    FRONT_COUNT,
};

/* Returns all rows, in the order of front.def. */
const struct front_row *front_rows(size_t *ret_count);

#define FRONT(suffix, name, kind) const struct front_kind *kind(void);
#include "front/front.def"
#undef FRONT

#endif
