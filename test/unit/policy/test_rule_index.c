/* policy/rule_index: how many rules an evaluation looks at. A thousand rules, of which one or none
 * is about the facts, and an allow behind them. Verdicts are test_policy_random.c's. */
#include "policy/name_set.h"
#include "policy/network_set.h"
#include "policy/policy.h"
#include "policy/policy_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES = 1000, OURS = 500, NOBODY = 5000, TEXT_SIZE = 32, LARGE = 5000 };

enum shape {
    TO_NAME,
    TO_SUFFIX,
    TO_BLOCK,
    TO_BLOCK_V6,
    ADDRESS_BLOCK,
    FROM_BLOCK,
    PORT,
    PORT_RANGE,
    TO_OWN_LIST,
    TO_SHARED_LIST,
    ADDRESS_OWN_LIST,
    FROM_OWN_LIST,
    USER,
    USER_GROUP,
    LISTENER,
    SHARED_NAME_AND_PORT,
    SHARED_PORT_AND_BLOCK,
    SHAPE_COUNT,
};

/* One policy; static, for it is large. */
static struct {
    struct policy_source source;
    struct policy_rule_source rules[RULES + 1];
    struct policy_condition conditions[RULES + 1][2];
    struct policy_value values[RULES + 1][2];
    struct policy_list lists[RULES];
    struct policy_group groups[RULES];
    const char *users[RULES];
    char texts[RULES][TEXT_SIZE];
    struct policy *policy;
} world;

static struct ip_address v4_of(size_t number)
{
    const uint8_t bytes[4] = {20, (uint8_t)(number >> 8), (uint8_t)number, 1};

    return ip_address_from_v4(bytes);
}

static struct ip_address v6_of(size_t number)
{
    const uint8_t bytes[16] = {0x26, 1, [4] = (uint8_t)(number >> 8), (uint8_t)number, [15] = 1};

    return ip_address_from_v6(bytes);
}

static void print_name(char *out, size_t number)
{
    snprintf(out, TEXT_SIZE, "host-%zu.example", number);
}

static struct policy_value block_of(const struct ip_address *address)
{
    struct policy_value value = {.kind = POLICY_VALUE_NETWORK};

    value.network.address = *address;
    value.network.address.bytes[address->family == IP_V4 ? 3 : 15] = 0;
    value.network.prefix_length = address->family == IP_V4 ? 24 : 64;
    return value;
}

static struct policy_value ports(size_t first, size_t last)
{
    return (struct policy_value){.kind = POLICY_VALUE_PORTS,
                                 .ports = {(uint16_t)first, (uint16_t)last}};
}

static void make_list(size_t number)
{
    struct ip_address address = v4_of(number);
    struct policy_value block = block_of(&address);
    struct name_set *names;
    struct network_set *networks;
    const char *text = world.texts[number];

    assert_int_equal(name_set_create(&names), 0);
    assert_int_equal(network_set_create(&networks), 0);
    assert_int_equal(name_set_add(names, text, strlen(text), false), 0);
    assert_int_equal(network_set_add(networks, &block.network), 0);
    world.lists[number] = (struct policy_list){.names = names, .networks = networks};
}

/* The condition that tells the rules apart. */
static enum policy_condition_kind make_value(enum shape shape, size_t i, struct policy_value *value)
{
    const struct ip_address v4 = v4_of(i);
    const struct ip_address v6 = v6_of(i);

