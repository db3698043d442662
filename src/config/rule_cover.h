/* Whether one rule leaves nothing to decide for a later one. Internal to config/.
 *
 * Answers "no" where it can't tell (two rules that do it together): what it
 * finds is certain, and it finds what people write.
 */
#ifndef CONFIG_RULE_COVER_H
#define CONFIG_RULE_COVER_H

#include "base/contract.h"
#include "config/condition_ranges.h"

#include <stdbool.h>
#include <stddef.h>

struct policy_rule_source;

/* A condition, and what it says of numbers. */
struct covered_condition {
    const struct policy_condition *source;
    bool is_ranges; /* and nothing else: else `ranges` are a part of it, and no others are known */
    struct range_set ranges;
    struct range_set others; /* what the ranges lack */
};

struct covered_rule {
    const struct policy_rule_source *source;
    struct covered_condition *conditions;
    unsigned kinds;  /* a bit each, of all its conditions */
    unsigned needed; /* of those that are not always true */
};

struct rule_cover {
    const struct config_draft *draft; /* for lists, groups and listeners, which are all known */
    struct arena arena;
    struct covered_rule *rules; /* as many as the draft has */
    size_t ranges_left;         /* which may still be kept */
    size_t steps_left;          /* comparisons */
    bool is_cut;                /* there was not enough of either, and a "no" may be wrong */
};

/* 0 or -ENOMEM; rule_cover_finish in either case. */
int rule_cover_init(struct rule_cover *cover, const struct config_draft *draft) MUST_CHECK;
void rule_cover_finish(struct rule_cover *cover);

/* Of a condition that is in no rule; it must live as long. */
void rule_cover_add(struct rule_cover *cover, const struct policy_condition *condition,
                    struct covered_condition *ret_covered);

/* True when no facts meet all conditions of the rule. */
bool rule_cover_is_void(struct rule_cover *cover, size_t rule) MUST_CHECK;
/* True where the rule at `first` matches all that the one at `second` does, or, of that, what meets
 * `also` (NULL: nothing more). Special-purpose addresses, which an allow may not reach, apart. */
bool rule_cover_has(struct rule_cover *cover, size_t first, size_t second,
                    const struct covered_condition *also) MUST_CHECK;
/* Whether the rule's `to` or `address` names special-purpose space, some of it. */
bool rule_names_special(const struct rule_cover *cover,
                        const struct policy_rule_source *rule) MUST_CHECK;
/* The same, and all special-purpose addresses that `second` matches. */
bool rule_cover_has_special(struct rule_cover *cover, const struct policy_rule_source *first,
                            const struct policy_rule_source *second) MUST_CHECK;

#endif
