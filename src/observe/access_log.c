/* Writes one line per event, without libc formatting; this takes about half a microsecond.
 *
 * The order of the fields is fixed and a field that has nothing to say is left out. Three values
 * come from outside: the user, the target as it was asked for, and the reason that quotes it; they
 * are escaped and bounded, so that the longest line fits into LOG_LINE_MAX with its last field
 * intact (the unit tests hold it to that).
 *
 * An id is 64 bits: the low byte of the process id (two that start together differ in it), the
 * thread, the start stamp in 64 ms, a count. The count carries into the stamp on purpose: a thread
 * would have to open 256,000 tunnels per second to run into ids that a later start begins with.
 */
#include "observe/access_log.h"

#include "base/text.h"
#include "observe/event_feed.h"
#include "observe/line.h"
#include "observe/log.h"
#include "observe/logfmt.h"
#include "observe/squid_line.h"
#include "system/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    ID_COUNT_BITS = 14,
    ID_STAMP_BITS = 33, /* of 64 ms: comes round after 17 years */
    ID_STAMP_UNIT_BITS = 6,
    ID_THREAD_BITS = 9,
    ID_PROCESS_BITS = 8,
};
static_assert(ID_COUNT_BITS + ID_STAMP_BITS + ID_THREAD_BITS + ID_PROCESS_BITS == 64, "no gap");
static_assert(ACCESS_IDS_THREADS_MAX == 1 << ID_THREAD_BITS, "a number for each");

/* Bounds of values, in bytes as written. */
enum {
    TARGET_LIMIT = 512,
    REASON_LIMIT = 512,
    USER_LIMIT = 256,
    NAME_LIMIT = 96,
    ACCESS_WORD_LIMIT = 32
};
/* There is memory for all fields at once. The longest line that can really occur is below
 * LOG_LINE_MAX, which the unit tests check. */
static_assert(TARGET_LIMIT + REASON_LIMIT + USER_LIMIT + 2 * NAME_LIMIT + 5 * ACCESS_WORD_LIMIT +
                      3 * IP_ENDPOINT_TEXT_SIZE + 6 * LINE_NUMBER_MAX + SHORT_ID_MAX +
                      LOGFMT_TIME_SIZE + 21 * LINE_FIELD_MAX + LINE_PIECE_SIZE <
                  LINE_SIZE,
              "a line has room");

#define TEXT(name) static const struct line_piece name_##name = LINE_TEXT(#name)
TEXT(time);
TEXT(id);
TEXT(state);
TEXT(client);
TEXT(listener);
TEXT(front);
TEXT(http);
TEXT(user);
TEXT(target);
TEXT(address);
TEXT(verdict);
TEXT(rule);
TEXT(report);
TEXT(error);
TEXT(reason);
#undef TEXT
#define NUMBER(name) static const struct line_piece name_##name = LINE_NUMBER(#name)
NUMBER(status);
NUMBER(dns_ms);
NUMBER(dial_ms);
NUMBER(up_bytes);
NUMBER(down_bytes);
NUMBER(duration_ms);
#undef NUMBER

/* Whole fields with the values that they nearly always have. */
static const struct line_piece status_200 = LINE_PIECE(" status=200", ",\"status\":200");
static const struct line_piece http_1_1 = LINE_CONSTANT("http", "1.1");
static const struct line_piece verdict_allow = LINE_CONSTANT("verdict", "allow");

struct named {
    const char *name;
    struct line_piece field;
};
#define CLOSED_BY(name)                                                                            \
    {                                                                                              \
        name, LINE_CONSTANT("closed_by", name)                                                     \
    }
#define EVENT(name)                                                                                \
    {                                                                                              \
        name, LINE_CONSTANT("event", name)                                                         \
    }

