/* policy/policy: policy.cases; who hears of which rule; loops; running out of memory. */
#include "policy/policy.h"

#include "policy_text.h"
#include "support/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- memory that can run out (linked with --wrap) */

static int allocations_left = -1; /* negative: no limit */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool may_allocate(void)
{
    if (allocations_left == 0)
        return false;
    if (allocations_left > 0)
        allocations_left--;
    return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

/* -- the table */

static const char listeners[] = "127.0.0.1:10800 192.0.2.1:8080";
static struct policy_text table_policy;
static bool has_table_policy;

static void finish_table_policy(void)
{
    if (has_table_policy)
        policy_text_finish(&table_policy);
    has_table_policy = false;
}

static void add_rule_number(struct text *out, uint32_t index)
{
    if (index != POLICY_NO_RULE) {
        text_add_char(out, ' ');
        text_add_decimal(out, index + 1);
    }
}

/* "allow 2", "deny special 1", "deny default", "ask 3 reports 1 2" */
static void describe(struct text *out, const struct verdict *verdict)
{
    text_add(out, policy_action_name(verdict->action));
    if (verdict->reason != POLICY_RULE) {
        text_add_char(out, ' ');
        text_add(out, policy_reason_name(verdict->reason));
    }
    add_rule_number(out, verdict->rule_index);
    if (verdict->report_count > 0)
        text_add(out, " reports");
    for (size_t i = 0; i < verdict->report_count; i++)
        add_rule_number(out, verdict->reports[i]);
}

static void check_row(struct case_row *row)
{
    const char *rules = row->columns[0].bytes;
    struct facts_text facts;
    struct verdict verdict;
    char buffer[256];
    struct text found;

    if (strcmp(rules, "=") != 0) {
        finish_table_policy();
        policy_text_compile(&table_policy, rules, listeners);
        has_table_policy = true;
    }
    facts_text_parse(&facts, row->columns[1].bytes);
    policy_evaluate(table_policy.policy, &facts.facts, &verdict);
    text_init(&found, buffer, sizeof(buffer));
    describe(&found, &verdict);
    if (strcmp(buffer, row->columns[2].bytes) != 0)
        case_fail(row, "%s: found %s, not %s", row->columns[1].bytes, buffer,
                  row->columns[2].bytes);
}

static void says_what_the_table_says(void **state)
{
    cases_check("policy.cases", 3, NULL, check_row);
    finish_table_policy();
}

/* -- names */

static struct verdict judge(const struct policy_text *text, const char *facts_words)
{
    struct facts_text facts;
    struct verdict verdict;

    facts_text_parse(&facts, facts_words);
    policy_evaluate(text->policy, &facts.facts, &verdict);
    return verdict;
}

static void names_the_rule(void **state)
{
    struct policy_text text;

    policy_text_compile(&text, "deny to a.example; allow", listeners);
    text.rules[0].name = "a person's words";
    text.rules[0].place = "adit.conf:7";
    struct verdict verdict = judge(&text, "to a.example:443");
    assert_string_equal(verdict.rule, "a person's words");
    assert_string_equal(verdict.place, "adit.conf:7");
    assert_int_equal(verdict.rule_index, 0);
    verdict = judge(&text, "to 127.0.0.1:10800");
    assert_string_equal(verdict.rule, "default");
    assert_string_equal(verdict.place, "default");
    assert_int_equal(verdict.rule_index, POLICY_NO_RULE);
    assert_ptr_equal(policy_source_of(text.policy), &text.source);
    policy_text_finish(&text);
}

static void bounds_reports(void **state)
{
    char rules[1024] = "";
    struct policy_text text;

    for (int i = 0; i < POLICY_REPORTS_MAX + 2; i++)
        strcat(rules, "report deny to any; ");
    strcat(rules, "allow");
    policy_text_compile(&text, rules, listeners);
    struct verdict verdict = judge(&text, "to 1.1.1.1:443");
    assert_int_equal(verdict.action, POLICY_ALLOW);
    assert_int_equal(verdict.report_count, POLICY_REPORTS_MAX);
    assert_int_equal(verdict.reports[POLICY_REPORTS_MAX - 1], POLICY_REPORTS_MAX - 1);
    policy_text_finish(&text);
}

static void knows_whether_time_matters(void **state)
{
    struct policy_text text;

    policy_text_compile(&text, "allow from loopback port 443", listeners);
    assert_false(policy_needs_time(text.policy));
    policy_text_finish(&text);
    policy_text_compile(&text, "allow; deny port 1 not time 12345/08:00-18:00", listeners);
    assert_true(policy_needs_time(text.policy));
    policy_text_finish(&text);
}

/* A rule for each of many names, with one in the middle that stands for all of them. */
static void finds_one_rule_among_many(void **state)
{
    enum { COUNT = 1000 };
    static struct policy_rule_source rules[COUNT];
    static struct policy_condition conditions[COUNT];
    static struct policy_value values[COUNT];
    static char names[COUNT][24];
    const struct policy_source source = {.rules = rules, .rule_count = COUNT};
    struct policy *policy;

    for (size_t i = 0; i < COUNT; i++) {
        struct text name;
        text_init(&name, names[i], sizeof(names[i]));
        text_add_char(&name, 'h');
        text_add_decimal(&name, i);
        text_add(&name, ".example");
        values[i] = (struct policy_value){.kind = POLICY_VALUE_NAME, .text = names[i]};
        if (i == COUNT / 2)
            values[i] = (struct policy_value){.kind = POLICY_VALUE_SUFFIX, .text = "example"};
        conditions[i] =
            (struct policy_condition){.kind = POLICY_TO, .values = &values[i], .value_count = 1};
        rules[i] = (struct policy_rule_source){
            .name = "n", .place = "p", .conditions = &conditions[i], .condition_count = 1};
    }
    assert_int_equal(policy_compile(&source, NULL, 0, &policy), 0);
    for (size_t i = 0; i < COUNT; i++) {
        struct ip_address client = ip_address_from_v4((const uint8_t[]){127, 0, 0, 1});
        const struct policy_facts facts = {
            .client = &client, .host = names[i], .host_length = strlen(names[i]), .port = 443};
        struct verdict verdict;
        policy_evaluate(policy, &facts, &verdict);
        assert_int_equal(verdict.rule_index, i < COUNT / 2 ? i : COUNT / 2);
    }
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
    /* ... and nothing of the other */
    {"[::]:10800", "127.0.0.1:10800", true, false},
    {"[::]:10800", "0.0.0.0:10800", true, false},
    {"[::]:10800", "192.0.2.1:10800", true, false},
    {"[::]:10800", "[::ffff:127.0.0.1]:10800", true, false},
    {"0.0.0.0:10800", "[::1]:10800", true, false},
    {"0.0.0.0:10800", "[2001:db8::1]:10800", true, false},
    {"127.0.0.1:10800 [::]:10800", "127.0.0.1:10800", true, true},
    {"127.0.0.1:10800 [::]:10800", "127.0.0.9:10800", true, false},
    {"[::]:10800 0.0.0.0:10800", "127.0.0.9:10800", true, true},
};

static void knows_its_own_listeners(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(loop_rows); i++) {
        const struct loop_row *row = &loop_rows[i];
        struct policy_text text;
        char facts[128] = "to ";

        policy_text_compile(&text, "report deny; allow to any, special", row->listener);
        strcat(facts, row->target);
        strcat(facts, row->is_local_address ? " local" : "");
        struct verdict verdict = judge(&text, facts);
        if ((verdict.reason == POLICY_LOOP) != row->is_loop)
            fail_msg("%s from %s: %s", row->target, row->listener,
                     policy_reason_name(verdict.reason));
        assert_int_equal(verdict.action, row->is_loop ? POLICY_DENY : POLICY_ALLOW);
        assert_string_equal(verdict.rule, row->is_loop ? "default" : "rule 2");
        assert_int_equal(verdict.report_count, row->is_loop ? 0 : 1);
        policy_text_finish(&text);
    }
}

