/* The pieces of a logfmt line: a time, and values that outside bytes can't break out of.
 *
 * No libc formatting and no time zone: these run for every tunnel and after the worker is confined.
 */
#ifndef OBSERVE_LOGFMT_H
#define OBSERVE_LOGFMT_H

#include <stddef.h>
#include <stdint.h>

struct text;

/* The second that was last written: many lines fall into one. Zero-initialised; a thread's own. */
#define LOGFMT_TIME_SIZE 24
struct logfmt_date {
    uint64_t second; /* 0: none */
    char text[LOGFMT_TIME_SIZE];
};
/* RFC 3339, UTC, milliseconds: `2026-11-23T07:00:00.123Z`, no NUL. `wall_ms` is the time since the
 * epoch. */
void logfmt_put_time(char out[LOGFMT_TIME_SIZE], struct logfmt_date *date, uint64_t wall_ms);
/* `value`, quoted and escaped (ESCAPE_LOGFMT) if anything in it is not a letter, a digit or one of
 * `-._:/[]@%+,`, or if it is `null`.
 * Never more than `limit` bytes (>= 8): what does not fit is cut and ends in `...`. */
void logfmt_add_value(struct text *out, const char *value, size_t length, size_t limit);

#endif
