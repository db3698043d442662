/* How things are written on a terminal: numbers in few columns, outside bytes in a known number of
 * them.
 *
 * Widths are columns of the terminal. What can't be shown (controls, bytes that are no characters,
 * characters without a width) becomes a question mark. LC_CTYPE must be set.
 */
#ifndef SYSTEM_COLUMNS_H
#define SYSTEM_COLUMNS_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the locale can show what is not ASCII. */
bool columns_is_utf8(void);

/* At most 5 columns: 0, 1023, 9.5k, 512k, 1.0M. */
void columns_add_bytes(struct text *out, double bytes);
/* At most 5 columns: 0, 0.4, 17, 1234, 12.3k. */
void columns_add_count(struct text *out, double count);
/* At most 6 columns: 59s, 1m05s, 23h59m, 99d23h, 1234d. */
void columns_add_age(struct text *out, uint64_t ms);
/* A moment (RFC 3339, UTC): the time of day, behind its date unless that is `today`. */
void columns_add_moment(struct text *out, const char *moment, const char *today);
/* Where an error is (FILE:LINE:COL), if it says so, without the folders. Returns what it is. */
const char *columns_add_place(struct text *out, const char *error);
/* Exactly `width` columns: cut, with a mark that it was, or filled with spaces. */
void columns_add_fit(struct text *out, const char *value, size_t width, bool is_utf8);
/* Exactly `width` columns, the newest value last, as high as the highest of those shown. */
void columns_add_sparkline(struct text *out, const double values[], size_t count, size_t width,
                           bool is_utf8);
/* Columns that the value takes, as columns_add_fit adds it without being cut. */
size_t columns_width(const char *value, bool is_utf8);

#endif
