/* policy/policy: who, in which phase, to which address; loops; running out of memory. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- malloc that can fail (linked with --wrap=calloc) */

static int callocs_left = -1; /* negative: no limit */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    if (callocs_left == 0)
        return NULL;
    if (callocs_left > 0)
        callocs_left--;
    return __real_calloc(count, size);
}

/* -- support */

static struct ip_address address_of(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, strlen(text), &address), 0);
    return address;
}

static struct ip_network network_of(const char *text)
{
    struct ip_network network;

    assert_int_equal(ip_network_parse(text, strlen(text), &network), 0);
    return network;
}

static struct ip_endpoint endpoint_of(const char *text)
{
    struct ip_endpoint endpoint;

    assert_int_equal(ip_endpoint_parse(text, strlen(text), &endpoint), 0);
    return endpoint;
}

static struct policy *create(const struct policy_rule *rules, size_t count, const char *listener)
{
    struct ip_endpoint endpoint = endpoint_of(listener);
    struct policy *policy;

    assert_int_equal(policy_create(rules, count, &endpoint, 1, &policy), 0);
    return policy;
}

static struct policy *create_built_in(const char *listener)
{
    const struct policy_rule rule = {
        .source = POLICY_FROM_LOOPBACK, .reaches_special = true, .name = "built-in"};
    return create(&rule, 1, listener);
}

/* `address` NULL: the name phase. */
static struct verdict judge(const struct policy *policy, const char *client, const char *address)
{
    struct ip_address client_address = address_of(client);
    struct ip_address target = address ? address_of(address) : client_address;
    const struct policy_facts facts = {
        .client = &client_address, .address = address ? &target : NULL, .port = 443};
    struct verdict verdict;

    policy_evaluate(policy, &facts, &verdict);
    return verdict;
}

#define assert_verdict(the_verdict, the_action, the_reason, the_rule)                              \
    do {                                                                                           \
        struct verdict found = (the_verdict);                                                      \
        assert_string_equal(policy_action_name(found.action), policy_action_name(the_action));     \
        assert_string_equal(policy_reason_name(found.reason), policy_reason_name(the_reason));     \
        assert_string_equal(found.rule, the_rule);                                                 \
    } while (0)

/* -- rules */

static void built_in_serves_loopback_only(void **state)
{
    static const char *const insiders[] = {"127.0.0.1", "127.200.0.9", "::1", "::ffff:127.0.0.1"};
    static const char *const outsiders[] = {"10.0.0.1", "0.0.0.0", "::", "192.0.2.1", "fe80::1"};
    static const char *const targets[] = {NULL,       "93.184.216.34", "127.0.0.1",
                                          "10.0.0.1", "fd00::1",       "169.254.169.254"};
    struct policy *policy = create_built_in("127.0.0.1:10800");

    for (size_t t = 0; t < ARRAY_LENGTH(targets); t++) {
        for (size_t i = 0; i < ARRAY_LENGTH(insiders); i++)
            assert_verdict(judge(policy, insiders[i], targets[t]), POLICY_ALLOW, POLICY_RULE,
                           "built-in");
        for (size_t i = 0; i < ARRAY_LENGTH(outsiders); i++)
            assert_verdict(judge(policy, outsiders[i], targets[t]), POLICY_DENY, POLICY_DEFAULT,
                           "default");
    }
    policy_destroy(policy);
}

static void no_rule_denies(void **state)
{
    struct policy *policy;

    assert_int_equal(policy_create(NULL, 0, NULL, 0, &policy), 0);
    assert_verdict(judge(policy, "127.0.0.1", NULL), POLICY_DENY, POLICY_DEFAULT, "default");
    assert_verdict(judge(policy, "127.0.0.1", "192.0.2.1"), POLICY_DENY, POLICY_DEFAULT, "default");
    assert_false(policy_needs_local_check(policy, 443));
    policy_destroy(policy);
}

