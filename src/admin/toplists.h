/* Who moved most and which rules denied most over the last 15 minutes. There is one list per minute
 * and kind, with at most 64 names; they are added up when somebody asks.
 */
#ifndef ADMIN_TOPLISTS_H
#define ADMIN_TOPLISTS_H

#include "base/contract.h"
#include "observe/talkers.h"

#include <stddef.h>
#include <stdint.h>

#define TOPLISTS_MINUTES 15
#define TOPLISTS_SHOWN 10 /* names per list that is printed */

struct stats;
struct toplists;

int toplists_create(struct toplists **ret_lists) MUST_CHECK; /* 0 or -errno */
void toplists_destroy(struct toplists *lists);               /* harmless on NULL */

/* Takes what `talkers` has collected. `now_ms` is of any clock that does not run backwards. */
void toplists_take(struct toplists *lists, struct talkers *talkers, uint64_t now_ms);
/* Adds what the rules have denied since the last call. */
void toplists_add_denied(struct toplists *lists, const struct stats *stats, uint64_t now_ms);

/* Returns the lists as one JSON object, which the caller frees, or NULL when there is no memory:
 * {"minutes":15,"users":[{"name":"alice","bytes":7},..],"hosts":[..],"rules":[{"name":..,"count":7}]}
 */
char *toplists_print(struct toplists *lists, uint64_t now_ms, size_t *ret_length);

#endif
