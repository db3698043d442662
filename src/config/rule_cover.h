/* Finds out whether one rule leaves nothing to decide for a later one. Internal to config/.
 *
 * It answers "no" where it can't tell (for instance when two rules do it together). So what it
 * finds is certain, and it finds the mistakes that people make.
 */
#ifndef CONFIG_RULE_COVER_H
#define CONFIG_RULE_COVER_H

#include "base/contract.h"
#include "config/condition_ranges.h"

#include <stdbool.h>
#include <stddef.h>

struct policy_rule_source;

/* A condition, and what it says about numbers. */
struct covered_condition {
    const struct policy_condition *source;
    bool is_ranges; /* the condition is about ranges only; false: `ranges` are a part of what it
                       takes, and `others` are not known */
    struct range_set ranges;
    struct range_set others; /* all points that are not in `ranges` */
};

struct covered_rule {
    const struct policy_rule_source *source;
    struct covered_condition *conditions;
    unsigned kinds;  /* a bit for the kind of each of its conditions */
    unsigned needed; /* a bit for the kind of each condition that is not always true */
};

struct rule_cover {
    const struct config_draft *draft; /* for lists, groups and listeners, which are all known */
    struct arena arena;
    struct covered_rule *rules; /* as many as the draft has */
    size_t ranges_left;         /* ranges that may still be kept */
    size_t steps_left;          /* comparisons that may still be made */
    bool is_cut;                /* one of the two ran out, so a "no" may be wrong */
};

/* Returns 0 or -ENOMEM; rule_cover_finish must be called in either case. */
int rule_cover_init(struct rule_cover *cover, const struct config_draft *draft) MUST_CHECK;
void rule_cover_finish(struct rule_cover *cover);

/* Prepares a condition that is in no rule; it must live as long as `cover`. */
void rule_cover_add(struct rule_cover *cover, const struct policy_condition *condition,
                    struct covered_condition *ret_covered);

/* True when no facts meet all conditions of the rule. */
bool rule_cover_is_void(struct rule_cover *cover, size_t rule) MUST_CHECK;
/* True when the rule at `first` matches all that the one at `second` does or, with `also`, the part
 * of it that meets this condition. Special-purpose addresses, which an allow may not reach, are not
 * considered. */
bool rule_cover_has(struct rule_cover *cover, size_t first, size_t second,
                    const struct covered_condition *also) MUST_CHECK;
/* True when the rule's `to` or `address` names some of the special-purpose space. */
bool rule_names_special(const struct rule_cover *cover,
                        const struct policy_rule_source *rule) MUST_CHECK;
/* True when `first` names all special-purpose addresses that `second` matches. */
bool rule_cover_has_special(struct rule_cover *cover, const struct policy_rule_source *first,
                            const struct policy_rule_source *second) MUST_CHECK;

#endif
