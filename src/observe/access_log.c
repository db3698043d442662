/* One line an event, built without libc formatting: about half a microsecond.
 *
 * The order of the fields is fixed and a field that has nothing to say is left out. Three values
 * come from outside: the user, the target as it was asked for, and the reason that quotes it; they
 * are escaped and bounded, so that the longest line fits into LOG_LINE_MAX with its last field
 * intact (the unit tests hold it to that).
 *
 * An id is 64 bits: the low byte of the process id (two that start together differ in it), the
 * thread, the start stamp in 64 ms, a count. The count carries into the stamp on purpose: a thread
 * would have to open 256,000 tunnels a second to run into ids that a later start begins with.
 */
#include "observe/access_log.h"

#include "base/text.h"
#include "observe/event_feed.h"
#include "observe/line.h"
#include "observe/log.h"
#include "observe/logfmt.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    ID_COUNT_BITS = 14,
    ID_STAMP_BITS = 34, /* of 64 ms: comes round after 34 years */
    ID_STAMP_UNIT_BITS = 6,
    ID_DIGITS_MAX = 13, /* as written */
};
static_assert(ID_COUNT_BITS + ID_STAMP_BITS + 8 + 8 == 64, "8 bits a thread and a process");

/* In bytes as written. All else in a line is short: together under 640. */
enum { TARGET_LIMIT = 512, REASON_LIMIT = 512, USER_LIMIT = 256, ID_TEXT_SIZE = 16 };

static const char *const closed_by_names[] = {
    [CLOSED_BY_CLIENT_EOF] = "client_eof",
    [CLOSED_BY_TARGET_EOF] = "target_eof",
    [CLOSED_BY_CLIENT_RESET] = "client_reset",
    [CLOSED_BY_TARGET_RESET] = "target_reset",
    [CLOSED_BY_IDLE_TIMEOUT] = "idle_timeout",
    [CLOSED_BY_HALF_CLOSED_TIMEOUT] = "half_closed_timeout",
    [CLOSED_BY_STUCK_TIMEOUT] = "stuck_timeout",
    [CLOSED_BY_KILLED] = "killed",
    [CLOSED_BY_DRAINED] = "drained",
    [CLOSED_BY_NO_MEMORY] = "no_memory",
};
static_assert(ARRAY_LENGTH(closed_by_names) == CLOSED_BY_COUNT, "a name a cause");

static const char *const event_names[] = {
    [ACCESS_OPEN] = "open",
    [ACCESS_CLOSE] = "close",
    [ACCESS_DENY] = "deny",
    [ACCESS_AUTH_FAILURE] = "auth_failure",
};
static_assert(ARRAY_LENGTH(event_names) == ACCESS_EVENT_COUNT, "a name an event");

const char *closed_by_name(enum closed_by closed_by)
{
    REQUIRE((unsigned)closed_by < CLOSED_BY_COUNT);
    return closed_by_names[closed_by];
}

const char *access_event_name(enum access_event event)
{
    REQUIRE((unsigned)event < ACCESS_EVENT_COUNT);
    return event_names[event];
}

void access_ids_init(struct access_ids *ids, uint64_t process_seed, unsigned thread)
{
    uint64_t stamp = process_seed >> ID_STAMP_UNIT_BITS;
    stamp &= ((uint64_t)1 << ID_STAMP_BITS) - 1;
    uint64_t owner = ((uint64_t)getpid() & 0xff) << 8 | (thread & 0xff);
    ids->next = (owner << ID_STAMP_BITS | stamp) << ID_COUNT_BITS;
}

uint64_t access_ids_take(struct access_ids *ids)
{
    return ids->next++;
}

/* Base 32 without i, l, o and u: no digit is mistaken for a letter, no word comes out. */
static const char id_alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

void access_id_print(struct text *out, uint64_t id)
{
    char digits[ID_DIGITS_MAX];
    size_t start = sizeof digits;
    do {
        digits[--start] = id_alphabet[id & 31];
        id >>= 5;
    } while (id != 0);
    text_add_bytes(out, digits + start, sizeof digits - start);
}

int access_id_parse(const char *text, size_t length, uint64_t *ret_id)
{
    uint64_t id = 0;

    if (length == 0 || length > ID_DIGITS_MAX || text[0] == '0')
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        const char *digit = memchr(id_alphabet, text[i], sizeof id_alphabet - 1);
        if (digit == NULL || id >> 59 != 0)
            return -EINVAL;
        id = id << 5 | (uint64_t)(digit - id_alphabet);
    }
    *ret_id = id;
    return 0;
}

static void add_close(struct line *line, const struct access_record *record)
{
    line_add_number(line, "up_bytes", record->up_bytes);
    line_add_number(line, "down_bytes", record->down_bytes);
    line_add_number(line, "duration_ms", record->duration_ms);
}

static void add_id(struct line *line, uint64_t id)
{
    char buffer[ID_TEXT_SIZE];
    struct text text;

    text_init(&text, buffer, sizeof buffer);
    access_id_print(&text, id);
    line_add_text(line, "id", buffer);
}

static void add_facts(struct line *line, const struct access_record *record)
{
    line_add_endpoint(line, "client", &record->client);
    line_add_endpoint(line, "listener", record->listener);
    line_add_text(line, "http", record->http);
    if (record->user != NULL)
        line_add_bytes(line, "user", record->user, strlen(record->user), USER_LIMIT);
    line_add_bytes(line, "target", record->target, record->target_length, TARGET_LIMIT);
    line_add_endpoint(line, "address", record->address);
    line_add_text(line, "verdict", record->verdict);
    line_add_text(line, "rule", record->rule);
    line_add_text(line, "report", record->report);
    if (record->status != 0)
        line_add_number(line, "status", record->status);
    line_add_text(line, "error", record->error);
    if (record->reason != NULL)
        line_add_bytes(line, "reason", record->reason, strlen(record->reason), REASON_LIMIT);
    if (record->dns_ms >= 0)
        line_add_number(line, "dns_ms", (uint64_t)record->dns_ms);
    if (record->dial_ms >= 0)
        line_add_number(line, "dial_ms", (uint64_t)record->dial_ms);
}

void access_log_format(struct text *out, enum log_format format, const struct access_record *record,
                       uint64_t wall_ms)
{
    struct line line;

    line_begin(&line, out, format);
    line_add_time(&line, "time", wall_ms);
    add_id(&line, record->id);
    line_add_text(&line, "event", access_event_name(record->event));
    add_facts(&line, record);
    if (record->event == ACCESS_CLOSE) {
        add_close(&line, record);
        line_add_text(&line, "closed_by", closed_by_name(record->closed_by));
    }
    line_end(&line);
}

void access_tunnel_print(struct text *out, const struct access_record *record)
{
    struct line line;

    line_begin(&line, out, LOG_FORMAT_JSON);
    add_id(&line, record->id);
    add_facts(&line, record);
    add_close(&line, record);
    line_end(&line);
}

void access_log_write(struct log_ring *ring, struct event_feed *feed,
                      const struct access_record *record)
{
    struct log_style style = log_style(ring);
    bool is_logged = style.events & 1U << record->event;
    bool is_fed = feed != NULL && event_feed_wants(feed, record->event);
    char bytes[LOG_LINE_MAX];
    struct text text;

    if (!is_logged && !is_fed)
        return;
    uint64_t wall_ms = logfmt_wall_ms();
    if (is_logged) {
        text_init(&text, bytes, sizeof bytes);
        access_log_format(&text, style.format, record, wall_ms);
        log_write(ring, bytes, text.length);
    }
    if (is_fed)
        event_feed_write(feed, record, wall_ms);
}
