/* A set of host names and suffixes. A million of them load in under 2 s and cost under 100 bytes
 * each. A lookup takes one step per label, whatever the size of the set. Names in which a label is
 * `*` cost one more step for each shape in which they come (see name_set.c).
 */
#ifndef POLICY_NAME_SET_H
#define POLICY_NAME_SET_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

#define NAME_SET_LENGTH_MAX 32767 /* user names are kept in such sets, too */

struct name_key; /* policy/name_key.h */
struct name_set;

int name_set_create(struct name_set **ret_set) MUST_CHECK; /* 0 or -ENOMEM */
void name_set_destroy(struct name_set *set);
/* Adds a name or a suffix and copies it. `name` is normalised (wire/authority.h); a suffix comes
 * without "*." and does not match itself. Adding twice is harmless. Returns 0 or -ENOMEM. */
int name_set_add(struct name_set *set, const char *name, size_t length, bool is_suffix) MUST_CHECK;
/* The same for a host, in which a label `*` stands for any one label; the last label is compared as
 * it is. */
int name_set_add_host(struct name_set *set, const char *name, size_t length,
                      bool is_suffix) MUST_CHECK;
size_t name_set_count(const struct name_set *set);
bool name_set_contains(const struct name_set *set, const char *name, size_t length);
/* The same for a name whose hashes are known. */
bool name_set_contains_key(const struct name_set *set, const struct name_key *key);
/* Visits every entry, in no particular order. The text has no NUL behind it and lives as long as
 * the set. */
void name_set_visit(const struct name_set *set,
                    void (*visit)(void *self, const char *name, size_t length, bool is_suffix),
                    void *self);

#endif
