/* Builds text in memory of a fixed size.
 *
 * Every function ends with a NUL in place and never fails: what does not fit is cut, and
 * `is_truncated` stays set, so that a caller asks once at the end and not after every step.
 * A piece is cut where the room ends, not dropped, so nothing fits behind a cut: a text is always a
 * prefix of what was asked for, never a text with a hole.
 */
#include "base/text.h"

#include <string.h>

/* 2^64 - 1 has 20 digits. */
#define DECIMAL_MAX 20

void text_init(struct text *text, char *buffer, size_t size)
{
    REQUIRE(size >= 1);
    text->start = buffer;
    text->size = size;
    text->length = 0;
    text->is_truncated = false;
    buffer[0] = '\0';
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
    if (length == 0)
        return;
    size_t room = text->size - 1 - text->length;
    if (length > room) {
        length = room;
        text->is_truncated = true;
    }
    memcpy(text->start + text->length, bytes, length);
    text->length += length;
    text->start[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_char(struct text *text, char byte)
{
    text_add_bytes(text, &byte, 1);
}

void text_add_decimal(struct text *text, uint64_t number)
{
    text_add_padded(text, number, 1);
}

void text_add_padded(struct text *text, uint64_t number, unsigned width)
{
    char digits[DECIMAL_MAX];
    size_t start = sizeof(digits);

    REQUIRE(width <= DECIMAL_MAX);
    while (number != 0 || sizeof(digits) - start < width) {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    }
    text_add_bytes(text, digits + start, sizeof(digits) - start);
}

size_t text_whole_lines(const char *bytes, size_t length)
{
    const char *end = memrchr(bytes, '\n', length);

    return end == NULL ? 0 : (size_t)(end - bytes) + 1;
}

size_t text_count_lines(const char *bytes, size_t length)
{
    size_t lines = 0;

    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

size_t text_utf8_length(const char *bytes, size_t length)
{
    unsigned char first = (unsigned char)bytes[0];
    unsigned char second = length > 1 ? (unsigned char)bytes[1] : 0;
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || size > length)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    return size;
}

uint32_t text_utf8_character(const char *bytes, size_t size)
{
    static const unsigned char payload[] = {0, 0x7f, 0x1f, 0x0f, 0x07}; /* of the first byte */

    REQUIRE(size >= 1 && size < ARRAY_LENGTH(payload));
    uint32_t character = (unsigned char)bytes[0] & payload[size];
    for (size_t i = 1; i < size; i++)
        character = character << 6 | ((unsigned char)bytes[i] & 0x3f);
    return character;
}

void text_add_utf8(struct text *text, uint32_t character)
{
    static const struct {
        uint32_t end; /* characters below take so many bytes */
        unsigned char mark;
    } forms[] = {{0x80, 0}, {0x800, 0xc0}, {0x10000, 0xe0}, {0x110000, 0xf0}};
    size_t size = 0;

    while (character >= forms[size].end)
        size++;
    char bytes[ARRAY_LENGTH(forms)];
    for (size_t i = size; i > 0; i--) {
        bytes[i] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    bytes[0] = (char)(forms[size].mark | character);
    text_add_bytes(text, bytes, size + 1);
}