static void from_does_not_reach_special_addresses(void **state)
{
    const struct policy_rule rule = {.source = POLICY_FROM_NETWORK,
                                     .network = network_of("172.17.0.0/16"),
                                     .name = "--from 172.17.0.0/16"};
    struct policy *policy = create(&rule, 1, "0.0.0.0:10800");

    assert_verdict(judge(policy, "172.17.0.2", NULL), POLICY_ALLOW, POLICY_RULE, rule.name);
    assert_verdict(judge(policy, "172.17.0.2", "1.1.1.1"), POLICY_ALLOW, POLICY_RULE, rule.name);
    assert_verdict(judge(policy, "172.17.0.2", "10.0.0.1"), POLICY_DENY, POLICY_SPECIAL, rule.name);
    assert_verdict(judge(policy, "172.17.0.2", "::1"), POLICY_DENY, POLICY_SPECIAL, rule.name);
    assert_verdict(judge(policy, "172.17.0.2", "64:ff9b::7f00:1"), POLICY_DENY, POLICY_SPECIAL,
                   rule.name);
    assert_verdict(judge(policy, "172.18.0.2", "1.1.1.1"), POLICY_DENY, POLICY_DEFAULT, "default");
    policy_destroy(policy);
}

static void first_rule_that_reaches_decides(void **state)
{
    const struct policy_rule rules[] = {
        {.source = POLICY_FROM_NETWORK, .network = network_of("10.0.0.0/8"), .name = "wide"},
        {.source = POLICY_FROM_NETWORK, .network = network_of("10.1.0.0/16"), .name = "narrow"},
        {.source = POLICY_FROM_NETWORK,
         .network = network_of("10.1.1.0/24"),
         .reaches_special = true,
         .name = "special"},
        {.source = POLICY_FROM_LOOPBACK, .reaches_special = true, .name = "loopback"},
    };
    struct policy *policy = create(rules, ARRAY_LENGTH(rules), "127.0.0.1:10800");

    assert_verdict(judge(policy, "10.1.1.1", NULL), POLICY_ALLOW, POLICY_RULE, "wide");
    assert_verdict(judge(policy, "10.1.1.1", "1.1.1.1"), POLICY_ALLOW, POLICY_RULE, "wide");
    assert_verdict(judge(policy, "10.1.1.1", "10.0.0.1"), POLICY_ALLOW, POLICY_RULE, "special");
    assert_verdict(judge(policy, "10.1.2.1", "10.0.0.1"), POLICY_DENY, POLICY_SPECIAL, "wide");
    assert_verdict(judge(policy, "127.0.0.1", "10.0.0.1"), POLICY_ALLOW, POLICY_RULE, "loopback");
    policy_destroy(policy);
}

static void copies_what_it_is_given(void **state)
{
    char name[] = "short-lived";
    struct policy_rule rule = {.source = POLICY_FROM_LOOPBACK, .name = name};
    struct policy *policy = create(&rule, 1, "127.0.0.1:10800");

    memset(name, '#', sizeof(name) - 1);
    memset(&rule, 0, sizeof(rule));
    assert_verdict(judge(policy, "127.0.0.1", NULL), POLICY_ALLOW, POLICY_RULE, "short-lived");
    policy_destroy(policy);
}

static void cuts_a_long_name(void **state)
{
    char name[2 * POLICY_RULE_NAME_MAX];
    const struct policy_rule rule = {.source = POLICY_FROM_LOOPBACK, .name = name};

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct policy *policy = create(&rule, 1, "127.0.0.1:10800");
    assert_int_equal(strlen(judge(policy, "127.0.0.1", NULL).rule), POLICY_RULE_NAME_MAX);
    policy_destroy(policy);
}

/* -- loops */

struct loop_row {
    const char *listener;
    const char *target;
    bool is_local_address;
    bool is_loop;
};

