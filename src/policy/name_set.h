/* A set of host names and suffixes: a million of them load in under 2 s and cost under 100 bytes
 * each; a lookup takes one step a label, whatever the size. Names in which a label is `*` cost one
 * step more for each shape they come in.
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
/* `name` is normalised (wire/authority.h) and copied; a suffix comes without "*." and does not
 * match itself. Adding twice is harmless. 0 or -ENOMEM. */
int name_set_add(struct name_set *set, const char *name, size_t length, bool is_suffix) MUST_CHECK;
/* The same for a host: a label that is `*`, the last one excepted, stands for any one label. */
int name_set_add_host(struct name_set *set, const char *name, size_t length,
                      bool is_suffix) MUST_CHECK;
size_t name_set_count(const struct name_set *set);
bool name_set_contains(const struct name_set *set, const char *name, size_t length);
/* The same for a name whose hashes are known. */
bool name_set_contains_key(const struct name_set *set, const struct name_key *key);
/* Every entry, in no order; the text lives as long as the set, without a NUL. */
void name_set_visit(const struct name_set *set,
                    void (*visit)(void *self, const char *name, size_t length, bool is_suffix),
                    void *self);

#endif
