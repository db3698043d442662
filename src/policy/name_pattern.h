/* Matches a name or pattern against another one. In a pattern, a label `*` stands for any one
 * label. For many patterns at once there is policy/name_set.h. Where a pattern is taken as the
 * name, its label `*` matches only `*`. */
#ifndef POLICY_NAME_PATTERN_H
#define POLICY_NAME_PATTERN_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

/* Returns the length of the label that begins at `at` and goes up to the next dot or `end`. */
size_t name_label_length(const char *at, const char *end);
bool name_label_is_star(const char *label, size_t length);

/* True when the name has as many labels as the pattern, and each of them matches. */
bool name_pattern_has(const char *pattern, size_t pattern_length, const char *name,
                      size_t length) MUST_CHECK;
/* True when the name lies below the pattern: it ends in labels that match, and has more in front.
 */
bool name_pattern_has_below(const char *pattern, size_t pattern_length, const char *name,
                            size_t length) MUST_CHECK;
/* True when some name matches both patterns. A suffix stands for all names below it. */
bool name_patterns_meet(const char *a, bool is_a_suffix, const char *b,
                        bool is_b_suffix) MUST_CHECK;

#endif
