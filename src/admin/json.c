/* The writer escapes as the log does (base/escape.h). The reader takes no memory: it walks over the
 * bytes once and copies each name and value into buffers of the caller. A value is a string, or
 * everything before the next comma, brace or blank (numbers, true, false); arrays and nested
 * objects are not known, since adit sends none to itself.
 */
#include "admin/json.h"

#include "base/ascii.h"
#include "base/escape.h"

#include <string.h>

static const char *add_escaped(struct text *out, const char *string, enum escape_style style)
{
    const char *end = string + strlen(string);
    char buffer[ESCAPE_MAX + 1];
    struct text piece;

    while (string < end) {
        text_init(&piece, buffer, sizeof(buffer));
        size_t taken = escape_character(&piece, string, (size_t)(end - string), style);

        if (piece.length > out->size - 1 - out->length)
            break;
        text_add_bytes(out, piece.start, piece.length);
        string += taken;
    }
    return string;
}

void json_write_string(FILE *out, const char *string)
{
    char buffer[512];
    struct text text;

    fputc('"', out);
    while (*string != '\0') {
        text_init(&text, buffer, sizeof(buffer));
        string = add_escaped(&text, string, ESCAPE_JSON);
        fputs(buffer, out);
    }
    fputc('"', out);
}

static void json_add_as(struct text *out, const char *string, enum escape_style style)
{
    text_add_char(out, '"');
    if (*add_escaped(out, string, style) == '\0') {
        text_add_char(out, '"');
        return;
    }
    out->is_truncated = true;
    out->size = out->length + 1; /* nothing fits behind a cut */
}

void json_add_string(struct text *out, const char *string)
{
    json_add_as(out, string, ESCAPE_JSON);
}

void json_add_exact(struct text *out, const char *string)
{
    json_add_as(out, string, ESCAPE_EXACT);
}

void json_add_name(struct text *out, const char *name)
{
    if (out->length > 0 && out->start[out->length - 1] != '{')
        text_add_char(out, ',');
    json_add_string(out, name);
    text_add_char(out, ':');
}

void json_add_member(struct text *out, const char *name, const char *string)
{
    json_add_name(out, name);
    json_add_string(out, string);
}

void json_add_exact_member(struct text *out, const char *name, const char *string)
{
    json_add_name(out, name);
    json_add_exact(out, string);
}

void json_add_number(struct text *out, const char *name, uint64_t number)
{
    json_add_name(out, name);
    text_add_decimal(out, number);
}

void json_reader_init(struct json_reader *reader, const char *json, size_t length)
{
    *reader = (struct json_reader){.next = json, .end = json + length};
}

static bool json_is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void reader_skip_blanks(struct json_reader *reader)
{
    while (reader->next < reader->end && json_is_blank(*reader->next))
        reader->next++;
}

static bool reader_take_byte(struct json_reader *reader, char byte)
{
    if (reader->next == reader->end || *reader->next != byte)
        return false;
    reader->next++;
    return true;
}

/* Reads the four digits of \uNNNN. */
static bool take_hex(struct json_reader *reader, uint32_t *ret_value)
{
    uint32_t value = 0;

    if (reader->end - reader->next < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = ascii_hex_value(*reader->next++);

        if (digit < 0)
            return false;
        value = value * 16 + (unsigned)digit;
    }
    *ret_value = value;
    return true;
}

/* Reads what follows \u: a character, or a surrogate pair for one beyond U+FFFF (RFC 8259, section
 * 7). NUL is refused, since the texts become C strings. */
static bool take_character(struct json_reader *reader, struct text *out)
{
    uint32_t character;
    uint32_t low;

    if (!take_hex(reader, &character))
        return false;
    if (character >= 0xd800 && character <= 0xdbff) {
        if (!reader_take_byte(reader, '\\') || !reader_take_byte(reader, 'u') ||
            !take_hex(reader, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        character = 0x10000 + ((character & 0x3ff) << 10 | (low & 0x3ff));
    } else if (character == 0 || (character >= 0xdc00 && character <= 0xdfff)) {
        return false;
    }
    text_add_utf8(out, character);
    return true;
}

static bool take_escaped(struct json_reader *reader, struct text *out)
{
    static const char letters[] = "bfnrt\"\\/";
    static const char meanings[] = "\b\f\n\r\t\"\\/";

    if (reader->next == reader->end)
        return false;
    char byte = *reader->next++;
    if (byte == 'u')
        return take_character(reader, out);
    const char *letter = memchr(letters, byte, sizeof(letters) - 1);
    if (letter == NULL)
        return false;
    text_add_char(out, meanings[letter - letters]);
    return true;
}

static bool reader_take_string(struct json_reader *reader, struct text *out)
{
    if (!reader_take_byte(reader, '"'))
        return false;
    while (reader->next < reader->end && *reader->next != '"') {
        if ((unsigned char)*reader->next < ' ')
            return false;
        if (reader_take_byte(reader, '\\')) {
            if (!take_escaped(reader, out))
                return false;
        } else {
            text_add_char(out, *reader->next++);
        }
    }
    return reader_take_byte(reader, '"');
}

/* Reads a string, or else the text up to the next comma, brace or blank, which must not be empty.
 */
static bool take_value(struct json_reader *reader, struct text *out)
{
    const char *start = reader->next;

    if (start < reader->end && *start == '"')
        return reader_take_string(reader, out);
    while (reader->next < reader->end && *reader->next != ',' && *reader->next != '}' &&
           !json_is_blank(*reader->next))
        reader->next++;
    text_add_bytes(out, start, (size_t)(reader->next - start));
    return reader->next > start;
}

/* Reads `"name": value` and the blanks around it. */
static bool reader_take_member(struct json_reader *reader, struct text *name, struct text *value)
{
    reader_skip_blanks(reader);
    if (!reader_take_string(reader, name))
        return false;
    reader_skip_blanks(reader);
    if (!reader_take_byte(reader, ':'))
        return false;
    reader_skip_blanks(reader);
    if (!take_value(reader, value))
        return false;
    reader_skip_blanks(reader);
    return true;
}

/* Goes on to the next member, over the opening brace or over a comma. At the closing brace the
 * object has ended. */
static void reader_advance(struct json_reader *reader)
{
    bool is_first = !reader->is_begun;

    if (is_first) {
        reader_skip_blanks(reader);
        reader->is_begun = reader_take_byte(reader, '{');
        reader->is_bad = !reader->is_begun;
        reader_skip_blanks(reader);
    }
    reader->is_ended = !reader->is_bad && reader_take_byte(reader, '}');
    if (!reader->is_ended && !is_first)
        reader->is_bad = !reader_take_byte(reader, ',');
}

bool json_next(struct json_reader *reader, char *ret_name, size_t name_size, char *ret_value,
               size_t value_size)
{
    struct text name;
    struct text value;

    if (reader->is_bad || reader->is_ended)
        return false;
    reader_advance(reader);
    if (reader->is_bad || reader->is_ended)
        return false;
    text_init(&name, ret_name, name_size);
    text_init(&value, ret_value, value_size);
    reader->is_bad = !reader_take_member(reader, &name, &value);
    return !reader->is_bad;
}

bool json_find(const char *json, size_t length, const char *wanted, char *ret_value,
               size_t value_size)
{
    struct json_reader reader;
    char name[64];

    json_reader_init(&reader, json, length);
    while (json_next(&reader, name, sizeof(name), ret_value, value_size))
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

bool json_is_at_end(struct json_reader *reader)
{
    reader_skip_blanks(reader);
    return reader->is_ended && !reader->is_bad && reader->next == reader->end;
}
