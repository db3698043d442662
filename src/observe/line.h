/* One line of fields, as logfmt or as a JSON object: `time=... id=x` or `{"time":"...","id":"x"}`.
 *
 * Both formats have the same names in the same order. Bytes from outside can't break out of a
 * value.
 *
 * Every tunnel writes two lines, so these functions are made to cost few instructions: they are
 * inline, adding a name is one copy of a fixed size, and they do not check whether there is room.
 * There always is: a line has LINE_SIZE bytes, and the code that writes one asserts that the sum of
 * its fields' bounds (LINE_FIELD_MAX and the value's) is less.
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
/* These take literals. A name with its separator and quotes has at most LINE_NAME_MAX letters,
 * which line_add_name relies on. */
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
/* Write the bytes escaped, at most `limit` of them, and return how many were written. Up to 7 more
 * bytes of `out` behind them may be overwritten. */
size_t line_put_json(char *out, const char *bytes, size_t length, size_t limit);
size_t line_put_logfmt(char *out, const char *bytes, size_t length, size_t limit);

static inline void line_begin(struct line *line, char bytes[LINE_SIZE], enum log_format format)
{
    line->start = line->at = bytes;
    line->is_json = format == LOG_FORMAT_JSON;
}

/* Ends the line, without a newline or NUL. Returns its length. In JSON the separator of the first
 * field becomes the brace, in logfmt it is left out: `ret_start` is where the line begins. */
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

/* Adds a time as RFC 3339 has it, in UTC with milliseconds. `wall_ms` counts from the epoch. */
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

/* Adds bytes from outside, escaped, of which at most `limit` are written. In JSON, bytes that are
 * not UTF-8 are taken for Latin-1. The field is left out when `bytes` is NULL or empty. */
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

/* Adds a string. The field is left out when it is NULL or empty. */
static inline void line_add_text(struct line *line, const struct line_piece *name,
                                 const char *value, size_t limit)
{
    if (value != NULL)
        line_add_bytes(line, name, value, strlen(value), limit);
}

/* Adds an endpoint. The field is left out when it is NULL or has no address. */
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
