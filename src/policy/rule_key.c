/* Names are their own keys, and a host also has those of its suffixes. An address has one key for
 * each length of block that the configuration uses. A range of ports is split into at most 30
 * blocks, so that any number of overlapping ranges stays small.
 */
#include "policy/rule_key.h"

#include "policy/name_key.h"
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy_private.h"
#include "policy/special_address.h"

#include <string.h>

enum { WORD_BITS = 64 };

/* The four kinds of value that may match an address, each once for the client and once for the
 * target. */
struct address_domains {
    enum key_domain block, loopback, private, special;
};
static const struct address_domains client_domains = {KEY_CLIENT, KEY_CLIENT_LOOPBACK,
                                                      KEY_CLIENT_PRIVATE, KEY_DOMAIN_COUNT};
static const struct address_domains target_domains = {KEY_TARGET, KEY_TARGET_LOOPBACK,
                                                      KEY_TARGET_PRIVATE, KEY_TARGET_SPECIAL};

static const unsigned rule_key_address_kinds =
    1u << POLICY_VALUE_NETWORK | 1u << POLICY_VALUE_LOOPBACK | 1u << POLICY_VALUE_PRIVATE |
    1u << POLICY_VALUE_SPECIAL;

/* -- hashes: the finaliser of MurmurHash3, without a secret seed, as in name_key.c */

static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ bits >> 33) * 0xff51afd7ed558ccd;
    bits = (bits ^ bits >> 33) * 0xc4ceb9fe1a85ec53;
    return bits ^ bits >> 33;
}

uint32_t rule_key_hash(enum key_domain domain, uint32_t hash)
{
    return hash ^ (uint32_t)domain * 0x9e3779b1u;
}

uint32_t set_key_hash(size_t set)
{
    return (uint32_t)mix(~(uint64_t)set);
}

static uint32_t hash_block(const struct block *block)
{
    uint64_t kind = (uint64_t)block->space << 8 | block->length;

    return (uint32_t)mix(block->high ^ mix(block->low ^ mix(kind)));
}

static uint32_t hash_endpoint(const struct ip_endpoint *endpoint)
{
    uint64_t halves[2];

    memcpy(halves, endpoint->address.bytes, sizeof(halves));
    return (uint32_t)mix(halves[0] ^ mix(halves[1] ^ mix(endpoint->port)));
}

/* A name in which a label is `*` is found by the labels behind the last `*`. */
static uint32_t hash_host(const char *name, size_t length, bool is_suffix)
{
    size_t tail = name_key_tail(name, length);

    return name_key_hash(name + tail, length - tail, is_suffix || tail > 0);
}

/* -- blocks */

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word = 0;

    for (size_t i = 0; i < sizeof(word); i++)
        word = word << 8 | bytes[i];
    return word;
}

static struct block block_of(const struct ip_network *network)
{
    const uint8_t *bytes = network->address.bytes;

    return (struct block){.space = network->address.family == IP_V4 ? BLOCK_V4 : BLOCK_V6,
                          .length = network->prefix_length,
                          .high = word_at(bytes),
                          .low = word_at(bytes + 8)};
}

/* Returns the mask of the first `length` bits of a word: no bit when `length` is 0 or less, and all
 * bits when it is 64 or more. */
static uint64_t first_bits(uint64_t word, int length)
{
    if (length <= 0)
        return 0;
    return length >= WORD_BITS ? word : word & ~(UINT64_MAX >> length);
}

/* Returns the block of that length that contains `whole`. */
static struct block shortened(const struct block *whole, unsigned length)
{
    return (struct block){.space = whole->space,
                          .length = (uint8_t)length,
                          .high = first_bits(whole->high, (int)length),
                          .low = first_bits(whole->low, (int)length - WORD_BITS)};
}

void key_use_add(struct key_use *use, const struct rule_key *key)
{
    use->domains |= 1u << key->domain;
    if (key->block)
        use->lengths[key->block->space][key->block->length / WORD_BITS] |=
            1ull << key->block->length % WORD_BITS;
}

/* -- visits */

struct visit {
    key_visitor *see;
    void *self;
};

static void see(const struct visit *visit, enum key_domain domain, uint32_t hash)
{
    visit->see(visit->self, &(struct rule_key){.domain = domain, .hash = hash});
}