static const struct loop_row loop_rows[] = {
    /* a specific listener: itself, and "unspecified" where that dials it */
    {"127.0.0.1:10800", "127.0.0.1:10800", false, true},
    {"127.0.0.1:10800", "[::ffff:127.0.0.1]:10800", false, true},
    {"127.0.0.1:10800", "0.0.0.0:10800", false, true},
    {"127.0.0.1:10800", "127.0.0.1:10801", false, false},
    {"127.0.0.1:10800", "127.0.0.2:10800", false, false},
    {"127.0.0.1:10800", "127.0.0.2:10800", true, false},
    {"127.0.0.1:10800", "[::1]:10800", false, false},
    {"127.0.0.1:10800", "[::]:10800", false, false},
    {"127.0.0.2:10800", "0.0.0.0:10800", false, false},
    {"[::1]:10800", "[::1]:10800", false, true},
    {"[::1]:10800", "[::]:10800", false, true},
    {"[::1]:10800", "0.0.0.0:10800", false, false},
    {"192.0.2.1:10800", "192.0.2.1:10800", false, true},
    {"192.0.2.1:10800", "0.0.0.0:10800", false, false},
    {"192.0.2.1:10800", "127.0.0.1:10800", true, false},
    /* a wildcard: whatever is ours, all loopback and unspecified addresses of its family */
    {"0.0.0.0:10800", "127.0.0.1:10800", false, true},
    {"0.0.0.0:10800", "127.9.9.9:10800", false, true},
    {"0.0.0.0:10800", "0.0.0.0:10800", false, true},
    {"0.0.0.0:10800", "192.0.2.1:10800", true, true},
    {"0.0.0.0:10800", "192.0.2.1:10800", false, false},
    {"0.0.0.0:10800", "192.0.2.1:10801", true, false},
    {"0.0.0.0:10800", "127.0.0.1:80", false, false},
    {"[::]:10800", "[::1]:10800", false, true},
    {"[::]:10800", "[::]:10800", false, true},
    {"[::]:10800", "[2001:db8::1]:10800", true, true},
    {"[::]:10800", "[2001:db8::1]:10800", false, false},
    {"[::]:10800", "127.0.0.1:10800", true, true},
    {"[::]:10800", "127.0.0.1:10800", false, false},
    {"0.0.0.0:10800", "[::1]:10800", false, false},
};

static void knows_its_own_listeners(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(loop_rows); i++) {
        const struct loop_row *row = &loop_rows[i];
        struct policy *policy = create_built_in(row->listener);
        struct ip_address client = address_of("127.0.0.1");
        struct ip_endpoint target = endpoint_of(row->target);
        const struct policy_facts facts = {.client = &client,
                                           .address = &target.address,
                                           .port = target.port,
                                           .is_local_address = row->is_local_address};
        struct verdict verdict;

        policy_evaluate(policy, &facts, &verdict);
        if ((verdict.reason == POLICY_LOOP) != row->is_loop)
            fail_msg("%s from %s: %s", row->target, row->listener,
                     policy_reason_name(verdict.reason));
        assert_int_equal(verdict.action, row->is_loop ? POLICY_DENY : POLICY_ALLOW);
        assert_string_equal(verdict.rule, row->is_loop ? "default" : "built-in");
        policy_destroy(policy);
    }
}

static void looks_at_every_listener(void **state)
{
    const struct ip_endpoint listeners[] = {endpoint_of("127.0.0.1:1"), endpoint_of("[::]:2"),
                                            endpoint_of("127.0.0.1:443")};
    const struct policy_rule rule = {.source = POLICY_FROM_LOOPBACK, .name = "built-in"};
    struct policy *policy;

    assert_int_equal(policy_create(&rule, 1, listeners, ARRAY_LENGTH(listeners), &policy), 0);
    assert_verdict(judge(policy, "127.0.0.1", "127.0.0.1"), POLICY_DENY, POLICY_LOOP, "default");
    assert_false(policy_needs_local_check(policy, 1));
    assert_true(policy_needs_local_check(policy, 2));
    assert_false(policy_needs_local_check(policy, 443));
    policy_destroy(policy);
}

/* -- memory */

static void survives_every_allocation_failure(void **state)
{
    const struct policy_rule rule = {.source = POLICY_FROM_LOOPBACK, .name = "built-in"};
    const struct ip_endpoint listener = endpoint_of("127.0.0.1:10800");
    struct policy *policy = NULL;
    int failures = 0;

    for (;; failures++) {
        callocs_left = failures;
        int result = policy_create(&rule, 1, &listener, 1, &policy);
        callocs_left = -1;
        if (result == 0)
            break;
        assert_int_equal(result, -ENOMEM);
        assert_null(policy);
    }
    assert_int_equal(failures, 3);
    policy_destroy(policy);
    policy_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_serves_loopback_only),
        cmocka_unit_test(no_rule_denies),
        cmocka_unit_test(from_does_not_reach_special_addresses),
        cmocka_unit_test(first_rule_that_reaches_decides),
        cmocka_unit_test(copies_what_it_is_given),
        cmocka_unit_test(cuts_a_long_name),
        cmocka_unit_test(knows_its_own_listeners),
        cmocka_unit_test(looks_at_every_listener),
        cmocka_unit_test(survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("policy/policy", tests, NULL, NULL);
}