static void looks_at_every_listener(void **state)
{
    struct policy_text text;

    policy_text_compile(&text, "allow", "127.0.0.1:10800 [::]:2");
    assert_int_equal(judge(&text, "to 127.0.0.1:10800").reason, POLICY_LOOP);
    assert_int_equal(judge(&text, "to [::1]:2").reason, POLICY_LOOP);
    assert_false(policy_needs_local_check(text.policy, 10800));
    assert_true(policy_needs_local_check(text.policy, 2));
    assert_false(policy_needs_local_check(text.policy, 443));
    policy_text_finish(&text);
}

/* -- memory */

static void survives_every_allocation_failure(void **state)
{
    const struct ip_endpoint listener = {{IP_V4, {127, 0, 0, 1}}, 10800};
    struct policy_text text;
    struct policy *policy = NULL;
    int failures = 0;

    policy_text_compile(&text,
                        "deny to ads, x.example; allow user @ops, carol to *.a.example, "
                        "10.0.0.0/8, 11.0.0.0/8, fc00::/7; deny sni a, b, c, d, e, f, g, "
                        "h, a-name-that-is-longer-than-what-is-there-from-the-start.example",
                        listeners);
    for (;; failures++) {
        allocations_left = failures;
        int result = policy_compile(&text.source, &listener, 1, &policy);
        allocations_left = -1;
        if (result == 0)
            break;
        assert_int_equal(result, -ENOMEM);
        assert_null(policy);
    }
    assert_true(failures > 15);
    policy_destroy(policy);
    policy_destroy(NULL);
    policy_text_finish(&text);
}

