/* Nearly all characters are written as they are. The others become a short form (\n) or the number
 * of the character (\u202e); a byte that is no character becomes what the style says.
 */
#include "base/escape.h"

#include "base/ascii.h"

#include <string.h>

static bool is_harmful(uint32_t character)
{
    return character < ' ' || (character >= 0x7f && character <= 0x9f) ||       /* C0, C1 */
           character == 0x061c || character == 0x200e || character == 0x200f || /* marks */
           (character >= 0x2028 && character <= 0x202e) || /* line ends; embeddings, overrides */
           (character >= 0x2066 && character <= 0x2069);   /* isolates */
}

static void escape_add_number(struct text *out, const char *prefix, uint32_t number, unsigned width)
{
    text_add(out, prefix);
    while (width > 0)
        text_add_char(out, ascii_hex_digit(number >> 4 * --width));
}

static void add_harmful(struct text *out, uint32_t character)
{
    static const char named[] = "\n\r\t";
    static const char letters[] = "nrt";
    const char *found = character == 0 || character > 0x7f ? NULL : strchr(named, (int)character);

    if (found == NULL) {
        escape_add_number(out, "\\u", character, 4);
        return;
    }
    text_add_char(out, '\\');
    text_add_char(out, letters[found - named]);
}

static void add_bad_byte(struct text *out, char byte, enum escape_style style)
{
    if (style == ESCAPE_JSON)
        escape_add_number(out, "\\u", (unsigned char)byte, 4);
    else if (style == ESCAPE_LOGFMT)
        text_add(out, "\\ufffd");
    else if (style == ESCAPE_PLAIN)
        escape_add_number(out, "\\x", (unsigned char)byte, 2);
    else
        text_add_char(out, byte);
}

size_t escape_character(struct text *out, const char *bytes, size_t length, enum escape_style style)
{
    size_t size = text_utf8_length(bytes, length);

    if (size == 0) {
        add_bad_byte(out, bytes[0], style);
        return 1;
    }
    uint32_t character = text_utf8_character(bytes, size);
    if (is_harmful(character)) {
        add_harmful(out, character);
        return size;
    }
    if ((character == '"' || character == '\\') && style != ESCAPE_PLAIN)
        text_add_char(out, '\\');
    text_add_bytes(out, bytes, size);
    return size;
}

void escape_add(struct text *out, const char *bytes, size_t length, size_t limit,
                enum escape_style style)
{
    size_t room = limit;
    char buffer[ESCAPE_MAX + 1];
    struct text piece;

    REQUIRE(limit >= sizeof(TEXT_CUT_MARK) - 1);
    for (size_t at = 0; at < length;) {
        text_init(&piece, buffer, sizeof(buffer));
        at += escape_character(&piece, bytes + at, length - at, style);
        /* Behind this piece, either the rest or the mark must still fit. */
        if (piece.length + (at < length ? sizeof(TEXT_CUT_MARK) - 1 : 0) > room) {
            text_add(out, TEXT_CUT_MARK);
            return;
        }
        text_add_bytes(out, piece.start, piece.length);
        room -= piece.length;
    }
}
