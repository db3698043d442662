/* Who moved most and which rules denied most, over the last 15 minutes: a list a minute, which are
 * added up for whoever asks. At most 64 names a minute and kind.
 */
#ifndef ADMIN_TOPLISTS_H
#define ADMIN_TOPLISTS_H

#include "base/contract.h"
#include "observe/talkers.h"

#include <stddef.h>
#include <stdint.h>

#define TOPLISTS_MINUTES 15
#define TOPLISTS_SHOWN 10 /* names a list */

struct stats;
struct toplists;

int toplists_create(struct toplists **ret_lists) MUST_CHECK; /* 0 or -errno */
void toplists_destroy(struct toplists *lists);               /* harmless on NULL */

/* `now_ms`: any clock that does not run backwards. */
void toplists_take(struct toplists *lists, struct talkers *talkers, uint64_t now_ms);
/* What was denied since the last time. */
void toplists_add_denied(struct toplists *lists, const struct stats *stats, uint64_t now_ms);

/* {"minutes":15,"users":[{"name":"alice","bytes":7},..],"hosts":[..],"rules":[{"name":..,"count":7}]}
 * The caller frees. NULL: no memory. */
char *toplists_print(struct toplists *lists, uint64_t now_ms, size_t *ret_length);

#endif