    switch (shape) {
    case TO_NAME:
        *value = (struct policy_value){.kind = POLICY_VALUE_NAME, .text = world.texts[i]};
        return POLICY_TO;
    case TO_SUFFIX:
        *value = (struct policy_value){.kind = POLICY_VALUE_SUFFIX, .text = world.texts[i]};
        return POLICY_TO;
    case TO_BLOCK_V6:
        *value = block_of(&v6);
        return POLICY_TO;
    case PORT:
    case SHARED_NAME_AND_PORT:
        *value = ports(10000 + i, 10000 + i);
        return POLICY_PORT;
    case PORT_RANGE:
        *value = ports(10000 + i * 7, 10000 + i * 7 + 6);
        return POLICY_PORT;
    case TO_OWN_LIST:
    case TO_SHARED_LIST:
    case FROM_OWN_LIST:
    case ADDRESS_OWN_LIST:
        *value = (struct policy_value){.kind = POLICY_VALUE_LIST,
                                       .index = shape == TO_SHARED_LIST ? OURS : i};
        return shape == FROM_OWN_LIST      ? POLICY_FROM
               : shape == ADDRESS_OWN_LIST ? POLICY_ADDRESS
                                           : POLICY_TO;
    case USER:
        *value = (struct policy_value){.kind = POLICY_VALUE_USER, .text = world.texts[i]};
        return POLICY_USER;
    case USER_GROUP:
        *value = (struct policy_value){.kind = POLICY_VALUE_GROUP, .index = i};
        return POLICY_USER;
    case LISTENER:
        *value = (struct policy_value){.kind = POLICY_VALUE_LISTENER, .listener = {v4, 3128}};
        return POLICY_LISTENER;
    default:
        *value = block_of(&v4);
        return shape == FROM_BLOCK      ? POLICY_FROM
               : shape == ADDRESS_BLOCK ? POLICY_ADDRESS
                                        : POLICY_TO;
    }
}

/* What all rules of the shape have: it must not be what they are found by. */
static size_t make_shared(enum shape shape, struct policy_condition *condition,
                          struct policy_value *value)
{
    static char suffix[] = "example";

    if (shape != SHARED_NAME_AND_PORT && shape != SHARED_PORT_AND_BLOCK)
        return 0;
    *value = shape == SHARED_PORT_AND_BLOCK
                 ? ports(443, 443)
                 : (struct policy_value){.kind = POLICY_VALUE_SUFFIX, .text = suffix};
    *condition = (struct policy_condition){
        .kind = shape == SHARED_PORT_AND_BLOCK ? POLICY_PORT : POLICY_TO,
        .values = value,
        .value_count = 1,
    };
    return 1;
}

static void make_rule(enum shape shape, bool is_allow, size_t i)
{
    struct policy_condition *conditions = world.conditions[i];
    struct policy_value *values = world.values[i];
    size_t count = make_shared(shape, conditions, values);

    conditions[count] = (struct policy_condition){
        .kind = make_value(shape, i, &values[count]), .values = &values[count], .value_count = 1};
    world.rules[i] = (struct policy_rule_source){.name = "a rule",
                                                 .place = "a place",
                                                 .is_allow = is_allow,
                                                 .conditions = conditions,
                                                 .condition_count = count + 1};
}

static void make_world(enum shape shape, bool is_allow)
{
    static const struct policy_value any = {.kind = POLICY_VALUE_ANY};
    struct policy_condition *last = world.conditions[RULES];

    memset(&world, 0, sizeof(world));
    for (size_t i = 0; i < RULES; i++) {
        print_name(world.texts[i], i);
        world.users[i] = world.texts[i];
        world.groups[i] = (struct policy_group){.users = &world.users[i], .user_count = 1};
        make_list(i);
        make_rule(shape, is_allow, i);
    }
    *last = (struct policy_condition){.kind = POLICY_TO, .values = &any, .value_count = 1};
    world.rules[RULES] = (struct policy_rule_source){.name = "the last",
                                                     .place = "a place",
                                                     .is_allow = true,
                                                     .conditions = last,
                                                     .condition_count = 1};
    world.source = (struct policy_source){.rules = world.rules,
                                          .rule_count = RULES + 1,
                                          .lists = world.lists,
                                          .list_count = RULES,
                                          .groups = world.groups,
                                          .group_count = RULES,
                                          .has_users = true};
}

static void compile(void)
{
    assert_int_equal(policy_compile(&world.source, NULL, 0, &world.policy), 0);
}

static void finish_world(void)
{
    policy_destroy(world.policy);
    for (size_t i = 0; i < RULES; i++) {
        name_set_destroy((struct name_set *)world.lists[i].names);
        network_set_destroy((struct network_set *)world.lists[i].networks);
    }
}

/* Facts that are all about the rule with that number. */
struct numbered {
    struct policy_facts facts;
    struct ip_address address;
    struct ip_endpoint listener;
    char text[TEXT_SIZE + 4];
};

