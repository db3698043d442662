/* How values are written on a terminal: numbers in few columns, and bytes from outside in a known
 * number of columns.
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

/* Returns whether the locale can show characters beyond ASCII. */
bool columns_is_utf8(void);

/* Adds a number of bytes in at most 5 columns: 0, 1023, 9.5k, 512k, 1.0M. */
void columns_add_bytes(struct text *out, double bytes);
/* Adds a count in at most 5 columns: 0, 0.4, 17, 1234, 12.3k. */
void columns_add_count(struct text *out, double count);
/* Adds a duration in at most 6 columns: 59s, 1m05s, 23h59m, 99d23h, 1234d. */
void columns_add_age(struct text *out, uint64_t ms);
/* Adds the time of day of a moment (RFC 3339, UTC), with its date in front unless that is `today`.
 */
void columns_add_moment(struct text *out, const char *moment, const char *today);
/* Adds where an error is (FILE:LINE:COL, without the folders) if its text begins with that. Returns
 * the rest of the text, which says what is wrong. */
const char *columns_add_place(struct text *out, const char *error);
/* Adds the value in exactly `width` columns: cut with a mark at the end, or filled with spaces. */
void columns_add_fit(struct text *out, const char *value, size_t width, bool is_utf8);
/* Adds a curve of exactly `width` columns with the newest value last. The highest value shown has
 * full height. */
void columns_add_sparkline(struct text *out, const double values[], size_t count, size_t width,
                           bool is_utf8);
/* Returns how many columns the value takes when columns_add_fit adds it without a cut. */
size_t columns_width(const char *value, bool is_utf8);

#endif
