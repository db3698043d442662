/* tunnel/judgement: what counts of a name, several addresses and failed lookups, in which order,
 * and how it reads. What rules mean is policy's (test_policy.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../policy/policy_text.h"
#include "base/text.h"
#include "tunnel/judgement.h"

#include <string.h>

enum { TOLD_MAX = 8 };

/* adit's own address, so that a target there is a loop. */
static const char own[] = "192.0.2.80:443";

static struct fixture {
    struct policy_text policy;
    struct ip_address client;
    struct authority target;
    struct judgement judgement;
    enum policy_action told[TOLD_MAX];
    size_t told_count;
} fixture;

static struct ip_address address_of(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, strlen(text), &address), 0);
    return address;
}

static void begin(const char *rules, const char *target)
{
    fixture.told_count = 0;
    fixture.client = address_of("127.0.0.1");
    policy_text_compile(&fixture.policy, rules, own);
    assert_int_equal(authority_parse(target, strlen(target), &fixture.target), 0);
    judgement_begin(&fixture.judgement, fixture.policy.policy, &fixture.client, NULL, NULL,
                    &fixture.target);
}

static int tear_down(void **state)
{
    policy_text_finish(&fixture.policy);
    return 0;
}

static void tell(void *self, const struct ip_address *address, const struct verdict *verdict)
{
    assert_ptr_equal(self, &fixture);
    assert_true(fixture.told_count < TOLD_MAX);
    assert_false(judgement_is_complete(&fixture.judgement));
    fixture.told[fixture.told_count++] = verdict->action;
}

/* NULL: the answer has no address. */
static void answer(enum resolver_status status, const char *first, const char *second)
{
    struct ip_address addresses[2];
    struct resolver_answer answer = {.status = status, .addresses = addresses};

    if (first != NULL)
        addresses[answer.count++] = address_of(first);
    if (second != NULL)
        addresses[answer.count++] = address_of(second);
    judgement_of_answer(&fixture.judgement, &answer, tell, &fixture);
}

static void expect_text(const char *expected, const char *expected_phrase)
{
    char buffer[448];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    judgement_print(&text, &fixture.judgement);
    assert_string_equal(buffer, expected);
    text_init(&text, buffer, sizeof(buffer));
    judgement_print_phrase(&text, &fixture.judgement);
    assert_string_equal(buffer, expected_phrase);
}

static void test_a_denied_name_is_not_looked_up(void **state)
{
    begin("deny to ads; allow to any", "ads.example:443");
    assert_true(judgement_has_name(&fixture.judgement));
    assert_int_equal(judgement_of_name(&fixture.judgement).action, POLICY_DENY);
    assert_true(fixture.judgement.is_denied);
    assert_int_equal(judgement_error(&fixture.judgement), TUNNEL_ERROR_DENIED);
}

static void test_each_address_is_judged(void **state)
{
    begin("deny address 198.51.100.0/24; allow to any", "host.example:443");
    assert_int_equal(judgement_of_name(&fixture.judgement).action, POLICY_CONTINUE);
    answer(RESOLVER_OK, "198.51.100.1", "203.0.114.1");
    answer(RESOLVER_NO_DATA, NULL, NULL);
    assert_true(judgement_is_complete(&fixture.judgement));
    assert_int_equal(fixture.told_count, 2);
    assert_int_equal(fixture.told[0], POLICY_DENY);
    assert_int_equal(fixture.told[1], POLICY_ALLOW);
    assert_int_equal(fixture.judgement.allowed_count, 1);
}

/* The first of those that may be dialled stands for all; each can be asked for again. */
static void test_the_first_allowed_stands_for_all(void **state)
{
    struct ip_address other = address_of("8.8.8.8");

    begin("allow address 9.0.0.0/8; allow to any", "host.example:443");
    answer(RESOLVER_OK, "9.9.9.9", "8.8.8.8");
    assert_int_equal(fixture.judgement.allowed_count, 2);
    assert_int_equal(fixture.judgement.allowed.rule_index, 0);
    assert_int_equal(judgement_recall(&fixture.judgement, &other).rule_index, 1);
    assert_int_equal(fixture.judgement.allowed_count, 2);
}

static void test_a_literal_answers_for_both_families(void **state)
{
    struct ip_address literal = address_of("9.9.9.9");

    begin("allow to any", "9.9.9.9:443");
    assert_false(judgement_has_name(&fixture.judgement));
    judgement_of_literal(&fixture.judgement, &literal, tell, &fixture);
    assert_true(judgement_is_complete(&fixture.judgement));
    assert_int_equal(fixture.told_count, 1);
    assert_int_equal(fixture.told[0], POLICY_ALLOW);
}

