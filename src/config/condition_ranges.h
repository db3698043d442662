/* What a condition says about ports, minutes of the week, listeners or addresses, as a set of
 * ranges. Such sets can be inverted, and it can be said exactly whether one contains all of
 * another. Internal to config/.
 */
#ifndef CONFIG_CONDITION_RANGES_H
#define CONFIG_CONDITION_RANGES_H

#include "base/contract.h"
#include "config/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_draft;
struct policy_condition;

/* A number of 192 bits, the highest word first. An IPv6 address takes 128 of them; the end of a
 * range that reaches the last address needs one more. */
struct range_point {
    uint64_t words[3];
};

struct range {
    struct range_point first;
    struct range_point end; /* exclusive */
};

/* The ranges are in order, with gaps between them. */
struct range_set {
    struct vector ranges; /* struct range */
};

/* Makes the set of facts that the condition takes without its `not`, and the set of all others of
 * its kind. Returns false when the ranges are only a part of what it takes, so that the others are
 * not known. That is so when the condition is also about something else (names, users, `special`),
 * has a list that is empty or long, or is long itself; also when there is no memory, which shows in
 * the arena. The sets live in the arena. */
bool condition_ranges_make(struct arena *arena, const struct config_draft *draft,
                           const struct policy_condition *condition, struct range_set *ret_set,
                           struct range_set *ret_others) MUST_CHECK;
bool range_set_has(const struct range_set *outer, const struct range_set *inner) MUST_CHECK;
bool range_set_is_empty(const struct range_set *set) MUST_CHECK;

#endif