static void knows_whether_to_ask_before_the_target(void **state)
{
    static const struct {
        const char *rules, *facts;
        bool may_ask;
    } rows[] = {
        {"users; allow user any to any", "", true},
        {"users; allow user any to a.example port 443", "", true},
        {"users; allow not user bob to any", "", true},
        {"users; deny user bob", "", true},
        {"users; allow user any to any", "user alice", false}, /* it is known */
        {"users; deny user alice", "user bob", false},
        {"allow user any to any", "", false}, /* nobody can have credentials */
        {"users; none", "", false},
        {"users; allow to any", "", false},
        {"users; report deny user bob", "", false}, /* it never asks */
        /* a rule for other clients, listeners, times */
        {"users; allow user any from 10.0.0.0/8", "from 10.0.0.1", true},
        {"users; allow user any from 10.0.0.0/8", "from 192.0.2.1", false},
        {"users; allow user any listener 127.0.0.1:10800", "on 127.0.0.1:10800", true},
        {"users; allow user any listener 127.0.0.1:10800", "on 192.0.2.1:8080", false},
        {"users; allow user any time 12345/08:00-18:00", "time 1-09:00", true},
        {"users; allow user any time 12345/08:00-18:00", "time 0-09:00", false},
        /* what stands before it decides for every target, or not for all */
        {"users; deny from 10.0.0.0/8; allow user any", "from 10.0.0.1", false},
        {"users; deny from 10.0.0.0/8; allow user any", "from 192.0.2.1", true},
        {"users; deny to a.example; allow user any", "", true},
        {"users; deny port 25; allow user any", "", true},
        {"users; allow to any, special; allow user any", "", false},
        {"users; allow to any; allow user any", "", true}, /* special-purpose addresses are left */
        {"users; allow not to any; allow user any", "", true},
        {"users; allow protocol tls; allow user any", "", true},
        {"users; report deny; allow user any", "", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct policy_text policy;
        struct facts_text facts;

        policy_text_compile(&policy, rows[i].rules, listeners);
        facts_text_parse(&facts, rows[i].facts);
        if (policy_may_ask(policy.policy, &facts.facts) != rows[i].may_ask)
            fail_msg("%s | %s: not %d", rows[i].rules, rows[i].facts, rows[i].may_ask);
        policy_text_finish(&policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_table_says),
        cmocka_unit_test(names_the_rule),
        cmocka_unit_test(bounds_reports),
        cmocka_unit_test(knows_whether_time_matters),
        cmocka_unit_test(knows_whether_to_ask_before_the_target),
        cmocka_unit_test(finds_one_rule_among_many),
        cmocka_unit_test(knows_its_own_listeners),
        cmocka_unit_test(looks_at_every_listener),
        cmocka_unit_test(survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("policy/policy", tests, NULL, NULL);
}