/* `localhost` with the proxy's port: whatever else is wrong with it, it is the loop that counts. */
static void test_a_loop_counts_before_other_denials(void **state)
{
    begin("deny address 198.51.100.0/24; allow to any", "host.example:443");
    answer(RESOLVER_OK, "198.51.100.1", "192.0.2.80");
    assert_int_equal(judgement_error(&fixture.judgement), TUNNEL_ERROR_LOOP);
    answer(RESOLVER_OK, "198.51.100.2", NULL);
    assert_int_equal(judgement_error(&fixture.judgement), TUNNEL_ERROR_LOOP);
}

static void test_of_other_denials_the_first_counts(void **state)
{
    begin("deny address 198.51.100.0/24; allow to any", "host.example:443");
    answer(RESOLVER_OK, "10.0.0.1", "198.51.100.1");
    assert_int_equal(judgement_error(&fixture.judgement), TUNNEL_ERROR_ADDRESS_PROHIBITED);
}

static void test_a_denial_counts_before_a_failed_lookup(void **state)
{
    begin("allow to any", "host.example:443");
    answer(RESOLVER_SERVFAIL, NULL, NULL);
    answer(RESOLVER_OK, "10.0.0.1", NULL);
    assert_int_equal(judgement_error(&fixture.judgement), TUNNEL_ERROR_ADDRESS_PROHIBITED);
}

static void test_the_order_of_failed_lookups(void **state)
{
    static const struct {
        enum resolver_status first, second;
        enum tunnel_error error;
    } rows[] = {
        {RESOLVER_TIMEOUT, RESOLVER_NXDOMAIN, TUNNEL_ERROR_NXDOMAIN},
        {RESOLVER_SERVFAIL, RESOLVER_TIMEOUT, TUNNEL_ERROR_DNS_TIMEOUT},
        {RESOLVER_NO_DATA, RESOLVER_SERVFAIL, TUNNEL_ERROR_DNS_FAILURE},
        {RESOLVER_FAILED, RESOLVER_OK, TUNNEL_ERROR_DNS_FAILURE},
        {RESOLVER_NO_DATA, RESOLVER_NO_DATA, TUNNEL_ERROR_NO_ADDRESS},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        begin("allow to any", "host.example:443");
        answer(rows[i].first, NULL, NULL);
        answer(rows[i].second, NULL, NULL);
        assert_int_equal(judgement_error(&fixture.judgement), rows[i].error);
        policy_text_finish(&fixture.policy);
    }
    begin("allow to any", "host.example:443");
}

static void test_who_gives_up_has_waited_too_long(void **state)
{
    begin("allow to any", "host.example:443");
    answer(RESOLVER_NO_DATA, NULL, NULL);
    judgement_give_up(&fixture.judgement);
    assert_true(judgement_is_complete(&fixture.judgement));
    assert_int_equal(judgement_error(&fixture.judgement), TUNNEL_ERROR_DNS_TIMEOUT);
}

/* What an error denies is what a verdict may say, and no more. */
static void test_which_errors_deny(void **state)
{
    static const struct verdict denials[] = {
        {.action = POLICY_DENY, .reason = POLICY_RULE},
        {.action = POLICY_DENY, .reason = POLICY_SPECIAL},
        {.action = POLICY_DENY, .reason = POLICY_LOOP},
    };
    static const struct verdict question = {.action = POLICY_ASK, .reason = POLICY_RULE};

    for (size_t i = 0; i < ARRAY_LENGTH(denials); i++)
        assert_true(error_is_denial(verdict_error(&denials[i])));
    assert_false(error_is_denial(verdict_error(&question)));
    assert_false(error_is_denial(TUNNEL_ERROR_NXDOMAIN));
    begin("allow to any", "host.example:443");
}

static void test_a_client_is_told_which_rule(void **state)
{
    begin("deny to ads; allow to any", "ads.example:443");
    judgement_of_name(&fixture.judgement);
    expect_text("denied by policy (rule rule 1)", "denied by policy (rule rule 1)");
}

static void test_a_client_is_told_what_a_name_lacks(void **state)
{
    static const char expected[] = "no such host (NXDOMAIN); a name without a dot is looked up as "
                                   "it is: add its domain";

    begin("allow to any", "intranet:443");
    answer(RESOLVER_NXDOMAIN, NULL, NULL);
    answer(RESOLVER_NXDOMAIN, NULL, NULL);
    expect_text(expected, expected);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_denied_name_is_not_looked_up),
        TEST(test_each_address_is_judged),
        TEST(test_the_first_allowed_stands_for_all),
        TEST(test_a_literal_answers_for_both_families),
        TEST(test_a_loop_counts_before_other_denials),
        TEST(test_of_other_denials_the_first_counts),
        TEST(test_a_denial_counts_before_a_failed_lookup),
        TEST(test_the_order_of_failed_lookups),
        TEST(test_who_gives_up_has_waited_too_long),
        TEST(test_which_errors_deny),
        TEST(test_a_client_is_told_which_rule),
        TEST(test_a_client_is_told_what_a_name_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
