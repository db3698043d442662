/* What a front-end is, and the table of all that there are (front.def).
 *
 * A front-end speaks one protocol: it reads a request, asks for a tunnel (front_request.h), and its
 * `success` or its `refuse` is what the client hears of it. All else is done for it by
 * front_conn.h: the connection's seat and deadlines, first bytes, writing, lingering, the end.
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
    /* Whether a client that begins with these bytes (at least one) speaks this protocol. NULL in
     * the first row. */
    enum front_match (*match)(const char *bytes, size_t length);
    /* The connection is this kind's. `bytes` were read and live during the call only; there may be
     * more in the stream. */
    void (*open)(struct front_conn *conn, const char *bytes, size_t length);
    /* The request is still awaited, and the stream has news. */
    void (*read)(struct front_conn *conn);
    /* Prints the answer, of FRONT_REFUSAL_SIZE bytes at most. `conn` NULL: there is none, for want
     * of a descriptor; or, where it never was opened, all of this kind's own in it is zero. */
    void (*refuse)(struct text *out, const struct tunnel_refusal *refusal,
                   const struct front_conn *conn);
    /* The way of requests that never are tunnels. */
    const struct tunnel_way *way;
    /* What the client hears before the first byte of the target. */
    const char *success;
    /* The connection awaits its request, and the process ends. NULL: a request that has begun is
     * awaited on, and refused when it is there. */
    void (*drain)(struct front_conn *conn);
    /* Wipes and frees what it holds of a request, which is not needed any more, and ends what it
     * has under way. Comes from within whatever the kind calls that may end the connection, and
     * more than once. */
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

/* All rows, in order. */
const struct front_row *front_rows(size_t *ret_count);

#define FRONT(suffix, name, kind) const struct front_kind *kind(void);
#include "front/front.def"
#undef FRONT

#endif
