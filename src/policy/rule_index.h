/* Finds the rules that can concern an evaluation, so that thousands of rules cost next to nothing
 * when none of them is about the target at hand. Private to policy/.
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

/* The question that a table of the index answers. */
enum rule_layer {
    LAYER_ADDRESS,  /* the address is known: which rules are not false? */
    LAYER_NAME,     /* before that: which rules are not false even if no address ever matches? */
    LAYER_POSSIBLE, /* before that: which rules may matter because an address may match? */
    RULE_LAYER_COUNT,
};

/* It must be all zeroes before rule_index_init. */
struct rule_index {
    const struct policy_source *source;
    struct key_table layers[RULE_LAYER_COUNT]; /* from keys to rules */
    uint32_t domains[RULE_LAYER_COUNT];        /* the domains of those keys, a bit for each */
    struct key_table sets; /* from the keys of their entries to lists and groups */
    struct key_use use;
};

/* Builds the index. The source must live as long as the index. Returns 0 or -ENOMEM; after a
 * failure there is nothing to finish. */
int rule_index_init(struct rule_index *index, const struct policy_source *source) MUST_CHECK;
/* Harmless on an index that is all zeroes. */
void rule_index_finish(struct rule_index *index);

/* A walk over all rules that can matter, in ascending order and each once. Rules that do not matter
 * may be among them, so each one must still be evaluated. */
struct rule_cursor {
    const struct rule_index *index;
    unsigned layers;  /* a bit each */
    uint32_t domains; /* the domains of the keys in these layers, a bit for each */
    bool is_every;    /* there were too many chains, so every rule is yielded */
    uint32_t next;    /* valid when is_every: the next rule */
    size_t chain_count;
    struct rule_chain {
        uint32_t number;
        enum rule_layer layer;
        const struct key_entry *entry;
    } chains[RULE_CURSOR_CHAINS_MAX]; /* a heap: the lowest number is first */
};

void rule_cursor_init(struct rule_cursor *cursor, const struct rule_index *index,
                      const struct evaluation *evaluation);
/* To be called when an allow that depends on the address was found: from now on another one makes
 * no difference, and the cursor skips them. */
void rule_cursor_drop_possible(struct rule_cursor *cursor);
uint32_t rule_cursor_next(struct rule_cursor *cursor); /* or RULE_INDEX_END */

#endif
