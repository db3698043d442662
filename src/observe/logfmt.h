/* The pieces of a logfmt line: a time, and values that outside bytes can't break out of.
 *
 * No libc formatting and no time zone: these run for every tunnel and after the worker is confined.
 */
#ifndef OBSERVE_LOGFMT_H
#define OBSERVE_LOGFMT_H

#include <stddef.h>
#include <stdint.h>

struct text;

/* RFC 3339, UTC, milliseconds: `2026-11-23T07:00:00.123Z`. `wall_ms` is the time since the epoch.
 */
void logfmt_add_time(struct text *out, uint64_t wall_ms);
/* `value`, quoted and escaped if anything in it is not a letter, a digit or one of `-._:/[]@%+,`.
 * Never more than `limit` bytes (>= 8): what does not fit is cut and ends in `...`. */
void logfmt_add_value(struct text *out, const char *value, size_t length, size_t limit);
/* CLOCK_REALTIME in milliseconds. */
uint64_t logfmt_wall_ms(void);

#endif
