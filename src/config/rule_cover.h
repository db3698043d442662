/* Whether one rule leaves nothing to decide for a later one. Internal to config/.
 *
 * Answers "no" where it can't tell (two rules that do it together, blocks that add up): what it
 * finds is certain, and it finds what people write.
 */
#ifndef CONFIG_RULE_COVER_H
#define CONFIG_RULE_COVER_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

struct config_owner;
struct policy_rule_source;

struct rule_cover {
    const struct config_owner *owner; /* for lists and groups, which are all known */
    size_t steps_left;                /* comparisons; at 0 every answer is "no" */
};

/* True where `first` matches all that `second` does. Special-purpose addresses, which an allow may
 * not reach, apart. */
bool rule_cover_has(struct rule_cover *cover, const struct policy_rule_source *first,
                    const struct policy_rule_source *second) MUST_CHECK;
/* Whether the rule's `to` or `address` names special-purpose space, some of it. */
bool rule_names_special(const struct rule_cover *cover,
                        const struct policy_rule_source *rule) MUST_CHECK;
/* The same, and all special-purpose addresses that `second` matches. */
bool rule_cover_has_special(struct rule_cover *cover, const struct policy_rule_source *first,
                            const struct policy_rule_source *second) MUST_CHECK;

#endif
