/* Random policies and facts: the compiled engine against a naive evaluator that reads the source
 * rule by rule, value by value. Bytes choose among few words, so that rules match often. A crowded
 * world has many rules, with blocks, ports and lists in a small space of its own; few of them
 * decide, so that the index is put to work. Its bytes do not end.
 * test/unit/policy/test_policy_random.c runs the same with bytes of its own.
 */
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy.h"
#include "policy/special_address.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES_MAX = 8, CONDITIONS_MAX = 3, VALUES_MAX = 3, LIST_COUNT = 3, LIST_ENTRIES = 3 };
enum { CROWD_RULES_MAX = 120, CROWD_FACTS = 24, CROWD_LISTS = 12, CROWD_BYTES = 16 };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* -- words */

static const char *const names[] = {"a.example", "b.a.example", "example",
                                    "c.test",    "x.c.test",    "y.x.c.test"};
static const char *const patterns[] = {"*.example", "b.*.example", "x.*.test", "*.x.*.test"};
static const char *const suffixes[] = {"example", "a.example", "test",     "c.test",
                                       "*.test",  "*.c.test",  "x.*.test", "a.*.*.test"};
static const char *const users[] = {"alice", "bob", "a.example", "*.example"};
static const char *const words[] = {"tls", "ssh", "unknown"};

/* Blocks, and whether they lie wholly in special-purpose space. */
static const struct {
    struct ip_network network;
    bool is_special;
} blocks[] = {
    {{{IP_V4, {10, 1}}, 16}, true},
    {{{IP_V4, {8}}, 6}, false},
    {{{IP_V4, {0}}, 0}, false},
    {{{IP_V4, {224}}, 3}, true},
    {{{IP_V4, {127, 0, 0, 1}}, 32}, true},
    {{{IP_V4, {1, 1, 1, 1}}, 32}, false},
    {{{IP_V4, {1, 1}}, 16}, false},
    {{{IP_V6, {0x26}}, 8}, false},
    {{{IP_V6, {0}}, 0}, false},
    {{{IP_V6, {0xfd}}, 8}, true},
    {{{IP_V6, {0, 0x64, 0xff, 0x9b}}, 96}, false},
    {{{IP_V6, {0, 0x64, 0xff, 0x9b, [12] = 10}}, 104}, true},
};

static const struct ip_address addresses[] = {
    {IP_V4, {10, 1, 0, 1}},
    {IP_V4, {10, 2, 0, 1}},
    {IP_V4, {127, 0, 0, 1}},
    {IP_V4, {169, 254, 169, 254}},
    {IP_V4, {1, 1, 1, 1}},
    {IP_V4, {1, 1, 2, 2}},
    {IP_V4, {240, 0, 0, 1}},
    {IP_V6, {0x26, 1}},
    {IP_V6, {0xfd, 1}},
    {IP_V6, {[15] = 1}},
    {IP_V6, {0, 0x64, 0xff, 0x9b, [12] = 10, 1, 0, 1}},
    {IP_V6, {0, 0x64, 0xff, 0x9b, [12] = 1, 1, 1, 1}},
};

static const struct ip_endpoint listeners[] = {{{IP_V4, {127, 0, 0, 1}}, 443},
                                               {{IP_V4, {1, 1, 1, 1}}, 8080}};
static const uint16_t ports[] = {22, 443, 8080};
static const char *const group_users[] = {"alice", "bob"};
static const struct policy_group groups[] = {{"ops", group_users, 2}};

/* -- bytes to policies */

struct input {
    const uint8_t *bytes;
    size_t left;
    uint64_t random;
    bool is_endless;
};

static size_t choose(struct input *input, size_t count)
{
    if (input->is_endless) {
        input->random ^= input->random << 13;
        input->random ^= input->random >> 7;
        input->random ^= input->random << 17;
        return (input->random >> 32) % count;
    }
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++ % count;
}

#define CHOOSE(input, array) ((array)[choose(input, ARRAY_LENGTH(array))])

/* Of a small space of nested blocks: 10.x.y.z, 20.x.y.z, fd00::x:y:z, 2600::x:y:z
 * with digits of 0-3. */
