/* JSON strings hold what logfmt would escape as \xNN as \u00NN, so that a reader of either sees the
 * same bytes; a value that is cut ends in "..." in both.
 */
#include "observe/line.h"

#include "observe/logfmt.h"

#include <string.h>

enum { VALUE_LIMIT = 96 };

static const char dots[] = "...";

void line_begin(struct line *line, struct text *out, enum log_format format)
{
    *line = (struct line){.out = out, .format = format};
    if (format == LOG_FORMAT_JSON)
        text_add_char(out, '{');
}

void line_end(struct line *line)
{
    if (line->format == LOG_FORMAT_JSON)
        text_add_char(line->out, '}');
}

static void add_name(struct line *line, const char *name)
{
    bool is_json = line->format == LOG_FORMAT_JSON;

    if (line->has_fields)
        text_add_char(line->out, is_json ? ',' : ' ');
    line->has_fields = true;
    if (is_json)
        text_add_char(line->out, '"');
    text_add(line->out, name);
    text_add(line->out, is_json ? "\":" : "=");
}

void line_add_time(struct line *line, const char *name, uint64_t wall_ms)
{
    const char *quote = line->format == LOG_FORMAT_JSON ? "\"" : "";

    add_name(line, name);
    text_add(line->out, quote);
    logfmt_add_time(line->out, wall_ms);
    text_add(line->out, quote);
}

void line_add_number(struct line *line, const char *name, uint64_t number)
{
    add_name(line, name);
    text_add_decimal(line->out, number);
}

/* Bytes of the UTF-8 character at `bytes`; 0: it is none (overlong and surrogates included). */
static size_t utf8_length(const unsigned char *bytes, size_t length)
{
    unsigned char first = bytes[0];
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

    if (first < 0xc2 || first > 0xf4 || size > length)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] > 0x9f) ||
        (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return size;
}

/* One character as JSON has it, into `piece`; returns how many bytes of the value it took. */
static size_t json_piece(const unsigned char *bytes, size_t length, struct text *piece)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char byte = bytes[0];
    size_t size = byte < 0x80 ? 1 : utf8_length(bytes, length);

    piece->length = 0;
    if (byte == '"' || byte == '\\') {
        text_add_char(piece, '\\');
        text_add_char(piece, (char)byte);
    } else if (byte == '\n') {
        text_add(piece, "\\n");
    } else if (byte < ' ' || byte == 0x7f || size == 0) {
        text_add(piece, "\\u00");
        text_add_char(piece, digits[byte >> 4]);
        text_add_char(piece, digits[byte & 0xf]);
    } else {
        text_add_bytes(piece, (const char *)bytes, size);
    }
    return size > 0 ? size : 1;
}

static void add_json_string(struct text *out, const char *value, size_t length, size_t limit)
{
    const unsigned char *bytes = (const unsigned char *)value;
    size_t room = limit - 2; /* the quotes */
    char buffer[8];
    struct text piece;

    text_init(&piece, buffer, sizeof(buffer));
    text_add_char(out, '"');
    for (size_t at = 0; at < length;) {
        at += json_piece(bytes + at, length - at, &piece);
        /* What follows must fit as well, or the dots. */
        if (piece.length + (at < length ? sizeof(dots) - 1 : 0) > room) {
            text_add(out, dots);
            break;
        }
        text_add_bytes(out, piece.start, piece.length);
        room -= piece.length;
    }
    text_add_char(out, '"');
}

void line_add_bytes(struct line *line, const char *name, const char *bytes, size_t length,
                    size_t limit)
{
    if (bytes == NULL || length == 0)
        return;
    add_name(line, name);
    if (line->format == LOG_FORMAT_JSON)
        add_json_string(line->out, bytes, length, limit);
    else
        logfmt_add_value(line->out, bytes, length, limit);
}

void line_add_text(struct line *line, const char *name, const char *value)
{
    if (value != NULL)
        line_add_bytes(line, name, value, strlen(value), VALUE_LIMIT);
}

void line_add_endpoint(struct line *line, const char *name, const struct ip_endpoint *endpoint)
{
    const char *quote = line->format == LOG_FORMAT_JSON ? "\"" : "";

    if (endpoint == NULL || endpoint->address.family == IP_NONE)
        return;
    add_name(line, name);
    text_add(line->out, quote);
    ip_endpoint_print(line->out, endpoint);
    text_add(line->out, quote);
}
