/* Texts for a terminal, in columns. A value is taken apart character by character, by the functions
 * of the C library for the current locale, because a character may have one byte or four, and may
 * take one column or two.
 */
#include "system/columns.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

enum { NUMBER_SIZE = 32 };

bool columns_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static void top_text_add_number(struct text *out, double value, int decimals)
{
    char number[NUMBER_SIZE];

    snprintf(number, sizeof(number), "%.*f", decimals, value);
    text_add(out, number);
}

/* One decimal below 99.95; from there on it would be printed as 100.0, and take one column more. */
static void add_scaled(struct text *out, double value, double base)
{
    static const char units[] = "kMGTPE";
    size_t unit = 0;

    value /= base;
    for (; value >= base && unit + 2 < sizeof(units); unit++)
        value /= base;
    top_text_add_number(out, value, value < 99.95 ? 1 : 0);
    text_add_char(out, units[unit]);
}

void columns_add_bytes(struct text *out, double bytes)
{
    if (bytes < 1024)
        top_text_add_number(out, bytes, 0);
    else
        add_scaled(out, bytes, 1024);
}

/* A count below 10 gets a decimal, unless it is a whole number or so small that it would print as
 * 0.0. */
void columns_add_count(struct text *out, double count)
{
    if (count < 10000)
        top_text_add_number(out, count,
                            count >= 0.05 && count < 9.95 && count != (double)(int)count ? 1 : 0);
    else
        add_scaled(out, count, 1000);
}

void columns_add_age(struct text *out, uint64_t ms)
{
    uint64_t s = ms / 1000;
    char age[NUMBER_SIZE];

    if (s < 60)
        snprintf(age, sizeof(age), "%" PRIu64 "s", s);
    else if (s < 3600)
        snprintf(age, sizeof(age), "%" PRIu64 "m%02us", s / 60, (unsigned)(s % 60));
    else if (s < 86400)
        snprintf(age, sizeof(age), "%" PRIu64 "h%02um", s / 3600, (unsigned)(s / 60 % 60));
    else if (s < 100 * 86400)
        snprintf(age, sizeof(age), "%" PRIu64 "d%02uh", s / 86400, (unsigned)(s / 3600 % 24));
    else
        snprintf(age, sizeof(age), "%" PRIu64 "d", s / 86400);
    text_add(out, age);
}

/* `moment` and `today` begin as `form` does (RFC 3339, in UTC). The date is left out when it is
 * today's. What is too short is no moment, and adds nothing. */
void columns_add_moment(struct text *out, const char *moment, const char *today)
{
    static const char form[] = "2026-01-31T12:00:00";
    enum { DATE = 10 };

    if (strlen(moment) < strlen(form))
        return;
    if (strncmp(moment, today, DATE) != 0) {
        text_add_bytes(out, moment, DATE);
        text_add_char(out, ' ');
    }
    text_add_bytes(out, moment + DATE + 1, strlen(form) - DATE - 1);
    text_add(out, " UTC");
}

/* Adds where the error is, as FILE:LINE:COL without the directory, and returns the rest of the
 * message. An error that names no place is returned whole. */
const char *columns_add_place(struct text *out, const char *error)
{
    const char *mark = ": error: ";
    const char *end = strstr(error, mark);

    if (end == NULL && error[0] == '/') {
        mark = ": ";
        end = strstr(error, mark);
    }
    if (end == NULL)
        return error;
    const char *slash = memrchr(error, '/', (size_t)(end - error));
    const char *start = slash != NULL ? slash + 1 : error;
    text_add_bytes(out, start, (size_t)(end - start));
    text_add(out, ": ");
    return end + strlen(mark);
}

/* The next character of `value`: its bytes, its columns, and whether it can be shown. */
struct glyph {
    size_t length;
    size_t width;
    bool is_shown;
};

/* A byte that is no character in UTF-8 counts as one that can't be shown, one column wide. */
static struct glyph next_glyph(const char *value, bool is_utf8)
{
    struct glyph glyph = {.length = 1, .width = 1};
    unsigned char byte = (unsigned char)*value;
    mbstate_t state = {0};
    wchar_t wide;

    if (byte < 0x80 || !is_utf8) {
        glyph.is_shown = byte >= ' ' && byte < 0x7f;
        return glyph;
    }
    size_t length = mbrtowc(&wide, value, strlen(value), &state);
    if (length == (size_t)-1 || length == (size_t)-2)
        return glyph;
    int width = iswprint((wint_t)wide) ? wcwidth(wide) : 0;
    glyph.length = length;
    glyph.is_shown = width > 0;
    glyph.width = width > 0 ? (size_t)width : 1;
    return glyph;
}

size_t columns_width(const char *value, bool is_utf8)
{
    size_t width = 0;

    while (*value != '\0') {
        struct glyph glyph = next_glyph(value, is_utf8);

        width += glyph.width;
        value += glyph.length;
    }
    return width;
}

/* Cuts or pads to exactly `width` columns. What was cut ends in an ellipsis. */
void columns_add_fit(struct text *out, const char *value, size_t width, bool is_utf8)
{
    bool is_cut = columns_width(value, is_utf8) > width;
    size_t room = is_cut && width > 0 ? width - 1 : width;
    size_t used = 0;

    while (*value != '\0') {
        struct glyph glyph = next_glyph(value, is_utf8);

        if (used + glyph.width > room)
            break;
        if (glyph.is_shown)
            text_add_bytes(out, value, glyph.length);
        else
            text_add_char(out, '?');
        used += glyph.width;
        value += glyph.length;
    }
    if (is_cut && width > 0) {
        text_add(out, is_utf8 ? "…" : "~");
        used++;
    }
    for (; used < width; used++)
        text_add_char(out, ' ');
}

void columns_add_sparkline(struct text *out, const double values[], size_t count, size_t width,
                           bool is_utf8)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    enum { LEVELS = ARRAY_LENGTH(blocks) };
    size_t shown = count < width ? count : width;
    double highest = 0;

    for (size_t i = count - shown; i < count; i++)
        highest = values[i] > highest ? values[i] : highest;
    for (size_t i = shown; i < width; i++)
        text_add_char(out, ' ');
    for (size_t i = count - shown; i < count; i++) {
        double height = highest > 0 ? values[i] * (LEVELS - 1) / highest : 0;
        size_t level = (size_t)height;

        /* Rounded up, because the lowest block is for a value of 0. The highest value itself may
         * come out as slightly more than 7, hence the bound. */
        if (height > (double)level && level < LEVELS - 1)
            level++;
        text_add(out, (is_utf8 ? blocks : letters)[level]);
    }
}