static struct ip_address make_crowded_address(struct input *input)
{
    static const struct ip_address spaces[] = {
        {IP_V4, {10}}, {IP_V4, {20}}, {IP_V6, {0xfd}}, {IP_V6, {0x26}}};
    struct ip_address address = CHOOSE(input, spaces);
    size_t last = address.family == IP_V4 ? 3 : 15;
    for (size_t i = last - 2; i <= last; i++)
        address.bytes[i] = (uint8_t)choose(input, 4);
    return address;
}

static struct ip_address make_address(struct input *input)
{
    if (!input->is_endless || choose(input, 4) == 0)
        return CHOOSE(input, addresses);
    return make_crowded_address(input);
}

static struct ip_network make_network(struct input *input)
{
    struct ip_network network = CHOOSE(input, blocks).network;

    if (!input->is_endless || choose(input, 4) == 0)
        return network;
    network.address = make_crowded_address(input);
    network.prefix_length = network.address.family == IP_V4 ? 32 : 128;
    network.prefix_length -= (uint8_t)choose(input, 25);
    for (size_t bit = network.prefix_length; bit < 128; bit++)
        network.address.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    return network;
}

static uint16_t make_port(struct input *input)
{
    return input->is_endless && choose(input, 4) > 0 ? (uint16_t)choose(input, 128)
                                                     : CHOOSE(input, ports);
}

static size_t list_count(const struct input *input)
{
    return input->is_endless ? CROWD_LISTS : LIST_COUNT;
}

/* A list as the engine has it, and as values. */
struct list {
    struct name_set *names;
    struct network_set *networks;
    struct policy_value values[LIST_ENTRIES];
};

struct world {
    struct policy_source source;
    struct policy_rule_source rules[CROWD_RULES_MAX];
    struct policy_condition conditions[CROWD_RULES_MAX][CONDITIONS_MAX];
    struct policy_value values[CROWD_RULES_MAX][CONDITIONS_MAX][VALUES_MAX];
    struct policy_list lists[CROWD_LISTS];
    struct list list_values[CROWD_LISTS];
    size_t list_count;
};

static struct policy_value make_name(struct input *input)
{
    return (struct policy_value){.kind = POLICY_VALUE_NAME,
                                 .text = choose(input, 3) > 0 ? CHOOSE(input, names)
                                                              : CHOOSE(input, patterns)};
}

static struct policy_value make_list_value(struct input *input)
{
    size_t kind = choose(input, 3);

    if (kind == 0)
        return make_name(input);
    if (kind == 1)
        return (struct policy_value){.kind = POLICY_VALUE_SUFFIX, .text = CHOOSE(input, suffixes)};
    return (struct policy_value){.kind = POLICY_VALUE_NETWORK, .network = make_network(input)};
}

static void make_list(struct input *input, struct list *list, struct policy_list *made)
{
    CHECK(name_set_create(&list->names) == 0 && network_set_create(&list->networks) == 0);
    for (size_t i = 0; i < LIST_ENTRIES; i++) {
        struct policy_value *value = &list->values[i];
        *value = make_list_value(input);
        if (value->kind == POLICY_VALUE_NETWORK)
            CHECK(network_set_add(list->networks, &value->network) == 0);
        else
            CHECK(name_set_add_host(list->names, value->text, strlen(value->text),
                                    value->kind == POLICY_VALUE_SUFFIX) == 0);
    }
    *made = (struct policy_list){.names = name_set_count(list->names) > 0 ? list->names : NULL,
                                 .networks =
                                     network_set_count(list->networks) > 0 ? list->networks : NULL};
}

static struct policy_value make_target(struct input *input, enum policy_condition_kind condition)
{
    static const enum policy_value_kind kinds[] = {POLICY_VALUE_ANY, POLICY_VALUE_SPECIAL,
                                                   POLICY_VALUE_PRIVATE, POLICY_VALUE_LOOPBACK};
    size_t kind = choose(input, 8);

