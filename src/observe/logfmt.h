/* The pieces of a logfmt line: a time, and values that outside bytes can't break out of.
 *
 * No libc formatting and no time zone: these run for every tunnel and after the worker is confined.
 */
#ifndef OBSERVE_LOGFMT_H
#define OBSERVE_LOGFMT_H

#include <stddef.h>
#include <stdint.h>

struct text;

/* The second that was written last, kept as text because many lines fall into one second. It is
 * zero at first, and belongs to one thread. */
#define LOGFMT_TIME_SIZE 24
struct logfmt_date {
    uint64_t second; /* 0: none */
    char text[LOGFMT_TIME_SIZE];
};
/* Writes a time as RFC 3339 has it, in UTC with milliseconds and without a NUL:
 * `2026-11-23T07:00:00.123Z`. `wall_ms` is the time since the epoch. */
void logfmt_put_time(char out[LOGFMT_TIME_SIZE], struct logfmt_date *date, uint64_t wall_ms);
/* Adds `value`. It is quoted and escaped (ESCAPE_LOGFMT) if anything in it is not a letter, a digit
 * or one of `-._:/[]@%+,`, or if it is `null`. At most `limit` bytes (>= 8) are written: a value
 * that does not fit is cut and ends in `...`. */
void logfmt_add_value(struct text *out, const char *value, size_t length, size_t limit);

#endif
