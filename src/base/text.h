/* A bounded text under construction in memory that the caller owns.
 *
 * Whatever does not fit is cut and `is_truncated` says so; the bytes written are never more than
 * `size` and are always followed by a NUL inside `size` (size >= 1).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/contract.h"

#include <stdbool.h>
#include <stdint.h>

/* What stands where a value was cut. */
#define TEXT_CUT_MARK "..."

struct text {
    char *start;
    size_t size;
    size_t length; /* without the NUL */
    bool is_truncated;
};

void text_init(struct text *text, char *buffer, size_t size);
void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const char *bytes, size_t length);
void text_add_char(struct text *text, char byte);
void text_add_decimal(struct text *text, uint64_t number);
/* Adds the number with at least `width` digits, padded with zeros. */
void text_add_padded(struct text *text, uint64_t number, unsigned width);

/* Returns the length of `bytes` up to and including its last newline, or 0 when there is none. */
size_t text_whole_lines(const char *bytes, size_t length);
/* Returns how many newlines there are. */
size_t text_count_lines(const char *bytes, size_t length);

/* Returns how many of these bytes (at least one) make up the first UTF-8 character (RFC 3629:
 * neither overlong nor a surrogate), or 0 when they do not begin with one. */
size_t text_utf8_length(const char *bytes, size_t length);
/* Returns the character (a Unicode scalar value) that takes the first `size` bytes, 1 to 4. */
uint32_t text_utf8_character(const char *bytes, size_t size);
/* Adds the character as UTF-8. */
void text_add_utf8(struct text *text, uint32_t character);

#endif