static const struct named closed_by_rows[] = {
    [CLOSED_BY_CLIENT_EOF] = CLOSED_BY("client_eof"),
    [CLOSED_BY_TARGET_EOF] = CLOSED_BY("target_eof"),
    [CLOSED_BY_CLIENT_RESET] = CLOSED_BY("client_reset"),
    [CLOSED_BY_TARGET_RESET] = CLOSED_BY("target_reset"),
    [CLOSED_BY_IDLE_TIMEOUT] = CLOSED_BY("idle_timeout"),
    [CLOSED_BY_HALF_CLOSED_TIMEOUT] = CLOSED_BY("half_closed_timeout"),
    [CLOSED_BY_STUCK_TIMEOUT] = CLOSED_BY("stuck_timeout"),
    [CLOSED_BY_KILLED] = CLOSED_BY("killed"),
    [CLOSED_BY_DRAINED] = CLOSED_BY("drained"),
    [CLOSED_BY_NO_MEMORY] = CLOSED_BY("no_memory"),
    [CLOSED_BY_TCP_MEMORY] = CLOSED_BY("tcp_memory"),
};
static_assert(ARRAY_LENGTH(closed_by_rows) == CLOSED_BY_COUNT, "a row a cause");

static const struct named event_rows[] = {
    [ACCESS_OPEN] = EVENT("open"),
    [ACCESS_CLOSE] = EVENT("close"),
    [ACCESS_DENY] = EVENT("deny"),
    [ACCESS_AUTH_FAILURE] = EVENT("auth_failure"),
};
static_assert(ARRAY_LENGTH(event_rows) == ACCESS_EVENT_COUNT, "a row an event");

const char *closed_by_name(enum closed_by closed_by)
{
    REQUIRE((unsigned)closed_by < CLOSED_BY_COUNT);
    return closed_by_rows[closed_by].name;
}

const char *access_event_name(enum access_event event)
{
    REQUIRE((unsigned)event < ACCESS_EVENT_COUNT);
    return event_rows[event].name;
}

void access_ids_init(struct access_ids *ids, uint64_t process_seed, unsigned thread)
{
    uint64_t stamp = process_seed >> ID_STAMP_UNIT_BITS;
    stamp &= ((uint64_t)1 << ID_STAMP_BITS) - 1;
    uint64_t process = (uint64_t)getpid() & ((1 << ID_PROCESS_BITS) - 1);
    uint64_t owner = process << ID_THREAD_BITS | thread;
    REQUIRE(thread < ACCESS_IDS_THREADS_MAX);
    ids->next = (owner << ID_STAMP_BITS | stamp) << ID_COUNT_BITS;
}

uint64_t access_ids_take(struct access_ids *ids)
{
    return ids->next++;
}

/* Compares with a literal without a call of strcmp. */
static ALWAYS_INLINE bool is_word(const char *text, const char *word, size_t size)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < size; i++)
        if (text[i] != word[i])
            return false;
    return true;
}

#define IS_WORD(text, word) ((text) != NULL && is_word((text), (word), sizeof(word)))

/* Inlined once per format, because a format that is known at compile time saves a tenth of the time
 * of a line. */
static ALWAYS_INLINE void add_facts(struct line *line, const struct access_record *record)
{
    line_add_endpoint(line, &name_client, &record->client);
    line_add_endpoint(line, &name_listener,
                      record->listener != NULL ? &record->listener->bound : NULL);
    line_add_text(line, &name_user, record->user, USER_LIMIT);
    line_add_text(line, &name_front, record->front, ACCESS_WORD_LIMIT);
    if (IS_WORD(record->http, "1.1"))
        line_add_piece(line, &http_1_1);
    else
        line_add_text(line, &name_http, record->http, ACCESS_WORD_LIMIT);
    line_add_bytes(line, &name_target, record->target, record->target_length, TARGET_LIMIT);
    line_add_endpoint(line, &name_address, record->address);
    if (IS_WORD(record->verdict, "allow"))
        line_add_piece(line, &verdict_allow);
    else
        line_add_text(line, &name_verdict, record->verdict, ACCESS_WORD_LIMIT);
    line_add_text(line, &name_rule, record->rule, NAME_LIMIT);
    line_add_text(line, &name_report, record->report, NAME_LIMIT);
    if (record->status == 200)
        line_add_piece(line, &status_200);
    else if (record->status != 0)
        line_add_number(line, &name_status, record->status);
    line_add_text(line, &name_error, record->error, ACCESS_WORD_LIMIT);
    line_add_text(line, &name_reason, record->reason, REASON_LIMIT);
    if (record->dns_ms >= 0)
        line_add_number(line, &name_dns_ms, (uint64_t)record->dns_ms);
    if (record->dial_ms >= 0)
        line_add_number(line, &name_dial_ms, (uint64_t)record->dial_ms);
}

