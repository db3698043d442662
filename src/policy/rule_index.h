/* Which rules a host name can concern: thousands of rules with a name each cost a name that none of
 * them has nothing. Private to policy/.
 */
#ifndef POLICY_RULE_INDEX_H
#define POLICY_RULE_INDEX_H

#include "base/contract.h"
#include "policy/name_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_INDEX_END UINT32_MAX

struct policy_rule_source;

struct rule_index_entry {
    uint32_t hash; /* name_key_hash of the name or suffix */
    uint32_t rule;
    uint32_t next; /* entry of the same bucket, of the same or a later rule; RULE_INDEX_END: none */
};

struct rule_index {
    uint32_t
        *always; /* rules that are about more than names, ascending; ends with RULE_INDEX_END */
    uint32_t *buckets;
    size_t mask; /* number of buckets - 1 */
    struct rule_index_entry *entries;
    size_t entry_count;
};

/* On failure the index is as good as finished. 0 or -ENOMEM. */
int rule_index_init(struct rule_index *index, const struct policy_rule_source *rules,
                    size_t rule_count) MUST_CHECK;
/* Harmless on a zeroed one. */
void rule_index_finish(struct rule_index *index);

/* Yields, in ascending order and each once, all rules that can be true for the name; others may
 * come along. */
struct rule_cursor {
    const struct rule_index *index;
    const uint32_t *always;
    size_t chain_count;
    const struct rule_index_entry *chains[NAME_KEY_SUFFIXES_MAX + 1];
};

/* `key` NULL: there is no name, the target is a literal. */
void rule_cursor_init(struct rule_cursor *cursor, const struct rule_index *index,
                      const struct name_key *key);
uint32_t rule_cursor_next(struct rule_cursor *cursor); /* or RULE_INDEX_END */

#endif