static void make_facts(struct numbered *made, enum shape shape, size_t number)
{
    size_t prefix = shape == TO_SUFFIX ? 4 : 0; /* "www." */

    memcpy(made->text, "www.", prefix);
    print_name(made->text + prefix, number);
    made->address = shape == TO_BLOCK_V6 ? v6_of(number) : v4_of(number);
    made->listener = (struct ip_endpoint){v4_of(number), 3128};
    made->facts = (struct policy_facts){
        .client = &made->address,
        .user = made->text,
        .listener = &made->listener,
        .host = made->text,
        .host_length = strlen(made->text),
        .address = &made->address,
        .port = shape == PORT_RANGE              ? (uint16_t)(10000 + number * 7 + 3)
                : shape == SHARED_PORT_AND_BLOCK ? 443
                                                 : (uint16_t)(10000 + number),
    };
}

static size_t count_candidates(const struct policy_facts *facts, bool drops_possible)
{
    struct evaluation evaluation;
    struct rule_cursor cursor;
    size_t count = 0;

    evaluation_init(&evaluation, world.policy, facts);
    rule_cursor_init(&cursor, &world.policy->index, &evaluation);
    while (rule_cursor_next(&cursor) != RULE_INDEX_END) {
        count++;
        if (drops_possible)
            rule_cursor_drop_possible(&cursor);
    }
    return count;
}

static void check(enum shape shape, size_t number, uint32_t rule)
{
    struct numbered made;
    struct verdict verdict;

    make_facts(&made, shape, number);
    policy_evaluate(world.policy, &made.facts, &verdict);
    assert_int_equal(verdict.rule_index, rule);
    if (shape != TO_SHARED_LIST || rule == RULES)
        assert_in_range(count_candidates(&made.facts, false), 1, 2);
    made.facts.address = NULL;
    if (shape != TO_SHARED_LIST || rule == RULES)
        assert_in_range(count_candidates(&made.facts, true), 1, 3);
}

static void only_what_concerns_the_facts_is_looked_at(void **state)
{
    for (unsigned shape = 0; shape < SHAPE_COUNT; shape++) {
        for (unsigned is_allow = 0; is_allow < 2; is_allow++) {
            make_world((enum shape)shape, is_allow);
            compile();
            check((enum shape)shape, OURS, shape == TO_SHARED_LIST ? 0 : OURS);
            check((enum shape)shape, NOBODY, RULES);
            finish_world();
        }
    }
}

/* Each of 1,000 lists has the host. */
static void too_many_chains_are_every_rule(void **state)
{
    struct numbered made;

    make_world(TO_OWN_LIST, false);
    for (size_t i = 0; i < RULES; i++)
        assert_int_equal(name_set_add((struct name_set *)world.lists[i].names, "all", 3, false), 0);
    compile();
    make_facts(&made, TO_OWN_LIST, OURS);
    assert_int_equal(count_candidates(&made.facts, false), 2);
    made.facts.host = "all";
    made.facts.host_length = 3;
    assert_int_equal(count_candidates(&made.facts, false), RULES + 1);
    finish_world();
}

static void enlarge(size_t list)
{
    char name[TEXT_SIZE];

    for (size_t i = 0; i < LARGE; i++) {
        int length = snprintf(name, sizeof(name), "%zu.filler", i);
        assert_int_equal(
            name_set_add((struct name_set *)world.lists[list].names, name, (size_t)length, false),
            0);
    }
}

/* With its memory: large lists that few rules name cost the index nothing. */
static void large_lists_are_taken_apart_for_many_rules_only(void **state)
{
    make_world(TO_OWN_LIST, false);
    enlarge(3);
    compile();
    assert_in_range(world.policy->index.sets.count, 1, LARGE);
    check(TO_OWN_LIST, NOBODY, RULES);
    finish_world();

    make_world(TO_OWN_LIST, false);
    for (size_t i = 0; i < 20; i++)
        enlarge(i * 10);
    compile();
    assert_in_range(world.policy->index.sets.count, 20 * LARGE, 21 * LARGE + 2 * RULES);
    check(TO_OWN_LIST, OURS, OURS);
    check(TO_OWN_LIST, NOBODY, RULES);
    finish_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_concerns_the_facts_is_looked_at),
        cmocka_unit_test(too_many_chains_are_every_rule),
        cmocka_unit_test(large_lists_are_taken_apart_for_many_rules_only),
    };
    return cmocka_run_group_tests_name("policy/rule_index", tests, NULL, NULL);
}