static ALWAYS_INLINE void add_close(struct line *line, const struct access_record *record)
{
    line_add_number(line, &name_up_bytes, record->up_bytes);
    line_add_number(line, &name_down_bytes, record->down_bytes);
    line_add_number(line, &name_duration_ms, record->duration_ms);
}

static ALWAYS_INLINE size_t put_fields(char bytes[LINE_SIZE], enum log_format format,
                                       struct logfmt_date *date, const struct access_record *record,
                                       uint64_t wall_ms, const char **ret_start)
{
    struct line line;

    line_begin(&line, bytes, format);
    line_add_time(&line, &name_time, date, wall_ms);
    line_add_id(&line, &name_id, record->id);
    line_add_piece(&line, &event_rows[record->event].field);
    add_facts(&line, record);
    if (record->event == ACCESS_CLOSE) {
        add_close(&line, record);
        line_add_piece(&line, &closed_by_rows[record->closed_by].field);
    }
    return line_end(&line, ret_start);
}

/* Writes a line into `bytes`. Returns its length, and in *ret_start where it begins. */
static size_t put_line(char bytes[LINE_SIZE], enum log_format format, struct logfmt_date *date,
                       const struct access_record *record, uint64_t wall_ms, const char **ret_start)
{
    if (format == LOG_FORMAT_SQUID) {
        *ret_start = bytes;
        return squid_line_put(bytes, record, wall_ms);
    }
    if (format == LOG_FORMAT_JSON)
        return put_fields(bytes, LOG_FORMAT_JSON, date, record, wall_ms, ret_start);
    return put_fields(bytes, LOG_FORMAT_LOGFMT, date, record, wall_ms, ret_start);
}

void access_log_format(struct text *out, enum log_format format, const struct access_record *record,
                       uint64_t wall_ms)
{
    struct logfmt_date date = {0};
    char bytes[LINE_SIZE];
    const char *start;
    size_t length = put_line(bytes, format, &date, record, wall_ms, &start);

    text_add_bytes(out, start, length);
}

void access_tunnel_print(struct text *out, const struct access_record *record)
{
    char bytes[LINE_SIZE];
    struct line line;
    const char *start;

    line_begin(&line, bytes, LOG_FORMAT_JSON);
    line_add_id(&line, &name_id, record->id);
    line_add_text(&line, &name_state, record->state, ACCESS_WORD_LIMIT);
    add_facts(&line, record);
    add_close(&line, record);
    size_t length = line_end(&line, &start);
    text_add_bytes(out, start, length);
}

static void access_line_write(struct log_ring *ring, enum log_format format,
                              const struct access_record *record, uint64_t wall_ms)
{
    char bytes[LINE_SIZE];
    const char *start;
    size_t length = put_line(bytes, format, log_date(ring), record, wall_ms, &start);

    if (length > 0)
        log_write(ring, start, length);
}

void access_log_write(struct log_ring *ring, struct event_feed *feed,
                      const struct access_record *record)
{
    struct log_style style = log_style(ring);
    bool is_logged = style.events & 1U << record->event;
    bool is_fed = feed != NULL && event_feed_wants(feed, record->event);

    if (!is_logged && !is_fed)
        return;
    uint64_t wall_ms = clock_wall_ms();
    if (is_logged)
        access_line_write(ring, style.format, record, wall_ms);
    if (is_fed)
        event_feed_write(feed, record, wall_ms);
}
