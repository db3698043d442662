/* One line of fields, as logfmt or as a JSON object: `time=... id=x` or `{"time":"...","id":"x"}`.
 *
 * The same names in the same order either way. Outside bytes can't break out of a value.
 *
 * A tunnel has two lines, so these count instructions: they are inline, a name is one copy of a
 * fixed size, and nobody looks whether there is room. There is: the line's bytes are LINE_SIZE, and
 * whoever writes one asserts that the sum of its fields' bounds (LINE_FIELD_MAX and the value's) is
 * below.
 */
#ifndef OBSERVE_LINE_H
#define OBSERVE_LINE_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/short_id.h"
#include "base/text.h"
#include "observe/log.h"
#include "observe/logfmt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LINE_SIZE 3072

/* A field's name, or a whole field that is always the same, as either format writes it: the
 * separator before it included, and in JSON the opening quote. */
#define LINE_PIECE_SIZE 40
struct line_piece {
    struct {
        char bytes[LINE_PIECE_SIZE];
        size_t length;
    } forms[2]; /* logfmt, JSON */
};
#define LINE_PIECE(logfmt, json)                                                                   \
    {                                                                                              \
        {                                                                                          \
            {logfmt, sizeof(logfmt) - 1},                                                          \
            {                                                                                      \
                json, sizeof(json) - 1                                                             \
            }                                                                                      \
        }                                                                                          \
    }
/* Of literals; a name and its dressing have at most 16 letters. */
#define LINE_NAME_MAX 16
#define LINE_TEXT(name) LINE_PIECE(" " name "=", ",\"" name "\":\"")
#define LINE_NUMBER(name) LINE_PIECE(" " name "=", ",\"" name "\":")
#define LINE_CONSTANT(name, value) LINE_PIECE(" " name "=" value, ",\"" name "\":\"" value "\"")

enum {
    LINE_FIELD_MAX = LINE_NAME_MAX + 1, /* the name and a closing quote, without the value */
    LINE_NUMBER_MAX = 20,
};

/* Members are private. */
struct line {
    char *start, *at;
    bool is_json;
};

size_t line_put_number(char out[LINE_NUMBER_MAX], uint64_t number);
/* Escaped; what is written, `limit` at most, may be followed by 7 bytes of waste. */
size_t line_put_json(char *out, const char *bytes, size_t length, size_t limit);
size_t line_put_logfmt(char *out, const char *bytes, size_t length, size_t limit);

static inline void line_begin(struct line *line, char bytes[LINE_SIZE], enum log_format format)
{
    line->start = line->at = bytes;
    line->is_json = format == LOG_FORMAT_JSON;
}

/* Returns the length; no newline, no NUL. The first field's separator becomes the brace, or goes:
 * `ret_start` is where the line begins. */
static inline size_t line_end(struct line *line, const char **ret_start)
{
    if (line->is_json) {
        line->start[0] = '{';
        *line->at++ = '}';
        *ret_start = line->start;
    } else {
        *ret_start = line->start + 1;
    }
    return (size_t)(line->at - *ret_start);
}

static inline void line_add_name(struct line *line, const struct line_piece *name)
{
    memcpy(line->at, name->forms[line->is_json].bytes, LINE_NAME_MAX);
    line->at += name->forms[line->is_json].length;
}

static inline void line_close_quote(struct line *line)
{
    *line->at = '"';
    line->at += line->is_json;
}

/* A constant. */
static inline void line_add_piece(struct line *line, const struct line_piece *piece)
{
    memcpy(line->at, piece->forms[line->is_json].bytes, LINE_PIECE_SIZE);
    line->at += piece->forms[line->is_json].length;
}

/* RFC 3339, UTC, milliseconds; `wall_ms` since the epoch. */
static inline void line_add_time(struct line *line, const struct line_piece *name,
                                 struct logfmt_date *date, uint64_t wall_ms)
{
    line_add_name(line, name);
    logfmt_put_time(line->at, date, wall_ms);
    line->at += LOGFMT_TIME_SIZE;
    line_close_quote(line);
}

static inline void line_add_number(struct line *line, const struct line_piece *name,
                                   uint64_t number)
{
    line_add_name(line, name);
    line->at += line_put_number(line->at, number);
}

static inline void line_add_id(struct line *line, const struct line_piece *name, uint64_t id)
{
    line_add_name(line, name);
    line->at += short_id_put(line->at, id);
    line_close_quote(line);
}

/* Outside bytes: escaped, at most `limit` of them as written; in JSON, bytes that are not UTF-8 are
 * taken for Latin-1. Left out when NULL or empty. */
static inline void line_add_bytes(struct line *line, const struct line_piece *name,
                                  const char *bytes, size_t length, size_t limit)
{
    if (bytes == NULL || length == 0)
        return;
    line_add_name(line, name);
    line->at += line->is_json ? line_put_json(line->at, bytes, length, limit)
                              : line_put_logfmt(line->at, bytes, length, limit);
    line_close_quote(line);
}

/* Left out when NULL or empty. */
static inline void line_add_text(struct line *line, const struct line_piece *name,
                                 const char *value, size_t limit)
{
    if (value != NULL)
        line_add_bytes(line, name, value, strlen(value), limit);
}

/* Left out when NULL or without an address. */
static inline void line_add_endpoint(struct line *line, const struct line_piece *name,
                                     const struct ip_endpoint *endpoint)
{
    if (endpoint == NULL || endpoint->address.family == IP_NONE)
        return;
    line_add_name(line, name);
    line->at += ip_endpoint_put(line->at, endpoint);
    line_close_quote(line);
}

#endif