    if (kind < 4) {
        enum policy_value_kind word = kinds[kind];
        bool is_wrong = (word == POLICY_VALUE_ANY && condition == POLICY_ADDRESS) ||
                        (word == POLICY_VALUE_SPECIAL && condition == POLICY_FROM);
        return (struct policy_value){.kind = is_wrong ? POLICY_VALUE_PRIVATE : word};
    }
    if (kind == 4)
        return (struct policy_value){.kind = POLICY_VALUE_LIST,
                                     .index = choose(input, list_count(input))};
    if (condition == POLICY_TO && kind == 5)
        return make_name(input);
    if (condition == POLICY_TO && kind == 6)
        return (struct policy_value){.kind = POLICY_VALUE_SUFFIX, .text = CHOOSE(input, suffixes)};
    return (struct policy_value){.kind = POLICY_VALUE_NETWORK, .network = make_network(input)};
}

static struct policy_value make_user(struct input *input)
{
    size_t kind = choose(input, 3);

    if (kind == 0)
        return (struct policy_value){.kind = POLICY_VALUE_ANY};
    if (kind == 1)
        return (struct policy_value){.kind = POLICY_VALUE_GROUP};
    return (struct policy_value){.kind = POLICY_VALUE_USER, .text = CHOOSE(input, users)};
}

static struct policy_value make_value(struct input *input, enum policy_condition_kind condition)
{
    struct policy_value value = {.kind = POLICY_VALUE_WORD};

    switch (condition) {
    case POLICY_USER:
        return make_user(input);
    case POLICY_PORT:
        value.kind = POLICY_VALUE_PORTS;
        value.ports.first = make_port(input);
        value.ports.last = (uint16_t)(value.ports.first + choose(input, 2) * choose(input, 501));
        return value;
    case POLICY_LISTENER:
        value.kind = POLICY_VALUE_LISTENER;
        value.listener = CHOOSE(input, listeners);
        return value;
    case POLICY_TIME:
        value.kind = POLICY_VALUE_TIME;
        value.time.days = (uint8_t)choose(input, 128);
        value.time.first_minute = (uint16_t)(choose(input, 6) * 240);
        value.time.end_minute = (uint16_t)(choose(input, 7) * 240);
        return value;
    case POLICY_SNI:
        value = make_list_value(input);
        if (value.kind == POLICY_VALUE_NETWORK)
            value = (struct policy_value){.kind = POLICY_VALUE_LIST,
                                          .index = choose(input, list_count(input))};
        return value;
    case POLICY_PROTOCOL:
    case POLICY_JA4:
        value.text = CHOOSE(input, words);
        return value;
    default:
        return make_target(input, condition);
    }
}

static void make_rule(struct input *input, struct world *world, size_t at)
{
    struct policy_rule_source *rule = &world->rules[at];

    size_t kind = choose(input, 6);
    rule->is_allow = kind % 2;
    rule->is_report = kind > 3 || (input->is_endless && choose(input, 4) > 0);
    rule->name = rule->place = "a rule";
    rule->conditions = world->conditions[at];
    rule->condition_count = choose(input, CONDITIONS_MAX + 1);
    if (input->is_endless && rule->condition_count < 2)
        rule->condition_count++;
    for (size_t c = 0; c < rule->condition_count; c++) {
        struct policy_condition *condition = &world->conditions[at][c];
        size_t choice = choose(input, POLICY_CONDITION_COUNT * 2);
        condition->kind = choice < POLICY_CONDITION_COUNT ? (enum policy_condition_kind)choice
                                                          : POLICY_TO; /* half of all */
        condition->is_negated = choose(input, 4) == 3;
        condition->values = world->values[at][c];
        condition->value_count = 1 + choose(input, VALUES_MAX);
        for (size_t v = 0; v < condition->value_count; v++)
            world->values[at][c][v] = make_value(input, condition->kind);
    }
}

static void make_world(struct input *input, struct world *world)
{
    size_t rules_max = input->is_endless ? CROWD_RULES_MAX : RULES_MAX;

    memset(world, 0, sizeof(*world));
    world->list_count = list_count(input);
    for (size_t i = 0; i < world->list_count; i++)
        make_list(input, &world->list_values[i], &world->lists[i]);
    world->source = (struct policy_source){.rules = world->rules,
                                           .rule_count = choose(input, rules_max + 1),
                                           .lists = world->lists,
                                           .list_count = world->list_count,
                                           .groups = groups,
                                           .group_count = 1,
                                           .has_users = choose(input, 2)};
    for (size_t i = 0; i < world->source.rule_count; i++)
        make_rule(input, world, i);
}

