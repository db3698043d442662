/* Keys: a rule is found by those of a condition, an evaluation by those of its facts; where a
 * condition matches, they share one. Private to policy/.
 */
#ifndef POLICY_RULE_KEY_H
#define POLICY_RULE_KEY_H

#include "base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evaluation;
struct policy_condition;
struct policy_source;

enum key_domain {
    KEY_EVERY, /* every evaluation has it, and every rule that nothing else finds */
    KEY_HOST,
    KEY_CLIENT,
    KEY_CLIENT_LOOPBACK,
    KEY_CLIENT_PRIVATE,
    KEY_TARGET,
    KEY_TARGET_LOOPBACK,
    KEY_TARGET_PRIVATE,
    KEY_TARGET_SPECIAL,
    KEY_PORT,
    KEY_LISTENER,
    KEY_USER,
    KEY_NO_USER, /* none came, and one could */
    KEY_DOMAIN_COUNT,
};

/* What has blocks, and so many lengths of them. */
enum block_space { BLOCK_V4, BLOCK_V6, BLOCK_PORT, BLOCK_SPACE_COUNT };

/* A CIDR block of addresses or ports; bits count from the left, those behind the length are 0. */
struct block {
    enum block_space space;
    uint8_t length;
    uint64_t high, low;
};

struct rule_key {
    enum key_domain domain;
    uint32_t hash;             /* of the value alone; two keys may share it */
    const struct block *block; /* NULL: it is not about one. Lives during the call */
};

typedef void key_visitor(void *self, const struct rule_key *key);

/* What there is of keys: an evaluation looks for no others. */
struct key_use {
    uint32_t domains;                       /* a bit each */
    uint64_t lengths[BLOCK_SPACE_COUNT][3]; /* a bit for each length of 0-128 */
};
void key_use_add(struct key_use *use, const struct rule_key *key);

/* Lists and groups are sets with a number, lists first; what they have is expanded once, whatever
 * number of rules name them. */
uint32_t set_key_hash(size_t set);
void set_keys_visit(const struct policy_source *source, size_t set, key_visitor *visitor,
                    void *self);

/* The hash to be stored for a key: domains apart. */
uint32_t rule_key_hash(enum key_domain domain, uint32_t hash);

/* Whether the condition is false or unknown for all that have none of its keys; unknown only for
 * want of the address. */
bool condition_has_keys(const struct policy_condition *condition);
/* Whether an address can make the condition true. */
bool condition_is_about_address(const struct policy_source *source,
                                const struct policy_condition *condition);
/* `has_address` false: without the keys that only an address has. */
void condition_keys_visit(const struct policy_source *source,
                          const struct policy_condition *condition, bool has_address,
                          key_visitor *visitor, void *self);
/* All keys that the facts have and that are in `use`. */
void fact_keys_visit(const struct evaluation *evaluation, const struct key_use *use,
                     key_visitor *visitor, void *self);

#endif