static void see_block(const struct visit *visit, enum key_domain domain, const struct block *block)
{
    visit->see(visit->self,
               &(struct rule_key){.domain = domain, .hash = hash_block(block), .block = block});
}

/* Splits the range into aligned blocks from the first port on, each as long as it can be. */
static void see_ports(const struct visit *visit, uint32_t first, uint32_t last)
{
    while (first <= last) {
        uint32_t size = 1;
        uint8_t length = 16;

        for (; first % (size * 2) == 0 && first + size * 2 - 1 <= last && length > 0; length--)
            size *= 2;
        see_block(
            visit, KEY_PORT,
            &(struct block){.space = BLOCK_PORT, .length = length, .high = (uint64_t)first << 48});
        first += size;
    }
}

/* -- of lists and groups */

static void see_name(void *self, const char *name, size_t length, bool is_suffix)
{
    see(self, KEY_HOST, hash_host(name, length, is_suffix));
}

static void see_network(void *self, const struct ip_network *network)
{
    struct block block = block_of(network);

    see_block(self, KEY_TARGET, &block);
}

void set_keys_visit(const struct policy_source *source, size_t set, key_visitor *visitor,
                    void *self)
{
    struct visit visit = {visitor, self};

    if (set >= source->list_count) {
        const struct policy_group *group = &source->groups[set - source->list_count];

        for (size_t i = 0; i < group->user_count; i++)
            see(&visit, KEY_USER, name_key_hash(group->users[i], strlen(group->users[i]), false));
        return;
    }
    const struct policy_list *list = &source->lists[set];
    if (list->names)
        name_set_visit(list->names, see_name, &visit);
    if (list->networks)
        network_set_visit(list->networks, see_network, &visit);
}

/* -- of conditions */

bool condition_has_keys(const struct policy_condition *condition)
{
    static const bool has_keys[POLICY_CONDITION_COUNT] = {
        [POLICY_FROM] = true,    [POLICY_USER] = true, [POLICY_TO] = true,
        [POLICY_ADDRESS] = true, [POLICY_PORT] = true, [POLICY_LISTENER] = true,
    };

    if (condition->is_negated || !has_keys[condition->kind])
        return false;
    for (size_t i = 0; i < condition->value_count; i++) {
        if (condition->values[i].kind == POLICY_VALUE_ANY)
            return false;
    }
    return true;
}

bool condition_is_about_address(const struct policy_source *source,
                                const struct policy_condition *condition)
{
    if (condition->kind != POLICY_TO && condition->kind != POLICY_ADDRESS)
        return false;
    for (size_t i = 0; i < condition->value_count; i++) {
        const struct policy_value *value = &condition->values[i];
        bool is_address = value->kind == POLICY_VALUE_LIST
                              ? source->lists[value->index].networks != NULL
                              : rule_key_address_kinds >> value->kind & 1;
        if (is_address)
            return true;
    }
    return false;
}

static void see_address(const struct visit *visit, const struct address_domains *domains,
                        const struct policy_value *value)
{
    struct block block;

    switch (value->kind) {
    case POLICY_VALUE_NETWORK:
        block = block_of(&value->network);
        see_block(visit, domains->block, &block);
        break;
    case POLICY_VALUE_LOOPBACK:
        see(visit, domains->loopback, 0);
        break;
    case POLICY_VALUE_PRIVATE:
        see(visit, domains->private, 0);
        break;
    case POLICY_VALUE_SPECIAL:
        see(visit, domains->special, 0);
        break;
    case POLICY_VALUE_LIST:
        see(visit, domains->block, set_key_hash(value->index));
        break;
    default:
        break;
    }
}

static void see_host(const struct visit *visit, const struct policy_value *value)
{
    if (value->kind == POLICY_VALUE_LIST)
        see(visit, KEY_HOST, set_key_hash(value->index));
    else if (value->kind == POLICY_VALUE_NAME || value->kind == POLICY_VALUE_SUFFIX)
        see(visit, KEY_HOST,
            hash_host(value->text, strlen(value->text), value->kind == POLICY_VALUE_SUFFIX));
}

static void see_user(const struct visit *visit, const struct policy_source *source,
                     const struct policy_value *value)
{
    see(visit, KEY_NO_USER, 0);
    if (value->kind == POLICY_VALUE_GROUP)
        see(visit, KEY_USER, set_key_hash(source->list_count + value->index));
    else
        see(visit, KEY_USER, name_key_hash(value->text, strlen(value->text), false));
}