static void make_facts(struct input *input, struct policy_facts *facts)
{
    size_t user = choose(input, ARRAY_LENGTH(users) + 1);
    size_t name = choose(input, ARRAY_LENGTH(names) + 1);
    size_t inside = choose(input, 8);

    memset(facts, 0, sizeof(*facts));
    static struct ip_address client;
    static struct ip_address target;
    client = make_address(input);
    target = make_address(input);
    facts->client = &client;
    facts->user = user > 0 ? users[user - 1] : NULL;
    facts->listener = &CHOOSE(input, listeners);
    facts->weekday = (uint8_t)choose(input, 7);
    facts->minute = (uint16_t)(choose(input, 24) * 60);
    facts->host = name > 0 ? names[name - 1] : NULL;
    facts->host_length = name > 0 ? strlen(facts->host) : 0;
    facts->port = make_port(input);
    if (name == 0 || choose(input, 2))
        facts->address = &target;
    facts->is_inside_known = inside >= 4;
    facts->protocol = inside & 1 ? CHOOSE(input, words) : NULL;
    facts->sni = inside & 2 ? CHOOSE(input, names) : NULL;
    facts->ja4 = inside & 2 ? CHOOSE(input, words) : NULL;
}

/* -- the naive evaluator: 0 false, 1 unknown, 2 true */

/* Label by label, where one that is `*` is any. */
static bool is_like(const char *name, const char *pattern)
{
    while (*name || *pattern) {
        size_t own = strcspn(name, ".");
        size_t wanted = strcspn(pattern, ".");
        bool is_any = wanted == 1 && *pattern == '*' && own > 0;
        if (!is_any && (own != wanted || strncmp(name, pattern, own) != 0))
            return false;
        if (name[own] != pattern[wanted])
            return false;
        name += own + (name[own] == '.');
        pattern += wanted + (pattern[wanted] == '.');
    }
    return true;
}

static bool is_under(const char *name, const char *suffix)
{
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        if (is_like(dot + 1, suffix))
            return true;
    }
    return false;
}

static bool has_client(const struct policy_value *value, const struct ip_address *address)
{
    switch (value->kind) {
    case POLICY_VALUE_LOOPBACK:
        return ip_address_is_loopback(address);
    case POLICY_VALUE_PRIVATE:
        return special_address_is_private(address);
    case POLICY_VALUE_SPECIAL:
        return special_address_contains(address);
    case POLICY_VALUE_NETWORK:
        return ip_network_contains(&value->network, address);
    default:
        return false;
    }
}

/* A target behind NAT64 is what it stands for, too. */
static bool has_address(const struct policy_value *value, const struct ip_address *address)
{
    struct ip_address inner;

    return has_client(value, address) ||
           (special_address_from_nat64(address, &inner) && has_client(value, &inner));
}

static int of_target(const struct policy_value *value, const char *name,
                     const struct ip_address *address)
{
    if (value->kind == POLICY_VALUE_NAME)
        return name && is_like(name, value->text) ? 2 : 0;
    if (value->kind == POLICY_VALUE_SUFFIX)
        return name && is_under(name, value->text) ? 2 : 0;
    return !address ? 1 : has_address(value, address) ? 2 : 0;
}

static bool of_time(const struct policy_value *value, const struct policy_facts *facts)
{
    for (unsigned day = 0; day < 7; day++) { /* all minutes of the week that the value has */
        unsigned first = value->time.first_minute;
        unsigned end = value->time.end_minute > first ? value->time.end_minute
                                                      : value->time.end_minute + 1440u;
        for (unsigned at = first; value->time.days >> day & 1 && at < end; at += 60) {
            if ((day * 1440 + at) % 10080 == facts->weekday * 1440u + facts->minute)
                return true;
        }
    }
    return false;
}

static int of_text(const struct policy_value *value, const char *text, bool is_known)
{
    return !text ? !is_known : strcmp(text, value->text) == 0 ? 2 : 0;
}

