/* A value is a string, or what stands up to the next comma or brace (numbers, true, false). */
#include "admin/json.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

void json_add_string(struct text *out, const char *string)
{
    text_add_char(out, '"');
    for (const char *byte = string; *byte != '\0'; byte++) {
        unsigned char value = (unsigned char)*byte;

        if (value == '\n') {
            text_add(out, "\\n");
        } else if (value < ' ' || value == 0x7f) {
            text_add(out, "\\u00");
            text_add_char(out, digits[value >> 4]);
            text_add_char(out, digits[value & 0xf]);
        } else {
            if (value == '"' || value == '\\')
                text_add_char(out, '\\');
            text_add_char(out, *byte);
        }
    }
    text_add_char(out, '"');
}

void json_reader_init(struct json_reader *reader, const char *json, size_t length)
{
    *reader = (struct json_reader){.next = json, .end = json + length};
}

static bool take_byte(struct json_reader *reader, char byte)
{
    if (reader->next == reader->end || *reader->next != byte)
        return false;
    reader->next++;
    return true;
}

/* What stands behind \u00; characters beyond do not occur in what adit sends. */
static bool take_hex(struct json_reader *reader, struct text *out)
{
    unsigned value = 0;

    if (reader->end - reader->next < 5)
        return false;
    reader->next++;
    for (int i = 0; i < 4; i++) {
        const char *digit = strchr(digits, *reader->next++);
        if (digit == NULL || *digit == '\0')
            return false;
        value = value * 16 + (unsigned)(digit - digits);
    }
    text_add_char(out, (char)value);
    return value <= 0xff;
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
    while (reader->next < reader->end && strchr(",}", *reader->next) == NULL)
        reader->next++;
    text_add_bytes(out, start, (size_t)(reader->next - start));
    return reader->next > start;
}

bool json_next(struct json_reader *reader, char *ret_name, size_t name_size, char *ret_value,
               size_t value_size)
{
    struct text name;
    struct text value;

    if (reader->is_bad || reader->is_ended)
        return false;
    if (take_byte(reader, '}')) {
        reader->is_ended = true;
        return false;
    }
    text_init(&name, ret_name, name_size);
    text_init(&value, ret_value, value_size);
    reader->is_bad = !take_byte(reader, reader->is_begun ? ',' : '{');
    reader->is_begun = true;
    if (!reader->is_bad)
        reader->is_bad =
            !take_string(reader, &name) || !take_byte(reader, ':') || !take_value(reader, &value);
    return !reader->is_bad;
}

bool json_is_at_end(const struct json_reader *reader)
{
    return reader->is_ended && !reader->is_bad;
}
