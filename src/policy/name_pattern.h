/* One name or pattern, in which a label that is `*` stands for any one label, against another; for
 * many at once there is policy/name_set.h. A pattern counts as a name, whose `*` only `*` has. */
#ifndef POLICY_NAME_PATTERN_H
#define POLICY_NAME_PATTERN_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

/* The label that begins at `at`, up to the next dot or `end`. */
size_t name_label_length(const char *at, const char *end);
bool name_label_is_star(const char *label, size_t length);

/* Whether the name is what the pattern says, label by label. */
bool name_pattern_has(const char *pattern, size_t pattern_length, const char *name,
                      size_t length) MUST_CHECK;
/* Whether the name lies below that: with more labels in front. */
bool name_pattern_has_below(const char *pattern, size_t pattern_length, const char *name,
                            size_t length) MUST_CHECK;
/* Whether a name can be what both patterns say; a suffix stands for all that lies below it. */
bool name_patterns_meet(const char *a, bool is_a_suffix, const char *b,
                        bool is_b_suffix) MUST_CHECK;

#endif