static int of_user(const struct world *world, const struct policy_value *value, const char *user)
{
    if (!user)
        return world->source.has_users ? 1 : 0;
    if (value->kind == POLICY_VALUE_GROUP)
        return strcmp(user, "alice") == 0 || strcmp(user, "bob") == 0 ? 2 : 0;
    return value->kind == POLICY_VALUE_ANY || strcmp(user, value->text) == 0 ? 2 : 0;
}

static int naive_value(const struct world *world, enum policy_condition_kind kind,
                       const struct policy_value *value, const struct policy_facts *facts)
{
    if (kind == POLICY_USER)
        return of_user(world, value, facts->user);
    if (value->kind == POLICY_VALUE_ANY)
        return 2;
    switch (kind) {
    case POLICY_FROM:
        return has_client(value, facts->client) ? 2 : 0;
    case POLICY_TO:
        return of_target(value, facts->host, facts->address);
    case POLICY_ADDRESS:
        return of_target(value, NULL, facts->address);
    case POLICY_PORT:
        return facts->port >= value->ports.first && facts->port <= value->ports.last ? 2 : 0;
    case POLICY_LISTENER:
        return value->listener.port == facts->listener->port ? 2 : 0;
    case POLICY_TIME:
        return of_time(value, facts) ? 2 : 0;
    case POLICY_SNI:
        if (!facts->sni)
            return !facts->is_inside_known;
        return value->kind == POLICY_VALUE_NETWORK ? 0 : of_target(value, facts->sni, NULL);
    default:
        return of_text(value, kind == POLICY_PROTOCOL ? facts->protocol : facts->ja4,
                       facts->is_inside_known);
    }
}

/* True when the value is about special-purpose space and has the address. */
static bool names_special(const struct policy_value *value, const struct ip_address *address)
{
    bool is_special = value->kind == POLICY_VALUE_SPECIAL || value->kind == POLICY_VALUE_PRIVATE ||
                      value->kind == POLICY_VALUE_LOOPBACK;

    for (size_t i = 0; value->kind == POLICY_VALUE_NETWORK && i < ARRAY_LENGTH(blocks); i++) {
        if (memcmp(&blocks[i].network, &value->network, sizeof(value->network)) == 0)
            return blocks[i].is_special && has_address(value, address);
    }
    if (value->kind == POLICY_VALUE_NETWORK) /* of the small space */
        is_special = value->network.prefix_length >= 8 && (value->network.address.bytes[0] == 10 ||
                                                           value->network.address.bytes[0] == 0xfd);
    return is_special && has_address(value, address);
}

static int naive_condition(const struct world *world, const struct policy_condition *condition,
                           const struct policy_facts *facts, bool *is_reaching)
{
    bool is_target = condition->kind == POLICY_TO || condition->kind == POLICY_ADDRESS;
    int truth = 0;

    for (size_t v = 0; v < condition->value_count; v++) {
        const struct policy_value *values = &condition->values[v];
        size_t count = 1;
        if (values->kind == POLICY_VALUE_LIST) {
            values = world->list_values[values->index].values;
            count = LIST_ENTRIES;
        }
        for (size_t i = 0; i < count; i++) {
            int one = naive_value(world, condition->kind, &values[i], facts);
            truth = one > truth ? one : truth;
            if (is_target && !condition->is_negated && facts->address)
                *is_reaching |= names_special(&values[i], facts->address);
        }
    }
    return condition->is_negated ? 2 - truth : truth;
}

static bool is_naive_loop(const struct policy_facts *facts)
{
    for (size_t i = 0; i < ARRAY_LENGTH(listeners); i++) {
        if (facts->address && facts->port == listeners[i].port &&
            ip_address_equals(facts->address, &listeners[i].address))
            return true;
    }
    return false;
}

static void say(struct verdict *verdict, enum policy_action action, enum policy_reason reason,
                uint32_t rule)
{
    verdict->action = action;
    verdict->reason = reason;
    verdict->rule_index = rule;
}

static void naive_end(struct verdict *verdict, uint32_t possible, uint32_t too_short)
{
    if (possible != POLICY_NO_RULE)
        say(verdict, POLICY_CONTINUE, POLICY_RULE, possible);
    else if (too_short != POLICY_NO_RULE)
        say(verdict, POLICY_DENY, POLICY_SPECIAL, too_short);
    else
        say(verdict, POLICY_DENY, POLICY_DEFAULT, POLICY_NO_RULE);
}

