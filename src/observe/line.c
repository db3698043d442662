/* A value is checked eight bytes at a time and copied at the same time, because nearly always
 * nothing in it needs an escape. If something does, the value is written anew, byte by byte.
 */
#include "observe/line.h"

#include "base/escape.h"
#include "observe/logfmt.h"

#define NOINLINE __attribute__((noinline)) /* keeps what is rare out of the way */

enum { STEP = sizeof(uint64_t) };

static const uint64_t every_byte = 0x0101010101010101;

static inline size_t put_small(char *out, unsigned number)
{
    size_t length = 0;

    if (number >= 100)
        out[length++] = (char)('0' + number / 100);
    if (number >= 10)
        out[length++] = (char)('0' + number / 10 % 10);
    out[length++] = (char)('0' + number % 10);
    return length;
}

static NOINLINE size_t put_large(char out[LINE_NUMBER_MAX], uint64_t number)
{
    char digits[LINE_NUMBER_MAX];
    size_t start = sizeof(digits);

    for (; number != 0; number /= 10)
        digits[--start] = (char)('0' + number % 10);
    memcpy(out, digits + start, sizeof(digits) - start);
    return sizeof(digits) - start;
}

size_t line_put_number(char out[LINE_NUMBER_MAX], uint64_t number)
{
    return number < 1000 ? put_small(out, (unsigned)number) : put_large(out, number);
}

/* Returns a word whose high bits are set where a byte of `word` is 0 or above 0x80, and maybe in
 * bytes above such a one. */
static inline uint64_t zeros(uint64_t word)
{
    return word - every_byte;
}

/* Returns a word that has a high bit set if JSON can't take these eight bytes as they are. A byte
 * above 0x7f is found by its own high bit. */
static inline uint64_t faults(uint64_t word)
{
    return word | (word - every_byte * ' ') | zeros(word ^ every_byte * '"') |
           zeros(word ^ every_byte * '\\') | zeros(word ^ every_byte * 0x7f);
}

/* Copies in steps of eight bytes, of which the last one may overlap the one before. Returns false
 * when something needs an escape. */
static inline bool put_plain(char *out, const char *bytes, size_t length)
{
    uint64_t word = every_byte * ' ';
    uint64_t found = 0;
    size_t at = 0;

    if (length >= STEP && length <= 2 * STEP) { /* most names are that long */
        memcpy(&word, bytes, STEP);
        memcpy(out, &word, STEP);
        found = faults(word);
        memcpy(&word, bytes + length - STEP, STEP);
        memcpy(out + length - STEP, &word, STEP);
        return ((found | faults(word)) & every_byte << 7) == 0;
    }
    for (; at + STEP < length; at += STEP) {
        memcpy(&word, bytes + at, STEP);
        memcpy(out + at, &word, STEP);
        found |= faults(word);
    }
    if (length >= STEP) {
        at = length - STEP;
        memcpy(&word, bytes + at, STEP);
    } else {
        memcpy(&word, bytes, length);
    }
    memcpy(out + at, &word, STEP);
    return ((found | faults(word)) & every_byte << 7) == 0;
}

static NOINLINE size_t put_escaped(char *out, const char *bytes, size_t length, size_t limit)
{
    struct text text;

    text_init(&text, out, limit + 1);
    escape_add(&text, bytes, length, limit, ESCAPE_JSON);
    return text.length;
}

size_t line_put_json(char *out, const char *bytes, size_t length, size_t limit)
{
    if (length <= limit && put_plain(out, bytes, length))
        return length;
    return put_escaped(out, bytes, length, limit);
}

size_t line_put_logfmt(char *out, const char *bytes, size_t length, size_t limit)
{
    struct text text;

    text_init(&text, out, limit + 1);
    logfmt_add_value(&text, bytes, length, limit);
    return text.length;
}
