/* Keys connect rules with evaluations. A rule is filed under the keys of one of its conditions, and
 * an evaluation looks up the keys of its facts; where the condition matches, they have a key in
 * common. Private to policy/.
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
    KEY_EVERY, /* every evaluation has this key, and so does every rule that no other key can find
                */
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
    KEY_NO_USER, /* no credentials came, although there are users */
    KEY_DOMAIN_COUNT,
};

/* The kinds of number that are divided into blocks, each with its own range of block lengths. */
enum block_space { BLOCK_V4, BLOCK_V6, BLOCK_PORT, BLOCK_SPACE_COUNT };

/* A CIDR block of addresses or ports. Bits count from the left; those behind the length are 0. */
struct block {
    enum block_space space;
    uint8_t length;
    uint64_t high, low;
};

struct rule_key {
    enum key_domain domain;
    uint32_t hash; /* hash of the value without its domain; two keys may have the same */
    const struct block *block; /* NULL: the key is not about a block. Valid only during the call */
};

typedef void key_visitor(void *self, const struct rule_key *key);

/* Which keys the rules have at all. An evaluation looks up no others. */
struct key_use {
    uint32_t domains;                       /* a bit each */
    uint64_t lengths[BLOCK_SPACE_COUNT][3]; /* a bit for each length of 0-128 */
};
void key_use_add(struct key_use *use, const struct rule_key *key);

/* Lists and groups together are called sets and have a number, lists first. The keys of their
 * entries are visited once, however many rules name them. */
uint32_t set_key_hash(size_t set);
void set_keys_visit(const struct policy_source *source, size_t set, key_visitor *visitor,
                    void *self);

/* Returns the hash that is stored for a key: the same value has another hash in each domain. */
uint32_t rule_key_hash(enum key_domain domain, uint32_t hash);

/* True when the condition is false or unknown for all facts that have none of its keys. It is
 * unknown only while the address is missing. */
bool condition_has_keys(const struct policy_condition *condition);
/* True when an address can make the condition true. */
bool condition_is_about_address(const struct policy_source *source,
                                const struct policy_condition *condition);
/* Visits the keys of the condition. With `has_address` false, the keys that only an address has are
 * left out. */
void condition_keys_visit(const struct policy_source *source,
                          const struct policy_condition *condition, bool has_address,
                          key_visitor *visitor, void *self);
/* Visits all keys that the facts have and that are in `use`. */
void fact_keys_visit(const struct evaluation *evaluation, const struct key_use *use,
                     key_visitor *visitor, void *self);

#endif
