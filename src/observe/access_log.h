/* The access log: one line per event, with the fields that doc/observe.md explains, as logfmt, as
 * JSON or in squid's format (observe/squid_line.h, which has no line for `open`).
 *
 * Bytes from outside are escaped (base/escape.h), and in logfmt a value with anything other than
 * letters, digits and `-._:/[]@%+,` is quoted. So a line can't be forged. Empty and absent fields
 * are left out.
 */
#ifndef OBSERVE_ACCESS_LOG_H
#define OBSERVE_ACCESS_LOG_H

#include "base/contract.h"
#include "base/listener.h"
#include "observe/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_feed;
struct text;

enum access_event {
    ACCESS_OPEN,
    ACCESS_CLOSE,
    ACCESS_DENY,
    ACCESS_AUTH_FAILURE, /* credentials were offered, and wrong */
    ACCESS_EVENT_COUNT,
};

enum closed_by {
    CLOSED_BY_CLIENT_EOF,
    CLOSED_BY_TARGET_EOF,
    CLOSED_BY_CLIENT_RESET,
    CLOSED_BY_TARGET_RESET,
    CLOSED_BY_IDLE_TIMEOUT,
    CLOSED_BY_HALF_CLOSED_TIMEOUT,
    CLOSED_BY_STUCK_TIMEOUT,
    CLOSED_BY_KILLED,
    CLOSED_BY_DRAINED,
    CLOSED_BY_NO_MEMORY,
    CLOSED_BY_TCP_MEMORY,
    CLOSED_BY_COUNT,
};

struct access_record {
    enum access_event event;
    uint64_t id;
    struct ip_endpoint client;
    const struct listener *listener; /* may be NULL */
    const char *front; /* name of the front-end; NULL: `http` tells enough, or it does not matter */
    const char *http;  /* "1.0", "1.1"; NULL if unknown */
    const char *user;  /* as offered; outside bytes; NULL: none */
    const char *target; /* as asked for, `target_length` outside bytes; NULL if none */
    size_t target_length;
    const struct ip_endpoint *address; /* dialled; NULL if none */
    const char *state;                 /* only of access_tunnel_print, of one that lives */
    const char *verdict;               /* "allow", "deny", "ask"; NULL when policy was not asked */
    const char *rule;
    const char *report;            /* a report rule that is true; NULL: none */
    unsigned status;               /* HTTP status; 0: left out */
    const char *error;             /* RFC 9209 token; NULL: none */
    const char *reason;            /* for a person; NULL: none */
    int64_t dns_ms, dial_ms;       /* -1: did not happen */
    uint64_t up_bytes, down_bytes; /* written on close only */
    uint64_t duration_ms;          /* close only */
    enum closed_by closed_by;      /* close only */
};

/* An id that is unique across threads, processes and restarts: made from the process id, a thread,
 * a start stamp and a count. `process_seed` is the wall clock in ms when the process began;
 * `thread` is below ACCESS_IDS_THREADS_MAX, and no other thread of this process has the same
 * number. */
#define ACCESS_IDS_THREADS_MAX 512
struct access_ids {
    uint64_t next;
};
void access_ids_init(struct access_ids *ids, uint64_t process_seed, unsigned thread);
uint64_t access_ids_take(struct access_ids *ids);

/* Formats one line in the log's format and puts it into the ring, and one into the feed (NULL:
 * none) if anybody follows it. The time is CLOCK_REALTIME, in UTC with milliseconds. */
void access_log_write(struct log_ring *ring, struct event_feed *feed,
                      const struct access_record *record);
/* Formats a line without the ring, for tests. `wall_ms` is the time since the epoch. */
void access_log_format(struct text *out, enum log_format format, const struct access_record *record,
                       uint64_t wall_ms);
/* Prints an open tunnel as a JSON object without a newline: its state, the fields of its `open`
 * line, and bytes and age so far. */
void access_tunnel_print(struct text *out, const struct access_record *record);
const char *closed_by_name(enum closed_by closed_by);
const char *access_event_name(enum access_event event);

#endif