void condition_keys_visit(const struct policy_source *source,
                          const struct policy_condition *condition, bool has_address,
                          key_visitor *visitor, void *self)
{
    struct visit visit = {visitor, self};

    for (size_t i = 0; i < condition->value_count; i++) {
        const struct policy_value *value = &condition->values[i];

        if (condition->kind == POLICY_FROM)
            see_address(&visit, &client_domains, value);
        else if (condition->kind == POLICY_USER)
            see_user(&visit, source, value);
        else if (condition->kind == POLICY_PORT)
            see_ports(&visit, value->ports.first, value->ports.last);
        else if (condition->kind == POLICY_LISTENER)
            see(&visit, KEY_LISTENER, hash_endpoint(&value->listener));
        if (condition->kind == POLICY_TO)
            see_host(&visit, value);
        if (has_address && (condition->kind == POLICY_TO || condition->kind == POLICY_ADDRESS))
            see_address(&visit, &target_domains, value);
    }
}

/* -- of facts */

static bool uses(const struct key_use *use, enum key_domain domain)
{
    return use->domains >> domain & 1;
}

/* Visits the key of the whole block and those of the shorter ones that contain it. */
static void see_blocks(const struct visit *visit, const struct key_use *use, enum key_domain domain,
                       const struct block *whole)
{
    const uint64_t *lengths = use->lengths[whole->space];

    for (unsigned word = 0; word < ARRAY_LENGTH(use->lengths[0]); word++) {
        for (uint64_t bits = lengths[word]; bits != 0; bits &= bits - 1) {
            unsigned length = word * WORD_BITS + (unsigned)__builtin_ctzll(bits);
            struct block block = shortened(whole, length);

            see_block(visit, domain, &block);
        }
    }
}

static void see_own_address(const struct visit *visit, const struct key_use *use,
                            const struct address_domains *domains, const struct ip_address *address)
{
    if (uses(use, domains->block)) {
        const struct ip_network network = {*address, address->family == IP_V4 ? 32 : 128};
        struct block whole = block_of(&network);

        see_blocks(visit, use, domains->block, &whole);
    }
    if (uses(use, domains->loopback) && ip_address_is_loopback(address))
        see(visit, domains->loopback, 0);
    if (uses(use, domains->private) && special_address_is_private(address))
        see(visit, domains->private, 0);
}

static void see_own_host(const struct visit *visit, const struct name_key *host)
{
    see(visit, KEY_HOST, host->hash);
    for (size_t i = 0; i < host->suffix_count; i++)
        see(visit, KEY_HOST, host->suffixes[i].hash);
}

static void see_own_user(const struct visit *visit, const struct evaluation *evaluation)
{
    const char *user = evaluation->facts->user;

    if (user)
        see(visit, KEY_USER, name_key_hash(user, strlen(user), false));
    else if (evaluation_lacks_user(evaluation))
        see(visit, KEY_NO_USER, 0);
}

void fact_keys_visit(const struct evaluation *evaluation, const struct key_use *use,
                     key_visitor *visitor, void *self)
{
    struct visit visit = {visitor, self};
    const struct policy_facts *facts = evaluation->facts;

    see(&visit, KEY_EVERY, 0);
    if (facts->host && uses(use, KEY_HOST))
        see_own_host(&visit, &evaluation->host);
    if (facts->client)
        see_own_address(&visit, use, &client_domains, facts->client);
    for (size_t i = 0; i < evaluation->address_count; i++)
        see_own_address(&visit, use, &target_domains, &evaluation->addresses[i]);
    if (evaluation->is_special)
        see(&visit, KEY_TARGET_SPECIAL, 0);
    if (uses(use, KEY_PORT)) {
        const struct block port = {
            .space = BLOCK_PORT, .length = 16, .high = (uint64_t)facts->port << 48};

        see_blocks(&visit, use, KEY_PORT, &port);
    }
    if (facts->listener && uses(use, KEY_LISTENER))
        see(&visit, KEY_LISTENER, hash_endpoint(facts->listener));
    if (uses(use, KEY_USER))
        see_own_user(&visit, evaluation);
}
