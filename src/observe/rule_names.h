/* The names of rules that have denied something, each with a number that stays as long as the
 * process lives; and the names of the present policy's rules, which get a number when they first
 * deny something.
 *
 * Rules come and go with reloads, so the table outlives every configuration, and is bounded: the
 * first RULE_NAMES_MAX names that denied something have a number, all others share one. Any thread
 * may ask for a number. Only one thread announces names and reads what is announced.
 */
#ifndef OBSERVE_RULE_NAMES_H
#define OBSERVE_RULE_NAMES_H

#include "base/contract.h"

#include <stdbool.h>
#include <stddef.h>

#define RULE_NAMES_MAX 1024

struct rule_names;

struct rule_names *rule_names_create(void) MUST_CHECK; /* NULL: no memory */
void rule_names_destroy(struct rule_names *names);

/* Returns the name's number, below RULE_NAMES_MAX; the name gets one now if it has none. Returns
 * RULE_NAMES_MAX when all numbers are taken or no memory is left. */
size_t rule_names_find(struct rule_names *names, const char *text);
/* Announces a rule of the present policy. The first RULE_NAMES_MAX / 2 names are kept, each of them
 * once. */
void rule_names_announce(struct rule_names *names, const char *text);
/* Announces the first rule of another policy: what was announced before is forgotten. */
void rule_names_announce_anew(struct rule_names *names, const char *text);
/* Returns NULL when there are no more. The text lives until another policy's rules are announced.
 */
const char *rule_names_announced_at(const struct rule_names *names, size_t index);
/* True when the name has a number. */
bool rule_names_has(const struct rule_names *names, const char *text);
/* Returns NULL when the number has no name yet. The text lives as long as the table. */
const char *rule_names_at(const struct rule_names *names, size_t number);
/* Returns the same, or `other` for names without a number of their own. `names` may be NULL. */
const char *rule_names_or_other(const struct rule_names *names, size_t number);

#endif
