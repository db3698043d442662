/* A value is a string, or what stands up to the next comma or brace (numbers, true, false). */
#include "admin/json.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

/* One character, escaped if need be; returns how many bytes of the string it is. */
static size_t add_character(struct text *out, const char *bytes, size_t length)
{
    size_t size = text_utf8_length(bytes, length);
    unsigned char value = (unsigned char)bytes[0];

    if (value == '\n') {
        text_add(out, "\\n");
    } else if (value < ' ' || value == 0x7f || size == 0) {
        text_add(out, "\\u00");
        text_add_char(out, digits[value >> 4]);
        text_add_char(out, digits[value & 0xf]);
    } else {
        if (value == '"' || value == '\\')
            text_add_char(out, '\\');
        text_add_bytes(out, bytes, size);
    }
    return size > 0 ? size : 1;
}

const char *json_add_escaped(struct text *out, const char *string)
{
    const char *end = string + strlen(string);
    char buffer[JSON_BYTE_MAX + 1];
    struct text piece;

    while (string < end) {
        text_init(&piece, buffer, sizeof(buffer));
        size_t taken = add_character(&piece, string, (size_t)(end - string));

        if (piece.length > out->size - 1 - out->length)
            break;
        text_add_bytes(out, piece.start, piece.length);
        string += taken;
    }
    return string;
}

void json_add_string(struct text *out, const char *string)
{
    text_add_char(out, '"');
    if (*json_add_escaped(out, string) == '\0') {
        text_add_char(out, '"');
        return;
    }
    out->is_truncated = true;
    out->size = out->length + 1; /* nothing fits behind a cut */
}

void json_reader_init(struct json_reader *reader, const char *json, size_t length)
{
    *reader = (struct json_reader){.next = json, .end = json + length};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void skip_blanks(struct json_reader *reader)
{
    while (reader->next < reader->end && is_blank(*reader->next))
        reader->next++;
}

static bool take_byte(struct json_reader *reader, char byte)
{
    if (reader->next == reader->end || *reader->next != byte)
        return false;
    reader->next++;
    return true;
}

/* Either case; -1: none. */
static int hex_value(char byte)
{
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    const char *digit = memchr(digits, byte, sizeof(digits) - 1);
    return digit != NULL ? (int)(digit - digits) : -1;
}

/* The byte behind \u00: so adit writes bytes that are not UTF-8. Other characters stand as
 * themselves. */
static bool take_hex(struct json_reader *reader, struct text *out)
{
    unsigned value = 0;

    if (reader->end - reader->next < 5)
        return false;
    reader->next++;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(*reader->next++);

        if (digit < 0)
            return false;
        value = value * 16 + (unsigned)digit;
    }
    text_add_char(out, (char)value);
    return value >= 1 && value <= 0xff;
}

static bool take_escaped(struct json_reader *reader, struct text *out)
{
    if (reader->next == reader->end)
        return false;
    if (*reader->next == 'u')
        return take_hex(reader, out);
    char byte = *reader->next++;
    if (byte == 'n')
        byte = '\n';
    text_add_char(out, byte);
    return true;
}

static bool take_string(struct json_reader *reader, struct text *out)
{
    if (!take_byte(reader, '"'))
        return false;
    while (reader->next < reader->end && *reader->next != '"') {
        if ((unsigned char)*reader->next < ' ')
            return false;
        if (take_byte(reader, '\\')) {
            if (!take_escaped(reader, out))
                return false;
        } else {
            text_add_char(out, *reader->next++);
        }
    }
    return take_byte(reader, '"');
}

static bool take_value(struct json_reader *reader, struct text *out)
{
    const char *start = reader->next;

    if (start < reader->end && *start == '"')
        return take_string(reader, out);
    while (reader->next < reader->end && *reader->next != ',' && *reader->next != '}' &&
           !is_blank(*reader->next))
        reader->next++;
    text_add_bytes(out, start, (size_t)(reader->next - start));
    return reader->next > start;
}

/* `"name": value`, and blanks around it. */
static bool take_member(struct json_reader *reader, struct text *name, struct text *value)
{
    skip_blanks(reader);
    if (!take_string(reader, name))
        return false;
    skip_blanks(reader);
    if (!take_byte(reader, ':'))
        return false;
    skip_blanks(reader);
    if (!take_value(reader, value))
        return false;
    skip_blanks(reader);
    return true;
}

/* To the next member, or to the end. */
static void advance(struct json_reader *reader)
{
    bool is_first = !reader->is_begun;

    if (is_first) {
        skip_blanks(reader);
        reader->is_begun = take_byte(reader, '{');
        reader->is_bad = !reader->is_begun;
        skip_blanks(reader);
    }
    reader->is_ended = !reader->is_bad && take_byte(reader, '}');
    if (!reader->is_ended && !is_first)
        reader->is_bad = !take_byte(reader, ',');
}

bool json_next(struct json_reader *reader, char *ret_name, size_t name_size, char *ret_value,
               size_t value_size)
{
    struct text name;
    struct text value;

    if (reader->is_bad || reader->is_ended)
        return false;
    advance(reader);
    if (reader->is_bad || reader->is_ended)
        return false;
    text_init(&name, ret_name, name_size);
    text_init(&value, ret_value, value_size);
    reader->is_bad = !take_member(reader, &name, &value);
    return !reader->is_bad;
}

bool json_is_at_end(struct json_reader *reader)
{
    skip_blanks(reader);
    return reader->is_ended && !reader->is_bad && reader->next == reader->end;
}
