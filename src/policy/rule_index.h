/* Which rules can concern an evaluation: thousands of rules cost one that none of them is about
 * next to nothing. Private to policy/.
 */
#ifndef POLICY_RULE_INDEX_H
#define POLICY_RULE_INDEX_H

#include "base/contract.h"
#include "policy/key_table.h"
#include "policy/rule_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_INDEX_END UINT32_MAX
#define RULE_CURSOR_CHAINS_MAX 96

struct evaluation;
struct policy_source;

/* The question that a table answers. */
enum rule_layer {
    LAYER_ADDRESS,  /* with an address: what is not false? */
    LAYER_NAME,     /* before it: what is not false, even if no address ever matches? */
    LAYER_POSSIBLE, /* before it: what may matter because an address may match? */
    RULE_LAYER_COUNT,
};

/* Starts as zeroes. */
struct rule_index {
    const struct policy_source *source;
    struct key_table layers[RULE_LAYER_COUNT]; /* from keys to rules */
    uint32_t domains[RULE_LAYER_COUNT];        /* of those keys, a bit each */
    struct key_table sets;                     /* from what lists and groups have to them */
    struct key_use use;
};

/* The source must live as long. On failure the index is as good as finished. 0 or -ENOMEM. */
int rule_index_init(struct rule_index *index, const struct policy_source *source) MUST_CHECK;
/* Harmless on a zeroed one. */
void rule_index_finish(struct rule_index *index);

/* Yields, in ascending order and each once, all rules that can matter; others may come along. */
struct rule_cursor {
    const struct rule_index *index;
    unsigned layers;  /* a bit each */
    uint32_t domains; /* of keys in these, a bit each */
    bool is_every;    /* too many chains: every rule, then */
    uint32_t next;    /* when is_every */
    size_t chain_count;
    struct rule_chain {
        uint32_t number;
        enum rule_layer layer;
        const struct key_entry *entry;
    } chains[RULE_CURSOR_CHAINS_MAX]; /* a heap: the lowest number is first */
};

void rule_cursor_init(struct rule_cursor *cursor, const struct rule_index *index,
                      const struct evaluation *evaluation);
/* From now on another allow that depends on the address makes no difference. */
void rule_cursor_drop_possible(struct rule_cursor *cursor);
uint32_t rule_cursor_next(struct rule_cursor *cursor); /* or RULE_INDEX_END */

#endif
