/* As much of JSON as adit says to itself: flat objects of strings and numbers. */
#ifndef ADMIN_JSON_H
#define ADMIN_JSON_H

#include "base/contract.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "text", escaped and quoted, as the log has it. What is cut is cut between two characters, and
 * lacks its closing quote. */
void json_add_string(struct text *out, const char *string);
/* The same for json_next: bytes that are not UTF-8, which JSON can't hold, are read as they were.
 */
void json_add_exact(struct text *out, const char *string);
/* json_add_string of any length. */
void json_write_string(FILE *out, const char *string);

/* A member of the object whose `{`, or whose latest member, ends `out`: with the comma where one
 * is due. `json_add_name` alone: the value is the caller's to add. */
void json_add_name(struct text *out, const char *name);
void json_add_member(struct text *out, const char *name, const char *string);
void json_add_exact_member(struct text *out, const char *name, const char *string);
void json_add_number(struct text *out, const char *name, uint64_t number);

/* Reads one flat object. */
struct json_reader {
    const char *next;
    const char *end;
    bool is_begun;
    bool is_ended;
    bool is_bad;
};

void json_reader_init(struct json_reader *reader, const char *json, size_t length);
/* The next member; texts that do not fit are cut. False: there is none, or it is malformed. */
bool json_next(struct json_reader *reader, char *ret_name, size_t name_size, char *ret_value,
               size_t value_size);
/* The value of the member `wanted` of the flat object, if it has one: true. */
bool json_find(const char *json, size_t length, const char *wanted, char *ret_value,
               size_t value_size);
/* After json_next said false: the object was well-formed and complete, and nothing is behind it. */
bool json_is_at_end(struct json_reader *reader);

#endif
