/* One logfmt line an event, built without libc formatting: about half a microsecond.
 *
 * The order of the fields is fixed and a field that has nothing to say is left out. Only two values
 * come from outside, the target as it was asked for and the reason that quotes it; both are escaped
 * and bounded, so that the longest line fits into LOG_LINE_MAX with its last field intact (the unit
 * tests hold it to that).
 *
 * An id is 64 bits: the low byte of the process id (two that start together differ in it), the
 * thread, the start stamp in 64 ms, a count. The count carries into the stamp on purpose: a thread
 * would have to open 256,000 tunnels a second to run into ids that a later start begins with.
 */
#include "observe/access_log.h"

#include "base/text.h"
#include "observe/log.h"
#include "observe/logfmt.h"

#include <string.h>
#include <unistd.h>

enum {
    ID_COUNT_BITS = 14,
    ID_STAMP_BITS = 34, /* of 64 ms: comes round after 34 years */
    ID_STAMP_UNIT_BITS = 6,
};
static_assert(ID_COUNT_BITS + ID_STAMP_BITS + 8 + 8 == 64, "8 bits a thread and a process");

/* In bytes as written. All else in a line is short: together under 900. */
enum { TARGET_LIMIT = 512, REASON_LIMIT = 512, VALUE_LIMIT = 96 };

static const char *const closed_by_names[] = {
    [CLOSED_BY_CLIENT_EOF] = "client_eof",
    [CLOSED_BY_TARGET_EOF] = "target_eof",
    [CLOSED_BY_CLIENT_RESET] = "client_reset",
    [CLOSED_BY_TARGET_RESET] = "target_reset",
    [CLOSED_BY_IDLE_TIMEOUT] = "idle_timeout",
    [CLOSED_BY_HALF_CLOSED_TIMEOUT] = "half_closed_timeout",
    [CLOSED_BY_STUCK_TIMEOUT] = "stuck_timeout",
    [CLOSED_BY_DRAINED] = "drained",
    [CLOSED_BY_NO_MEMORY] = "no_memory",
};
static_assert(ARRAY_LENGTH(closed_by_names) == CLOSED_BY_COUNT, "a name a cause");

static const char *const event_names[] = {
    [ACCESS_OPEN] = "open",
    [ACCESS_CLOSE] = "close",
    [ACCESS_DENY] = "deny",
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
void access_id_print(struct text *out, uint64_t id)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    char digits[13];
    size_t start = sizeof digits;
    do {
        digits[--start] = alphabet[id & 31];
        id >>= 5;
    } while (id != 0);
    text_add_bytes(out, digits + start, sizeof digits - start);
}

static void add_value(struct text *out, const char *key, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    text_add(out, key);
    logfmt_add_value(out, value, strlen(value), VALUE_LIMIT);
}

static void add_outside_bytes(struct text *out, const char *key, const char *bytes, size_t length,
                              size_t limit)
{
    if (bytes == NULL || length == 0)
        return;
    text_add(out, key);
    logfmt_add_value(out, bytes, length, limit);
}

static void add_number(struct text *out, const char *key, uint64_t number)
{
    text_add(out, key);
    text_add_decimal(out, number);
}

static void add_endpoint(struct text *out, const char *key, const struct ip_endpoint *endpoint)
{
    if (endpoint == NULL || endpoint->address.family == IP_NONE)
        return;
    text_add(out, key);
    ip_endpoint_print(out, endpoint);
}

static void add_close(struct text *out, const struct access_record *record)
{
    add_number(out, " up_bytes=", record->up_bytes);
    add_number(out, " down_bytes=", record->down_bytes);
    add_number(out, " duration_ms=", record->duration_ms);
    add_value(out, " closed_by=", closed_by_name(record->closed_by));
}

void access_log_format(struct text *out, const struct access_record *record, uint64_t wall_ms)
{
    text_add(out, "time=");
    logfmt_add_time(out, wall_ms);
    text_add(out, " id=");
    access_id_print(out, record->id);
    add_value(out, " event=", access_event_name(record->event));
    add_endpoint(out, " client=", &record->client);
    add_endpoint(out, " listener=", record->listener);
    add_value(out, " http=", record->http);
    add_outside_bytes(out, " target=", record->target, record->target_length, TARGET_LIMIT);
    add_endpoint(out, " address=", record->address);
    add_value(out, " verdict=", record->verdict);
    add_value(out, " rule=", record->rule);
    if (record->status != 0)
        add_number(out, " status=", record->status);
    add_value(out, " error=", record->error);
    if (record->reason != NULL)
        add_outside_bytes(out, " reason=", record->reason, strlen(record->reason), REASON_LIMIT);
    if (record->dns_ms >= 0)
        add_number(out, " dns_ms=", (uint64_t)record->dns_ms);
    if (record->dial_ms >= 0)
        add_number(out, " dial_ms=", (uint64_t)record->dial_ms);
    if (record->event == ACCESS_CLOSE)
        add_close(out, record);
}

void access_log_write(struct log_ring *ring, const struct access_record *record)
{
    char line[LOG_LINE_MAX];
    struct text text;
    text_init(&text, line, sizeof line);
    access_log_format(&text, record, logfmt_wall_ms());
    log_write(ring, line, text.length);
}
