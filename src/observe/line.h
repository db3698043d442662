/* One line of fields, as logfmt or as a JSON object: `time=... id=x` or `{"time":"...","id":"x"}`.
 *
 * The same names in the same order either way. Outside bytes can't break out of a value.
 */
#ifndef OBSERVE_LINE_H
#define OBSERVE_LINE_H

#include "base/contract.h"
#include "base/ip_address.h"
#include "base/text.h"
#include "observe/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line {
    struct text *out;
    enum log_format format;
    bool has_fields;
};

void line_begin(struct line *line, struct text *out, enum log_format format);
/* RFC 3339, UTC, milliseconds; `wall_ms` since the epoch. */
void line_add_time(struct line *line, const char *name, uint64_t wall_ms);
void line_add_number(struct line *line, const char *name, uint64_t number);
/* Left out when NULL or empty; short texts of ours. */
void line_add_text(struct line *line, const char *name, const char *value);
/* Outside bytes: escaped, at most `limit` of them as written; in JSON, bytes that are not UTF-8 are
 * taken for Latin-1. Left out when NULL or empty. */
void line_add_bytes(struct line *line, const char *name, const char *bytes, size_t length,
                    size_t limit);
/* Left out when NULL or without an address. */
void line_add_endpoint(struct line *line, const char *name, const struct ip_endpoint *endpoint);
void line_end(struct line *line); /* no newline */

#endif
