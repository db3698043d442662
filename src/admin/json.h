/* The part of JSON that adit's own programs exchange: flat objects of strings and numbers. */
#ifndef ADMIN_JSON_H
#define ADMIN_JSON_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Adds the string, escaped and in quotes, as in the log. When it does not fit, it is cut between
 * two characters, and lacks its closing quote; `out` then takes nothing more. */
void json_add_string(struct text *out, const char *string);
/* The same for a text that json_next will read: bytes that are not UTF-8, which JSON can't hold,
 * are escaped in such a way that json_next returns them unchanged. */
void json_add_exact(struct text *out, const char *string);
/* Writes what json_add_string would add; the string may have any length. */
void json_write_string(FILE *out, const char *string);

/* Adds a member to an object. `out` must end with the object's `{` or with its latest member; the
 * comma is added where one belongs. After json_add_name the caller adds the value. */
void json_add_name(struct text *out, const char *name);
void json_add_member(struct text *out, const char *name, const char *string);
void json_add_exact_member(struct text *out, const char *name, const char *string);
void json_add_number(struct text *out, const char *name, uint64_t number);

/* Reads one flat object, member by member. */
struct json_reader {
    const char *next;
    const char *end;
    bool is_begun;
    bool is_ended;
    bool is_bad;
};

void json_reader_init(struct json_reader *reader, const char *json, size_t length);
/* Reads the next member; texts that do not fit are cut. Returns false when there is none or it is
 * malformed; json_is_at_end tells the two apart. */
bool json_next(struct json_reader *reader, char *ret_name, size_t name_size, char *ret_value,
               size_t value_size);
/* Reads the value of the member `wanted` of a flat object. Returns false when there is none. */
bool json_find(const char *json, size_t length, const char *wanted, char *ret_value,
               size_t value_size);
/* To be called after json_next returned false. Returns true when the object was well-formed and
 * complete, and nothing follows it. */
bool json_is_at_end(struct json_reader *reader);

#endif