static void naive_evaluate(const struct world *world, const struct policy_facts *facts,
                           struct verdict *verdict)
{
    uint32_t possible = POLICY_NO_RULE;
    uint32_t too_short = POLICY_NO_RULE;
    bool is_unsure = !facts->address;

    verdict->report_count = 0;
    say(verdict, POLICY_DENY, POLICY_LOOP, POLICY_NO_RULE);
    for (uint32_t i = 0; !is_naive_loop(facts) && i <= world->source.rule_count; i++) {
        const struct policy_rule_source *rule = &world->rules[i];
        bool is_reaching = !facts->address || !special_address_contains(facts->address);
        bool is_asking = false;
        int truth = 2;

        if (i == world->source.rule_count) {
            naive_end(verdict, possible, too_short);
            return;
        }
        for (size_t c = 0; c < rule->condition_count; c++) {
            int one = naive_condition(world, &rule->conditions[c], facts, &is_reaching);
            is_asking |= one == 1 && rule->conditions[c].kind == POLICY_USER;
            truth = one < truth ? one : truth;
        }
        if (truth == 0)
            continue;
        if (rule->is_allow && !is_reaching) {
            too_short = too_short == POLICY_NO_RULE && !rule->is_report ? i : too_short;
        } else if (rule->is_report) {
            if (truth == 2 && verdict->report_count < POLICY_REPORTS_MAX)
                verdict->reports[verdict->report_count++] = i;
        } else if (is_asking) {
            say(verdict, POLICY_ASK, POLICY_RULE, i);
            return;
        } else if (truth == 1) {
            is_unsure = true;
            possible = rule->is_allow && possible == POLICY_NO_RULE ? i : possible;
        } else {
            if (possible != POLICY_NO_RULE)
                say(verdict, POLICY_CONTINUE, POLICY_RULE, possible);
            else
                say(verdict,
                    !rule->is_allow ? POLICY_DENY
                    : is_unsure     ? POLICY_CONTINUE
                                    : POLICY_ALLOW,
                    POLICY_RULE, i);
            return;
        }
    }
}

/* -- */

/* Whoever is asked by a rule could have been asked before the target was known. */
static bool may_ask_without_target(const struct policy *policy, const struct policy_facts *facts)
{
    const struct policy_facts known = {
        .client = facts->client,
        .user = facts->user,
        .listener = facts->listener,
        .weekday = facts->weekday,
        .minute = facts->minute,
    };

    return policy_may_ask(policy, &known);
}

static void compare(const struct world *world, const struct policy *policy,
                    const struct policy_facts *facts)
{
    struct verdict found;
    struct verdict expected;

    policy_evaluate(policy, facts, &found);
    naive_evaluate(world, facts, &expected);
    CHECK(found.action == expected.action && found.reason == expected.reason);
    CHECK(found.rule_index == expected.rule_index);
    CHECK(found.report_count == expected.report_count);
    CHECK(memcmp(found.reports, expected.reports, found.report_count * sizeof(uint32_t)) == 0);
    CHECK(found.action != POLICY_ASK || may_ask_without_target(policy, facts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.bytes = data, .left = size};
    static struct world world;
    struct policy_facts facts;
    struct policy *policy;
    size_t count = CROWD_FACTS;

    if (size > 0 && size < CROWD_BYTES) {
        memcpy(&input.random, data, size < sizeof(input.random) ? size : sizeof(input.random));
        input.random |= 1;
        input.is_endless = true;
    }
    make_world(&input, &world);
    CHECK(policy_compile(&world.source, listeners, ARRAY_LENGTH(listeners), &policy) == 0);
    do {
        make_facts(&input, &facts);
        compare(&world, policy, &facts);
    } while (input.is_endless ? count-- > 0 : input.left > 0);
    policy_destroy(policy);
    for (size_t i = 0; i < world.list_count; i++) {
        name_set_destroy(world.list_values[i].names);
        network_set_destroy(world.list_values[i].networks);
    }
    return 0;
}
